"""Adapters: LoRA on a base's linear layers, embedding and head trained beside them.

Names are found in the model, not looked up: a family is its layers' names, and those are in the model.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain

KNOWN_TO_PEFT = "embed_tokens"
"""The one name of an embedding with which peft ties a trained head to it by itself."""


def embedding_names(model: Any) -> tuple[str, ...]:
    """Name the modules of embedding and head as the model's family does.

    Example:
        LLaMA -> ("embed_tokens", "lm_head")
    """
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    return tuple(
        name.rpartition(".")[2] for layer in wanted for name, module in model.named_modules() if module is layer
    )


def linear_names(model: Any) -> tuple[str, ...]:
    """Name the linear layers that get an adapter: all of them but the head.

    Example:
        LLaMA -> ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
        Baichuan -> ("W_pack", "down_proj", "gate_proj", "o_proj", "up_proj")
    """
    head = model.get_output_embeddings()
    return tuple(
        sorted(
            {
                name.rpartition(".")[2]
                for name, module in model.named_modules()
                if isinstance(module, nn.Linear) and module is not head
            }
        )
    )


def chosen_targets(model: Any, options: Pretrain) -> tuple[str, ...]:
    """Name the layers that get an adapter: those that the recipe names, or all linear layers.

    Raises:
        RecipeError: the recipe names a layer that the model does not have.
    """
    there = linear_names(model)
    missing = sorted(set(options.targets) - set(there))
    if missing:
        msg = (
            f"[pretrain] targets: {type(model).__name__} has no linear layer {missing[0]!r}; it has {', '.join(there)}."
        )
        raise RecipeError(msg)
    return tuple(sorted(set(options.targets))) or there


def attach_adapters(model: Any, options: Pretrain, *, seed: int) -> PeftModel:
    """Freeze the base, add LoRA to its linear layers, and train these, embedding and head in float32.

    Args:
        model: from `load_base`, its vocabulary extended.
        options: rank, alpha, dropout, targets, embeddings, rslora, dora, adapter_start.
        seed: decides the adapters' first weights.

    Raises:
        RecipeError: the recipe names a layer that the model does not have.
    """
    embedding, *head = embedding_names(model)
    trained, tied = options.embeddings == "trained", bool(model.config.tie_word_embeddings)
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=list(chosen_targets(model, options)),
        modules_to_save=[embedding, *head] if trained else None,
        use_rslora=options.rslora,
        use_dora=options.dora,
        init_lora_weights="pissa" if options.adapter_start == "pissa" else True,
        ensure_weight_tying=trained and tied and embedding == KNOWN_TO_PEFT,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), _quiet_peft():
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config)
    if trained and tied:
        _tie_trained(model)
    return train_in_float32(adapted)


@contextmanager
def _quiet_peft() -> Iterator[None]:
    with warnings.catch_warnings():
        # peft asks transformers by a name that transformers has deprecated
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        # and advises against training a tied head, which is made right below it
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        yield


def _tie_trained(model: Any) -> None:
    """Let a tied head and its embedding be one trained parameter again; peft makes a copy of each."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    head.modules_to_save["default"].weight = embedding.modules_to_save["default"].weight


def train_in_float32(model: Any) -> Any:
    """Keep what is trained in float32, since Adam's second moment of a half-precision parameter underflows."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model.train()


def core_model(model: Any) -> Any:
    """The transformers model inside a peft model, or the model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def trainable_parameters(model: nn.Module) -> int:
    """Count the parameters that training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
