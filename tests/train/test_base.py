"""Bases: what is loaded from where, and one sentence for each that cannot be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from siku_manifests.errors import InputError, RecipeError, SikuError
from siku_manifests.sections import Pretrain
from siku_train.adapters import linear_names
from siku_train.base import check_origin, check_quantised, compute_dtype, load_base
from siku_train.separation import find_way

change = msgspec.structs.replace
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"base": "/nowhere/model"},
            InputError,
            r"base = '/nowhere/model': no such folder; give the folder of a model",
        ),
        (
            {"base": "org/model"},
            RecipeError,
            r"'org/model': a name on the Hub is used only at a pinned commit; set rev",
        ),
        (
            {"base": "org/model", "revision": "main"},
            RecipeError,
            r"only at a pinned commit; set revision to its 40 hex",
        ),
        (
            {"base": "org/model", "trust_remote_code": True},
            RecipeError,
            r"the code of a repository runs only at a pinn",
        ),
    ],
)
def test_a_base_that_could_not_be_found_again(
    options: Pretrain, changes: dict[str, Any], error: type[SikuError], message: str
) -> None:
    with pytest.raises(error, match=rf"^\[pretrain\] .*{message}"):
        check_origin(change(options, **changes))


def test_bases_that_can(options: Pretrain, tmp_path: Path) -> None:
    check_origin(options)
    check_origin(change(options, base=str(tmp_path), trust_remote_code=True))  # a folder is what it is
    check_origin(change(options, base="org/model", revision=COMMIT, trust_remote_code=True))


REPOSITORY_CODE = '''
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

class BaichuanConfig(LlamaConfig):
    model_type = "baichuan"

class BaichuanForCausalLM(LlamaForCausalLM):
    """Stands for code that is not written for packed documents: it takes no notice of positions."""
    config_class = BaichuanConfig

    def __init__(self, config):
        super().__init__(config)
        own = self.model.forward
        self.model.forward = lambda input_ids, **_: own(input_ids=input_ids, use_cache=False)
'''


@pytest.fixture
def repository(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base whose code lies beside its weights."""
    folder = tmp_path / "repository"
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "code.BaichuanConfig", "AutoModelForCausalLM": "code.BaichuanForCausalLM"}
    changed = {**config, "model_type": "baichuan", "architectures": ["BaichuanForCausalLM"], "auto_map": names}
    (folder / "config.json").write_text(json.dumps(changed))
    (folder / "code.py").write_text(REPOSITORY_CODE)
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    return folder


def test_code_of_a_repository_runs_only_where_it_is_asked_for(repository: Path, options: Pretrain) -> None:
    with pytest.raises(
        RecipeError, match=r"code lies in the model's own repository; read it, then set trust_remote_cod"
    ):
        load_base(repository, options)
    model = load_base(repository, change(options, trust_remote_code=True))
    assert type(model).__name__ == "BaichuanForCausalLM"
    assert "q_proj" in linear_names(model)
    # and it is found out before anything is trained
    with pytest.raises(
        RecipeError, match=r"BaichuanForCausalLM with attention 'sdpa' the documents of a window see each"
    ):
        find_way(model, options)


def test_a_kind_that_transformers_does_not_know(base: Path, tmp_path: Path, options: Pretrain) -> None:
    shutil.copytree(base, tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    (tmp_path / "base/config.json").write_text(json.dumps({**config, "model_type": "nobody"}))
    with pytest.raises(RecipeError, match=r"transformers does not know this kind of model; docs/families\.md says"):
        load_base(tmp_path / "base", options)


@pytest.mark.parametrize("size", [0, 100, -4096])
def test_damaged_weights(base: Path, tmp_path: Path, options: Pretrain, size: int) -> None:
    shutil.copytree(base, tmp_path / "base")
    weights = tmp_path / "base/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(InputError, match=r"^\[pretrain\] base = .*damaged|no model there") as caught:
        load_base(tmp_path / "base", options)
    assert "\n" not in str(caught.value)


def test_flash_attention_without_its_package(base: Path, options: Pretrain) -> None:
    with pytest.raises(RecipeError, match=r"^\[pretrain\] base = .*: it cannot be loaded \(.*[Ff]lash"):
        load_base(base, change(options, attention="flash_attention_2"))


def test_layers_that_quantisation_passed_over_are_named(base: Path, options: Pretrain) -> None:
    plain = load_base(base, change(options, method="lora"))
    with pytest.raises(
        RecipeError, match=r"bitsandbytes leaves model\.layers\.0\.self_attn\.q_proj .* in full precision"
    ):
        check_quantised(plain)
    check_quantised(load_base(base, options))


@pytest.mark.parametrize(("bf16", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_auto_is_what_the_card_does_best(
    options: Pretrain, monkeypatch: pytest.MonkeyPatch, bf16: bool, expected: torch.dtype
) -> None:
    assert compute_dtype(change(options, dtype="auto", device="cpu")) == torch.float32
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: bf16)
    assert compute_dtype(change(options, dtype="auto")) == expected
    assert compute_dtype(change(options, dtype="float16", device="cpu")) == torch.float16
