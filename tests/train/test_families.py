"""Every family that transformers has code for: separation, a step of QLoRA, new pieces; and names of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bitsandbytes
import msgspec
import numpy as np
import pytest
import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_train.adapters import chosen_targets, embedding_names, trainable_parameters
from siku_train.checkpoint import load_adapter, save_adapter
from siku_train.embeddings import NewPieces, extend_vocabulary
from siku_train.families import FAMILIES, Family
from siku_train.loss import use_chunked_loss
from siku_train.model import build_model
from siku_train.separation import Way, find_way, hidden_states
from siku_train.windows import packed_example

EOS = 2
BASE = 320
SIZES = {
    "vocab_size": BASE,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
FALCON = {name: SIZES[name] for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")}
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", SIZES),
    "mistral": ("mistral", SIZES),
    "mistral, window of 8": ("mistral", {**SIZES, "sliding_window": 8}),
    "qwen2": ("qwen2", SIZES),
    "qwen2, head tied": ("qwen2", {**SIZES, "tie_word_embeddings": True}),
    "qwen2, window of 8": ("qwen2", {**SIZES, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
    "qwen3": ("qwen3", {**SIZES, "head_dim": 32}),
    "internlm3": ("internlm3", SIZES),
    "falcon 7b": ("falcon", {**FALCON, "multi_query": True, "bias": False, "tie_word_embeddings": True}),
    "falcon 40b": ("falcon", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 1}),
}
FALCON_RW = ("falcon", {**FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True})
OPTIONS = Pretrain(rank=4, dropout=0.0, length=64, batch=2)


def family_of(model_type: str) -> Family:
    """The table's row."""
    return next(family for family in FAMILIES if family.model_type == model_type)


def small_model(name: str, **options: Any) -> Any:
    """A model of the real architecture with random weights, wide enough that a neighbour shows."""
    model_type, sizes = SMALL.get(name, FALCON_RW)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**sizes), **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4 if parameter.dim() > 1 else 1)
    return model


def packed_rows() -> tuple[list[list[list[int]]], dict[str, torch.Tensor]]:
    """Two rows of documents whose borders differ, one document a lone end, and the batch that they fill."""
    random = np.random.default_rng(8)
    rows = [
        [[*random.integers(3, 300, size).tolist(), EOS] for size in sizes] for sizes in ((17, 0, 30, 13), (40, 9, 5, 6))
    ]
    examples = []
    for row in rows:
        ids = np.array([token for document in row for token in document])
        examples.append(packed_example(np.append(ids, EOS), length=64, eos=EOS))
    return rows, {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def distance(model: Any, way: Way | dict[str, Any]) -> float:
    """How far packed logits are from those of each document alone, relative to the largest logit."""
    rows, batch = packed_rows()
    alone = torch.stack(
        [torch.cat([model(input_ids=torch.tensor([d]), use_cache=False).logits[0] for d in row]) for row in rows]
    )
    ids, positions = batch["input_ids"], batch["position_ids"]
    if isinstance(way, dict):
        found = model(input_ids=ids, position_ids=positions, **{"use_cache": False, **way}).logits
    else:
        found = model.get_output_embeddings()(hidden_states(model, ids, positions, way))
    return float((found - alone).abs().max() / alone.abs().max())


@torch.no_grad()
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", SMALL)
def test_packed_logits_are_those_of_each_document_alone(name: str, attention: str) -> None:
    model = small_model(name, attn_implementation=attention).eval()
    way = find_way(model, msgspec.structs.replace(OPTIONS, attention=attention))
    assert way == family_of(SMALL[name][0]).separation
    assert distance(model, way) < 1e-5
    # the traps: what is harmless in any other training shows documents to their neighbours here
    assert distance(model, {"attention_mask": torch.ones(2, 64, dtype=torch.int64)}) > 0.01
    assert distance(model, {"use_cache": True}) > 0.01
    if way == "mask":
        assert distance(model, "positions") > 0.01


def test_a_base_that_cannot_keep_documents_apart_is_refused() -> None:
    model = small_model("falcon rw").eval()  # its ALiBi takes no mask of blocks
    with pytest.raises(
        RecipeError, match=r"FalconForCausalLM with attention 'sdpa' the documents of a window see each"
    ):
        find_way(model, OPTIONS)
    assert find_way(model, msgspec.structs.replace(OPTIONS, neighbours="seen")) == "none"


@torch.no_grad()
@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_rows_end_to_end_are_separated_too(name: str) -> None:
    # flash attention needs a GPU; that the rows are laid end to end and cut again is the same for any attention
    assert distance(small_model(name).eval(), "row") < 1e-5


@pytest.fixture(params=[name for name in SMALL if "window" not in name])
def family_base(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Family, Path]:
    """A small base of each family in a folder."""
    small_model(request.param).save_pretrained(tmp_path / "base")
    return family_of(SMALL[request.param][0]), tmp_path / "base"


def test_a_step_of_qlora(family_base: tuple[Family, Path], tmp_path: Path) -> None:
    family, base = family_base
    model = build_model(base, OPTIONS, pieces=NewPieces(BASE, [[5, 6]] * 64), seed=1)
    core = model.get_base_model()
    assert set(model.peft_config["default"].target_modules) == set(family.targets)
    assert embedding_names(core) == family.embeddings
    adapted = [module for module in core.modules() if isinstance(module, LoraLayer)]
    assert all(isinstance(layer.get_base_layer(), bitsandbytes.nn.Linear4bit) for layer in adapted)
    assert core.get_input_embeddings().weight.shape == core.get_output_embeddings().weight.shape == (BASE + 64, 64)
    _, batch = packed_rows()
    before = model(**batch)["loss"]
    before.backward()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)
    torch.optim.SGD(trained, lr=1e-4).step()
    assert model(**batch)["loss"] < before
    # and it is saved and loaded
    save_adapter(model, tmp_path, base="base")
    again = build_model(base, OPTIONS, pieces=NewPieces(BASE, [[5, 6]] * 64), seed=2)
    load_adapter(again, tmp_path)
    assert torch.equal(model(**batch)["loss"], again(**batch)["loss"])
    twice = (BASE + 64) * 64 if core.config.tie_word_embeddings else 0  # peft asks for a tied head by name
    size = (tmp_path / "adapter_model.safetensors").stat().st_size
    assert size < 1.05 * 4 * (trainable_parameters(model) + twice) + 20_000


