"""Methods and their options: what each changes, what is refused, and that a start other than zero is worth its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bitsandbytes
import msgspec
import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.sections import Pretrain
from siku_train.adapters import trainable_parameters
from siku_train.build import write_model
from siku_train.checkpoint import trained_weights
from siku_train.embeddings import NewPieces
from siku_train.methods import check_method
from siku_train.model import build_model
from siku_train.optimizer import parameter_groups
from siku_train.plan import Plan
from siku_train.pretrain import PretrainTrainer
from siku_train.starts import PEFT_PREFIX, adapter_factors, base_reader, low_rank
from siku_train.windows import packed_example

change = msgspec.structs.replace
Make = Callable[..., Any]


def window() -> dict[str, torch.Tensor]:
    ids = np.array([*range(20, 50), 2, *range(60, 93), 2])
    return {name: tensor[None] for name, tensor in packed_example(ids, length=64, eos=2).items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "full", "dora": True}, r"dora is an option of adapters, .* leave it out or use method = \"lora\""),
        ({"method": "full", "targets": ("q_proj",)}, "targets is an option of adapters"),
        ({"adapter_start": "pissa"}, r'"pissa" takes .* use method = "lora", or adapter_start = "loftq"'),
        ({"adapter_start": "loftq", "method": "lora"}, r'"loftq" corrects what NF4 loses, .* use method = "qlora"'),
        ({"adapter_start": "loftq", "dora": True}, 'dora = true measures .* use adapter_start = "zero"'),
        ({"lora_plus": 0.0}, "lora_plus = 0 is no factor"),
        ({"processes": 3, "accumulation": 4}, r"processes = 3 do not divide accumulation = 4"),
        ({"sharding": "full"}, "set processes to the number of GPUs"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(options: Pretrain, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=rf"^\[pretrain\] .*{message}.*\.$") as caught:
        check_method(change(options, **changes))
    assert caught.value.exit_status == 2


def test_scales_of_adapters(make_model: Make, options: Pretrain) -> None:
    for changes, expected in (({}, 16 / 8), ({"rslora": True}, 16 / 8**0.5)):
        model = make_model(change(options, method="lora", **changes))
        assert model.get_submodule("base_model.model.model.layers.0.mlp.up_proj").scaling["default"] == expected


def test_dora_trains_the_length_of_rows(make_model: Make, options: Pretrain) -> None:
    plain, dora = (make_model(change(options, dora=dora, dropout=0.0)) for dora in (False, True))
    assert trainable_parameters(dora) - trainable_parameters(plain) == 2 * 7 * 64
    batch = window()
    with torch.no_grad():
        # it begins as the base does
        torch.testing.assert_close(dora(**batch)["loss"], plain(**batch)["loss"], rtol=1e-5, atol=0)
    dora(**batch)["loss"].backward()
    lengths = [weight for name, weight in dora.named_parameters() if "magnitude" in name]
    assert len(lengths) == 14
    assert all(weight.grad.abs().sum() > 0 for weight in lengths)


def test_chosen_targets_only(make_model: Make, options: Pretrain) -> None:
    model = make_model(change(options, targets=("q_proj", "v_proj")))
    adapted = {name.split(".lora_A")[0].rpartition(".")[2] for name, _ in model.named_parameters() if "lora_A" in name}
    assert adapted == {"q_proj", "v_proj"}


def test_frozen_embeddings_leave_the_adapters_alone(
    make_model: Make, base: Path, options: Pretrain, tmp_path: Path
) -> None:
    chosen = change(options, embeddings="frozen")
    with pytest.raises(RecipeError, match=r'embeddings = "frozen" leaves the rows of new pieces as they began; use'):
        make_model(chosen)
    model = build_model(base, chosen, pieces=NewPieces(320, []), seed=3)
    assert {name.rpartition(".lora_")[1] for name, w in model.named_parameters() if w.requires_grad} == {".lora_"}
    model(**window())["loss"].backward()
    assert model.get_output_embeddings().weight.grad is None
    groups = parameter_groups(model.named_parameters(), ("embed_tokens", "lm_head"), chosen)
    assert [len(group["params"]) for group in groups] == [28]


def test_lora_plus_and_embeddings_have_rates_of_their_own(make_model: Make, options: Pretrain) -> None:
    chosen = change(options, lora_plus=16.0, learning_rate=1e-3, embedding_learning_rate=5e-3)
    model = make_model(chosen)
    groups = parameter_groups(model.named_parameters(), ("embed_tokens", "lm_head"), chosen)
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(14, 1e-3), (2, 5e-3), (14, 16e-3)]
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert all(".lora_B." in names[id(weight)] for weight in groups[2]["params"])


def test_full_trains_every_weight(
    make_model: Make, make_plan: Callable[..., Plan], options: Pretrain, tmp_path
) -> None:
    chosen = change(options, method="full", learning_rate=1e-3)
    model = make_model(chosen)
    assert not isinstance(model, PeftModel)
    assert trainable_parameters(model) == sum(weight.numel() for weight in model.parameters())
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    result = PretrainTrainer(model, make_plan(chosen), tmp_path).run()
    assert result.after["even"].loss < result.before["even"].loss
    assert all(not torch.equal(before[name], weight) for name, weight in model.named_parameters())
    write_model(model, tmp_path, base="base", weights=trained_weights(model), begun={})
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())
    # and it goes on from its checkpoint
    resumed = PretrainTrainer(make_model(chosen), make_plan(change(chosen, tokens=64 * 2 * 9)), tmp_path)
    resumed.run()
    assert resumed._initial_global_step == 8


def test_gradient_checkpointing_changes_no_gradient(make_model: Make, options: Pretrain) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = make_model(change(options, gradient_checkpointing=checkpointing))
        assert model.get_base_model().is_activation_checkpointing == checkpointing
        torch.manual_seed(4)  # dropout draws again in the second pass, and the same
        model(**window())["loss"].backward()
        gradients.append([weight.grad for weight in model.parameters() if weight.requires_grad])
    assert all(map(torch.equal, *gradients))


@pytest.mark.parametrize("optimizer", ["adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit"])
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_optimizers_of_the_recipe_learn(
    make_model: Make, make_plan: Callable[..., Plan], options: Pretrain, tmp_path: Path, optimizer: Any
) -> None:
    chosen = change(options, optimizer=optimizer, dropout=0.0)
    result = PretrainTrainer(make_model(chosen), make_plan(chosen), tmp_path).run()
    assert result.after["even"].loss < 0.95 * result.before["even"].loss


def test_low_rank_is_the_best_of_its_rank() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(12, 9)
    second, first = low_rank(matrix, 4)
    assert (second.shape, first.shape) == ((12, 4), (4, 9))
    rest = torch.linalg.svdvals(matrix)[4:]
    torch.testing.assert_close((matrix - second @ first).norm(), rest.norm())


def test_loftq_corrects_what_nf4_lost(make_model: Make, options: Pretrain, base: Path) -> None:
    zero, begun = (make_model(change(options, adapter_start=start)) for start in ("zero", "loftq"))
    read = base_reader(base, options)
    for name in ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"):
        exact = read(f"{name}.weight")
        layer = begun.get_submodule(PEFT_PREFIX + name)
        state = layer.get_base_layer().weight
        lost = exact - bitsandbytes.functional.dequantize_4bit(state.data, state.quant_state)
        left = lost - layer.get_delta_weight("default")
        # no matrix of rank 8 can correct more: what is left is the tail of the singular values
        torch.testing.assert_close(left.norm(), torch.linalg.svdvals(lost)[8:].norm(), rtol=1e-4, atol=0)
    assert trainable_parameters(zero) == trainable_parameters(begun)


def test_loftq_without_the_exact_weights_is_one_sentence(tmp_path: Path, options: Pretrain) -> None:
    with pytest.raises(InputError, match=r"adapter_start = \"loftq\" compares NF4 .* not there as safetensors"):
        base_reader(tmp_path, options)("model.layers.0.mlp.up_proj.weight")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")
def test_pissa_begins_as_the_base_and_ends_as_an_adapter_of_it(
    make_model: Make, make_plan: Callable[..., Plan], options: Pretrain, base: Path, tmp_path: Path
) -> None:
    chosen = change(options, method="lora", adapter_start="pissa", rslora=True, dropout=0.0, learning_rate=1e-3)
    model, zero = make_model(chosen), make_model(change(chosen, adapter_start="zero"))
    batch = window()
    with torch.no_grad():
        torch.testing.assert_close(model(**batch)["loss"], zero(**batch)["loss"], rtol=1e-5, atol=0)
    begun = adapter_factors(model)
    trainer = PretrainTrainer(model, make_plan(chosen), tmp_path)
    trainer.run()
    write_model(model, tmp_path, base=str(base), weights=trained_weights(model), begun=begun)
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert (config["r"], config["use_rslora"], config["init_lora_weights"]) == (16, False, True)
    # peft alone, on the base as it came, gives what the trained model gives
    plain = AutoModelForCausalLM.from_pretrained(base)
    plain.resize_token_embeddings(384, mean_resizing=False)
    loaded = PeftModel.from_pretrained(plain, str(tmp_path / "adapter"))
    ids, positions = batch["input_ids"], batch["position_ids"]
    with torch.no_grad():
        expected = model(input_ids=ids, position_ids=positions, use_cache=False).logits
        found = loaded(input_ids=ids, position_ids=positions, use_cache=False).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_pissa_resumes_as_if_it_had_never_stopped(
    make_model: Make,
    make_plan: Callable[..., Plan],
    options: Pretrain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = change(options, method="lora", adapter_start="pissa")

    def start(name: str) -> PretrainTrainer:
        (tmp_path / name).mkdir(exist_ok=True)
        return PretrainTrainer(make_model(chosen), make_plan(chosen), tmp_path / name)

    whole, stopped = start("whole"), start("stopped")
    whole.run()
    own, steps = stopped.training_step, []

    def step(*args: Any) -> Any:
        steps.append(1)
        if len(steps) == 9:  # after the checkpoint of step 3
            raise KeyboardInterrupt
        return own(*args)

    monkeypatch.setattr(stopped, "training_step", step)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    resumed = start("stopped")
    resumed.run()
    assert resumed._initial_global_step == 3
    # the part that was taken out of the base is computed anew, and must be the same to the bit
    assert all(map(torch.equal, whole.model.state_dict().values(), resumed.model.state_dict().values()))
