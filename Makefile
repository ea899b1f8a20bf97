# Every target sets up its own environment; a target is the list of its stages, a line each.
RECIPE  ?= sample
OUT     ?= build
WORKERS ?=
SET     ?=
TORCH_INDEX ?=
PYTHON  ?= $(shell command -v python3.11 || command -v python3)

VENV    := .venv
STAMP   := $(VENV)/siku-is-installed
SIKU    := $(VENV)/bin/siku
STAGE   := $(RECIPE) --out $(OUT) $(addprefix --set ,$(SET)) $(if $(WORKERS),--workers $(WORKERS))
WHOLE   := $(RECIPE) --out $(OUT) $(addprefix --set ,$(SET))
PIP     := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt \
           $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.DEFAULT_GOAL := help
.PHONY: help setup corpus tokenizer pretrain report verify lock test check format bench clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  RECIPE=$(RECIPE)  OUT=$(OUT)  WORKERS=(all cores)  SET='dedup.threshold=0.75 …'  TORCH_INDEX=(the wheel index for torch)"

setup: $(STAMP) ## Build .venv from constraints.txt
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Siku is tested on Python 3.11; install it, or say where it is: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "setting up $(VENV): some minutes and about 2 GB, once" >&2
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable '.[train,dev]'
	@touch $@

corpus: setup ## Raw sources to a clean, deduplicated corpus
	$(SIKU) documents $(STAGE)
	$(SIKU) dedup $(STAGE)

tokenizer: corpus ## … and a tokenizer learned from it, grafted onto the base model's
	$(SIKU) tokenizer $(STAGE)

pretrain: tokenizer ## … and memory-mapped tokens, QLoRA pretraining and a report
	$(SIKU) tokens $(STAGE)
	$(SIKU) pretrain $(STAGE)
	$(SIKU) report $(WHOLE)

report: setup ## Write the report of what is built
	$(SIKU) report $(WHOLE)

verify: setup ## Prove that what is built equals its manifests and the committed ones
	$(SIKU) verify $(STAGE)

lock: setup ## Write the manifests of what is built beside the recipe, to be committed
	$(SIKU) lock $(WHOLE)

test: setup ## Run all tests; FAST=1 leaves out those that take minutes
	$(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile $(if $(FAST),-m "not slow")

check: setup ## Lint, format, types, import contracts, spelling
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell

format: setup ## Let ruff put the code in order
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: setup ## Measure every claim beside a peer; exits 1 if one falls short
	@for benchmark in benchmarks/*.py; do echo "$$benchmark"; $(VENV)/bin/python $$benchmark --check || exit 1; done

clean: ## Remove builds and the environment
	rm -rf $(OUT) $(VENV) .venv-peers