def test_a_family_that_scales_its_logits_is_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    scaled = AutoModelForCausalLM.from_config(CONFIG_MAPPING["granite"](**{**SIZES, "logits_scaling": 8.0}))
    scaled.lm_head.weight.data.mul_(20)
    scaled.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"GraniteForCausalLM does more with its logits .* use another family"):
        build_model(tmp_path, OPTIONS, pieces=NewPieces(BASE, []), seed=1)


class Repository(nn.Module):
    """Modules with the names that a repository's code gives them, without that code."""

    def __init__(self, family: Family, *, head: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.ModuleDict({name: nn.Linear(8, 8) for name in family.targets})
        self.norm = nn.LayerNorm(8)
        self.add_module(family.embeddings[0], nn.Embedding(16, 8))
        self.add_module(family.embeddings[1], head or nn.Linear(8, 16, bias=False))
        self.ends = family.embeddings

    def get_input_embeddings(self) -> nn.Module:
        return self.get_submodule(self.ends[0])

    def get_output_embeddings(self) -> nn.Module:
        return self.get_submodule(self.ends[1])


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.code == "repository"], ids=lambda f: f.name)
def test_targets_of_a_family_whose_code_lies_in_its_repository(family: Family) -> None:
    model = Repository(family)
    assert chosen_targets(model, OPTIONS) == family.targets
    assert embedding_names(model) == family.embeddings
    only = family.targets[-1]
    assert chosen_targets(model, msgspec.structs.replace(OPTIONS, targets=(only,))) == (only,)
    with pytest.raises(RecipeError, match=r"targets: Repository has no linear layer 'nothing'; it has .*" + only):
        chosen_targets(model, msgspec.structs.replace(OPTIONS, targets=("nothing",)))


class NormHead(nn.Module):
    """Baichuan2's head, by its published definition."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight = head.weight

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(hidden, nn.functional.normalize(self.weight))


def test_a_head_that_normalises_its_rows_has_the_loss_of_its_own_logits() -> None:
    model = small_model("llama")
    model.lm_head = NormHead(model.lm_head)
    _, batch = packed_rows()
    labels = batch.pop("labels")
    logits = model(**batch, use_cache=False).logits
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    use_chunked_loss(model)
    found = model(**batch, labels=labels)["loss"]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    found.backward()
    gradient = model.lm_head.weight.grad.clone()
    model.zero_grad()
    expected.backward()
    torch.testing.assert_close(gradient, model.lm_head.weight.grad, rtol=1e-4, atol=1e-5)


def test_a_head_that_normalises_its_rows_is_not_extended() -> None:
    model = small_model("llama")
    model.lm_head = NormHead(model.lm_head)
    pieces = NewPieces(first=model.config.vocab_size, spelled=[[1, 2]])
    with pytest.raises(RecipeError, match=r'NormHead, which cannot be extended; .* mode = "unchanged"'):
        extend_vocabulary(model, pieces, start="subpieces", seed=0)
