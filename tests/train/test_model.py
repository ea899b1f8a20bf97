"""The adapted model: what is quantised, what is trained, and that packed documents do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes
import msgspec
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from siku_manifests.errors import InputError
from siku_manifests.sections import Pretrain
from siku_train.adapters import attach_adapters, trainable_parameters
from siku_train.base import load_base, write_seed_base
from siku_train.loss import IGNORE
from siku_train.validation import without_dropout
from siku_train.windows import packed_example

EOS = 2


def packed_documents() -> tuple[list[list[int]], dict[str, torch.Tensor]]:
    """Four documents, one of them a lone end, and the window that they fill."""
    random = np.random.default_rng(8)
    documents = [[*random.integers(3, 300, size).tolist(), EOS] for size in (17, 0, 30, 13)]
    ids = np.array([token for document in documents for token in document])
    made = packed_example(np.append(ids, EOS), length=len(ids), eos=EOS)
    return documents, {name: tensor[None] for name, tensor in made.items()}


def logits_apart(model: Any, documents: list[list[int]]) -> torch.Tensor:
    """Logits of each document alone, side by side."""
    return torch.cat([model(input_ids=torch.tensor([d]), use_cache=False).logits[0] for d in documents])


@pytest.fixture(params=["eager", "sdpa"])
def plain(request: pytest.FixtureRequest, base: Path) -> Any:
    """The base in full precision with one implementation of attention; drawn wide, so that errors show."""
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=request.param)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)
    return model.eval()


@torch.no_grad()
def test_packed_logits_are_those_of_each_document_alone(plain: Any) -> None:
    documents, packed = packed_documents()
    found = plain(input_ids=packed["input_ids"], position_ids=packed["position_ids"], use_cache=False).logits[0]
    torch.testing.assert_close(found, logits_apart(plain, documents), rtol=0, atol=1e-5 * float(found.abs().max()))


@torch.no_grad()
@pytest.mark.parametrize("trap", [{"attention_mask": torch.ones(1, 64, dtype=torch.int64)}, {"use_cache": True}])
def test_a_mask_of_ones_or_a_cache_would_let_documents_see_each_other(plain: Any, trap: dict[str, Any]) -> None:
    documents, packed = packed_documents()
    assert packed["input_ids"].shape == (1, 64)
    inputs = {"input_ids": packed["input_ids"], "position_ids": packed["position_ids"], "use_cache": False}
    found = plain(**{**inputs, **trap}).logits[0]
    apart = logits_apart(plain, documents)
    assert (found - apart).abs().max() > 0.01 * apart.abs().max()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_training_sees_each_document_alone(make_model: Callable[..., Any], options: Pretrain, attention: str) -> None:
    model = make_model(msgspec.structs.replace(options, attention=attention))
    documents, packed = packed_documents()
    with without_dropout(model):
        found = model(**packed, reduction="none")["loss"][0]
        apart = []
        for document in documents:
            alone = packed_example(np.array([*document, EOS]), length=len(document), eos=EOS)
            apart.append(model(**{name: t[None] for name, t in alone.items()}, reduction="none")["loss"][0])
    torch.testing.assert_close(found, torch.cat(apart), rtol=0, atol=1e-5)
    assert found[packed["labels"][0] == IGNORE].eq(0).all()


def test_linear_layers_are_nf4_with_double_quantisation(make_model: Callable[..., Any]) -> None:
    model = make_model()
    quantised = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(quantised) == 7 * 2
    for layer in quantised:
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.quant_state.nested
        assert layer.weight.dtype == torch.uint8


def test_adapters_embedding_and_head_are_trained_and_nothing_else(make_model: Callable[..., Any]) -> None:
    model = make_model()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    kinds = {("lora_A" in n, "lora_B" in n, "modules_to_save" in n) for n in trained}
    assert kinds == {(True, False, False), (False, True, False), (False, False, True)}
    # per layer: q, k, v, o, gate, up, down, all 64 to 64 here; and two matrices of 384 x 64
    assert trainable_parameters(model) == 2 * 7 * 8 * (64 + 64) + 2 * 384 * 64
    assert all(weight.dtype == torch.float32 for weight in model.parameters() if weight.requires_grad)


def test_the_seed_decides_every_weight(tmp_path: Path, options: Pretrain, make_model: Callable[..., Any]) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_seed_base(tmp_path / name, options.model, vocabulary=320, seed=seed)
    first, again, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert first == again != other
    torch.manual_seed(99)  # the state that torch happens to be in must not matter
    left, right = make_model().state_dict(), make_model().state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left if isinstance(left[name], torch.Tensor))


def test_lora_on_a_base_that_is_not_quantised(make_model: Callable[..., Any], options: Pretrain) -> None:
    model = make_model(msgspec.structs.replace(options, method="lora"))
    assert not any(isinstance(m, bitsandbytes.nn.Linear4bit) for m in model.modules())
    _, packed = packed_documents()
    model(**packed)["loss"].backward()


def test_a_base_that_is_not_there_is_one_sentence(tmp_path: Path, options: Pretrain) -> None:
    with pytest.raises(InputError, match="no model there"):
        load_base(tmp_path / "nothing", options)


@pytest.mark.parametrize(
    ("hidden", "intermediate", "layers", "expected"), [(4096, 11008, 32, 612.893), (5120, 13824, 40, 816.579)]
)
def test_published_counts_of_trained_parameters(hidden: int, intermediate: int, layers: int, expected: float) -> None:
    # LLaMA-2 7B and 13B at 55,296 pieces, rank 64; the published figures are 612.9M and 816.6M
    shape = {"hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers}
    config = LlamaConfig(vocab_size=55_296, num_attention_heads=hidden // 128, **shape)
    with torch.device("meta"):
        model = attach_adapters(AutoModelForCausalLM.from_config(config), Pretrain(), seed=0)
    assert trainable_parameters(model) / 1e6 == pytest.approx(expected, abs=5e-4)
