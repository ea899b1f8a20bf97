"""Where adapters begin when it is not at zero: LoftQ and PiSSA.

Shape legend: O outputs, I inputs, r rank. An adapter adds s · B A to a weight W of shape (O, I), with A of shape
(r, I), B of shape (O, r), and s its scale.

    LoftQ   s · B A is the best approximation of rank r of W - Q(W), what quantisation lost. One round of the
            published algorithm, as for a base that is quantised already.
    PiSSA   s · B A is W's own best approximation of rank r, and is taken out of the frozen weight. An adapter that
            belongs to a changed base would be of no use to anybody, so it is written as one of rank 2r for the
            base as it came: W - s B₀A₀ + s B A = W + s [B, -B₀] [A; A₀].

Source: Li et al. 2023, LoftQ, arXiv 2310.08659; Meng et al. 2024, PiSSA, arXiv 2404.02948.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import cached_file

from siku_manifests.errors import InputError
from siku_manifests.sections import Pretrain

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PEFT_PREFIX = "base_model.model."


@torch.no_grad()
def low_rank(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factor the best approximation of a matrix, its singular values shared evenly.

    Args:
        matrix: shape (O, I), float32.
        rank: r.

    Returns:
        B of shape (O, r) and A of shape (r, I); B @ A is the approximation.
    """
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    roots = values[:rank].sqrt()
    return left[:, :rank] * roots, roots[:, None] * right[:rank]


@torch.no_grad()
def begin_with_loftq(model: PeftModel, base: str | Path, options: Pretrain) -> None:
    """Set each adapter to the best correction of what NF4 lost of its layer's weight.

    peft's own function forgets the adapters' scale, so that with alpha 16 and rank 64 a quarter is corrected.

    Raises:
        InputError: the base's weights in full precision are not there as safetensors.
    """
    read = base_reader(base, options)
    for name, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            weight = layer.get_base_layer().weight
            kept = dequantize_4bit(weight.data, weight.quant_state).float()
            lost = read(f"{name.removeprefix(PEFT_PREFIX)}.weight").to(kept) - kept
            second, first = low_rank(lost / layer.scaling["default"], options.rank)
            layer.lora_A["default"].weight.copy_(first)
            layer.lora_B["default"].weight.copy_(second)


def base_reader(base: str | Path, options: Pretrain) -> Callable[[str], Tensor]:
    """Give a function that reads one weight of a base by name, without loading the others.

    Raises:
        InputError: there is no safetensors file, now or when it is read.
    """

    def find(file: str) -> str | None:
        found = cached_file(
            str(base), file, revision=options.revision or None, _raise_exceptions_for_missing_entries=False
        )
        return str(found) if found else None

    index = find(INDEX)
    places = json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"] if index else {}

    def read(name: str) -> Tensor:
        path = find(places.get(name, WEIGHTS))
        try:
            if path is None:
                raise FileNotFoundError(WEIGHTS)
            with safe_open(path, framework="pt") as weights:
                tensor: Tensor = weights.get_tensor(name)
                return tensor
        except (OSError, SafetensorError) as error:
            msg = (
                f'[pretrain] adapter_start = "loftq" compares NF4 with the weights of {str(base)!r} in full precision, '
                f'and {name} is not there as safetensors ({error}); give such a base, or use adapter_start = "zero".'
            )
            raise InputError(msg) from error

    return read


def adapter_factors(model: PeftModel) -> dict[str, Tensor]:
    """Copy all adapters' matrices to the CPU, by the names they are saved under."""
    return {
        name.replace(".default.", "."): weight.detach().cpu().clone()
        for name, weight in model.named_parameters()
        if ".lora_A." in name or ".lora_B." in name
    }


def relative_to_base(
    weights: dict[str, Tensor], first: dict[str, Tensor], config: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Rewrite a PiSSA adapter of rank r as an ordinary one of rank 2r for the unchanged base.

    Args:
        weights: what was trained, by name; other weights than adapters' stay as they are.
        first: the adapters as they began.
        config: the adapter's configuration.

    Returns:
        Weights and configuration of the ordinary adapter.
    """
    made = dict(weights)
    for name, begun in first.items():
        if ".lora_A." in name:
            made[name] = torch.cat([weights[name], begun], dim=0)
        else:
            made[name] = torch.cat([weights[name], -begun], dim=1)
    rank = config["r"]
    scale = config["lora_alpha"] / (rank**0.5 if config["use_rslora"] else rank)
    changed = {"r": 2 * rank, "lora_alpha": scale * 2 * rank, "use_rslora": False, "init_lora_weights": True}
    return made, {**config, **changed}
