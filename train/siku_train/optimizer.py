"""Which parameters learn at which rate: adapters, their second matrices (LoRA+), embedding and head.

Source: Hayou, Ghosh, Yu 2024, LoRA+, arXiv 2402.12354.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from siku_manifests.sections import Pretrain

Group = dict[str, Any]


def parameter_groups(named: Iterable[tuple[str, Tensor]], embeddings: Sequence[str], options: Pretrain) -> list[Group]:
    """Sort trained parameters into groups with a learning rate each.

    Args:
        named: names and parameters; those that are not trained are passed over.
        embeddings: last parts of the names of embedding and head.
        options: learning_rate, embedding_learning_rate, lora_plus.

    Returns:
        Adapters (or, without adapters, all other weights), then embedding and head, and with `lora_plus` the
        adapters' second matrices; the form that torch's optimisers take.
    """
    base, rows, second = [], [], []
    for name, weight in named:
        if weight.requires_grad:
            if any(f".{part}." in f".{name}" for part in embeddings):
                rows.append(weight)
            elif ".lora_B." in name and options.lora_plus != 1:
                second.append(weight)
            else:
                base.append(weight)
    rate = options.learning_rate
    groups = [
        {"params": base, "lr": rate},
        {"params": rows, "lr": options.embedding_learning_rate or rate},
        {"params": second, "lr": rate * options.lora_plus},
    ]
    return [group for group in groups if group["params"]]
