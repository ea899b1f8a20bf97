"""What an estimate of memory counts, beside what torch really holds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from siku_manifests.sections import Pretrain
from siku_train.memory import (
    NF4_BYTES,
    Setup,
    largest_batch,
    largest_length,
    layer_bytes,
    peak_bytes,
    recipe_setup,
    static_parts,
    trained_parameters,
)
from siku_train.shape import PUBLISHED, Shape, measure_shape, published_name, read_shape

TOKENS = 256
RANK = 16


def small(layers: int, heads: int = 4, **more: Any) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=320,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=heads,
        use_cache=False,
        **more,
    )
    return LlamaForCausalLM(config)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")
def adapted(layers: int, *, dropout: float, heads: int, mixed: bool) -> tuple[Any, Shape]:
    """A LLaMA with LoRA on all linear layers and a trained embedding; with `mixed` its base is in bfloat16."""
    base = small(layers, heads)
    shape = measure_shape(base, name="small")
    lora = LoraConfig(r=RANK, lora_dropout=dropout, target_modules=list(shape.linears), task_type="CAUSAL_LM")
    model = get_peft_model(base, lora).train()
    model.get_base_model().model.embed_tokens.weight.requires_grad_(True)
    if mixed:
        model.to(torch.bfloat16)
        for weight in model.parameters():
            weight.data = weight.data.float() if weight.requires_grad else weight.data
    return model, shape


def saved_bytes(model: Any, *, mixed: bool) -> int:
    """Bytes that the decoder keeps for its backward pass, weights not among them."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(0, 320, (2, TOKENS // 2))
    positions = torch.arange(TOKENS // 4).repeat(2).expand(2, TOKENS // 2)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        model.get_base_model().model(input_ids=ids, position_ids=positions)
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")
@pytest.mark.parametrize(
    ("dropout", "heads", "mixed"), [(0.0, 4, False), (0.1, 4, False), (0.1, 2, False), (0.0, 4, True), (0.1, 4, True)]
)
def test_a_layers_activations_are_what_torch_saves(dropout: float, heads: int, mixed: bool) -> None:
    two, _ = adapted(2, dropout=dropout, heads=heads, mixed=mixed)
    three, shape = adapted(3, dropout=dropout, heads=heads, mixed=mixed)
    measured = (saved_bytes(three, mixed=mixed) - saved_bytes(two, mixed=mixed)) / TOKENS
    # on a CPU dropout remembers a float for each input, on a GPU a byte
    setup = Setup(
        method="lora", rank=RANK, compute_bytes=2 if mixed else 4, dropout_bytes=4.0 if dropout else 0.0, stream_bytes=4
    )
    assert layer_bytes(shape, setup) == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("tied", [False, True])
def test_weights_are_counted_one_by_one(tied: bool) -> None:
    model = small(2, heads=2, tie_word_embeddings=tied)
    shape = measure_shape(model, name="small")
    everything = sum(weight.numel() for weight in model.parameters())
    assert shape.linear_parameters + shape.embedding_parameters + shape.others == everything
    setup = Setup(method="full", originals=False)
    assert sum(trained_parameters(shape, setup)) == everything
    parts = static_parts(shape, setup)
    assert sum(parts.values()) == 16 * everything
    assert parts["optimiser"] == 8 * everything


def test_an_adapted_model_holds_what_is_counted(make_model: Any, options: Pretrain) -> None:
    model = make_model()
    base = model.get_base_model()
    linears = {"q_proj": (64, 64, 8), "gate_proj": (64, 64, 6)}  # all of this model's layers are 64 wide
    shape = Shape(
        name="conftest", layers=2, hidden=64, attention=64, intermediate=64, vocabulary=384, tied=False,
        linears=linears, others=5 * 64,
    )  # fmt: skip
    setup = recipe_setup(options, dtype="float32")
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert sum(trained_parameters(shape, setup)) == sum(weight.numel() for weight in trained)
    optimizer = torch.optim.AdamW(trained)
    for weight in trained:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    states = [s for state in optimizer.state.values() for s in state.values() if s.ndim]
    parts = static_parts(shape, setup)
    assert parts["optimiser"] == sum(state.nbytes for state in states)
    assert parts["gradients"] == sum(weight.grad.nbytes for weight in trained)
    packed = [weight for name, weight in base.named_parameters() if name.endswith("base_layer.weight")]
    assert parts["frozen weights of the layers"] == sum(weight.nbytes for weight in packed)


def test_nf4_with_double_quantisation_is_four_bits_and_an_eighth() -> None:
    bits = 8 * NF4_BYTES
    assert bits == pytest.approx(4.127, abs=1e-3)  # the QLoRA paper: 0.127 bits for the constants


@pytest.mark.parametrize(("name", "published"), [("llama-2-7b", 612.9), ("llama-2-13b", 816.6)])
def test_trained_parameters_are_as_the_reference_says(name: str, published: float) -> None:
    shape = read_shape(PUBLISHED[name], name=name, vocabulary=55_296)
    assert sum(trained_parameters(shape, Setup())) / 1e6 == pytest.approx(published, abs=0.05)


BILLIONS = {
    "llama-2-7b": 6.738,
    "llama-2-13b": 13.016,
    "llama-3.1-8b": 8.030,
    "mistral-7b": 7.242,
    "qwen-7b": 7.721,
    "qwen2.5-7b": 7.616,
    "qwen3-8b": 8.191,
    "baichuan2-7b": 7.506,
    "internlm2-7b": 7.738,
    "falcon-7b": 6.922,
}


@pytest.mark.parametrize(("name", "billions"), BILLIONS.items())
def test_published_shapes_have_the_published_size(name: str, billions: float) -> None:
    shape = read_shape(PUBLISHED[name], name=name)
    whole = shape.linear_parameters + shape.embedding_parameters + shape.others
    assert whole / 1e9 == pytest.approx(billions, abs=0.001)


def test_names_on_the_hub_are_recognised() -> None:
    assert published_name("meta-llama/Llama-2-7b-hf") == "llama-2-7b"
    assert published_name("baichuan-inc/Baichuan2-7B-Base") == "baichuan2-7b"
    assert published_name("mistralai/Mistral-7B-v0.1") == "mistral-7b"


def test_what_is_said_to_fit_fits_and_one_more_does_not() -> None:
    shape = read_shape(PUBLISHED["llama-2-7b"], name="7B", vocabulary=55_296)
    room = 24e9
    batch = largest_batch(shape, Setup(), room)
    assert peak_bytes(shape, Setup(batch=batch)) <= room < peak_bytes(shape, Setup(batch=batch + 1))
    length = largest_length(shape, Setup(), room)
    assert peak_bytes(shape, Setup(length=length)) <= room < peak_bytes(shape, Setup(length=length + 64))


def test_fewer_adapters_and_shared_weights_need_less() -> None:
    shape = read_shape(PUBLISHED["llama-2-7b"], name="7B")
    assert trained_parameters(shape, Setup(targets=("q_proj", "v_proj")))[0] == 64 * 32 * 4 * 4096
    assert peak_bytes(shape, Setup(targets=("q_proj", "v_proj"))) < peak_bytes(shape, Setup()) - 1e9
    whole, half = (sum(static_parts(shape, Setup(shards=shards)).values()) for shards in (1, 2))
    assert half == pytest.approx(whole / 2)
    options = Pretrain(processes=4, sharding="full", targets=("q_proj",))
    assert (recipe_setup(options, dtype="bfloat16").shards, recipe_setup(options, dtype="bfloat16").targets) == (
        4,
        ("q_proj",),
    )


def test_each_saving_saves() -> None:
    shape = read_shape(PUBLISHED["llama-2-7b"], name="7B", vocabulary=55_296)
    usual = peak_bytes(shape, Setup(batch=6))
    assert peak_bytes(shape, Setup(batch=6, logit_bytes=16)) > usual + 2e9
    assert peak_bytes(shape, Setup(batch=6, checkpointing=False)) > usual + 10e9
    assert peak_bytes(shape, Setup(batch=6, state_bytes=2.03)) < usual - 3e9
    assert peak_bytes(shape, Setup(batch=6, method="lora", weight_bytes=2)) > usual + 9e9
