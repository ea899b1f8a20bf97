"""Cross entropy in chunks of positions, never the whole logit matrix, and bits per byte.

Shape legend: N positions, H hidden size, V vocabulary, C positions of one chunk.

At V = 55,296 the logits of 2,048 positions are 453 MB in float32, and the textbook loss keeps two
or three such matrices alive. Here a chunk's logits live for the length of one loop body: the forward
pass takes the loss and both gradients from them at once, which also saves the recomputation that a
checkpointed chunk needs (three matrix products instead of four).
"""

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from siku_manifests.errors import RecipeError
from siku_train.separation import Way, hidden_states

NORMALISED_HEAD = "NormHead"
"""Class of Baichuan2's head, which scales each of its rows to length 1 before use."""

IGNORE = -100
"""Label of a position that is not learned: across a document border, or padding."""

CHUNK_BYTES = 32 * 2**20
"""Size of one chunk of float32 logits; the gradient of the head is read and written once a chunk."""

GPU_CHUNK_BYTES = 256 * 2**20
"""The same on a GPU, where a larger product is faster and 256 MB are little beside a gradient of 900."""


def chunk_rows(vocabulary: int, device: str = "cpu") -> int:
    """Count the positions whose float32 logits fill a chunk; at least 16.

    Example:
        chunk_rows(55296) -> 151
    """
    return max(16, (CHUNK_BYTES if device == "cpu" else GPU_CHUNK_BYTES) // (4 * vocabulary))


def product_dtype(hidden: Tensor) -> torch.dtype:
    """Give the numbers of the head's products: autocast's where it is on, else those of the hidden states.

    Autocast does not reach into a backward pass that is computed by hand.
    """
    device = hidden.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype


class _SummedCrossEntropy(torch.autograd.Function):
    """Sum of negative log-likelihoods with gradients taken in the forward pass."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, rows: int) -> Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if wants_weight else None
        dtype = product_dtype(hidden)
        head = weight.to(dtype)  # once, where autocast would cast it for every chunk
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, hidden.shape[0], rows):
                chunk, targets = hidden[start : start + rows].to(dtype), labels[start : start + rows, None]
                scores = functional.log_softmax((chunk @ head.T).float(), dim=-1)
                total -= scores.gather(1, targets).sum()
                # d(-log p[target]) / d(logits) = p - onehot(target), written over the scores
                scores.exp_().scatter_add_(1, targets, scores.new_full(targets.shape, -1.0))
                slopes = scores.to(dtype)
                if grad_hidden is not None:
                    grad_hidden[start : start + rows] = slopes @ head
                if grad_weight is not None and dtype == torch.float32:
                    grad_weight.addmm_(slopes.T, chunk)
                elif grad_weight is not None:
                    grad_weight += slopes.T @ chunk
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        (scale,) = upstream
        if grad_hidden is not None:
            grad_hidden = grad_hidden.mul_(scale)
        if grad_weight is not None:
            grad_weight = grad_weight.mul_(scale).to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None, None


def summed_loss(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Sum the negative log-likelihoods of `labels`, differentiable, without the full logits.

    Args:
        hidden: shape (..., H), the last hidden states.
        weight: shape (V, H), the output head; it has no bias.
        labels: shape (...), int64, already shifted: the id that follows each position, or `IGNORE`.

    Returns:
        A float32 scalar in nats; divide by the number of labels that are not `IGNORE`.
    """
    counted = labels.reshape(-1) != IGNORE
    rows = hidden.reshape(-1, hidden.shape[-1])[counted]
    targets = labels.reshape(-1)[counted]
    liger = liger_loss() if hidden.is_cuda else None
    if liger is not None:
        dtype = product_dtype(hidden)
        found: Tensor = liger(weight.to(dtype), rows.to(dtype), targets)
        return found
    apply: Callable[..., Tensor] = _SummedCrossEntropy.apply
    return apply(rows, weight, targets, chunk_rows(weight.shape[0], hidden.device.type))


@functools.cache
def liger_loss() -> Callable[..., Tensor] | None:
    """Give Liger's fused loss, summed, where it is installed: its kernels are for GPUs, and it is no dependency."""
    try:
        module = importlib.import_module("liger_kernel.transformers.fused_linear_cross_entropy")
    except ImportError:
        return None
    made: Callable[..., Tensor] = module.LigerFusedLinearCrossEntropyLoss(ignore_index=IGNORE, reduction="sum")
    return made


@torch.no_grad()
def position_losses(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """Negative log-likelihood of each label in nats, float32, of the shape of `labels`; 0 where ignored."""
    counted = labels.reshape(-1) != IGNORE
    rows = hidden.reshape(-1, hidden.shape[-1])[counted]
    targets = labels.reshape(-1)[counted]
    found = torch.empty(targets.shape, dtype=torch.float32, device=hidden.device)
    dtype = product_dtype(hidden)
    head = weight.to(dtype)
    step = chunk_rows(weight.shape[0], hidden.device.type)
    for start in range(0, rows.shape[0], step):
        scores = (rows[start : start + step].to(dtype) @ head.T).float()
        found[start : start + step] = functional.cross_entropy(scores, targets[start : start + step], reduction="none")
    losses = torch.zeros(labels.numel(), dtype=torch.float32, device=hidden.device)
    losses[counted] = found
    return losses.reshape(labels.shape)


def use_chunked_loss(model: Any, way: Way = "positions") -> None:
    """Let a causal language model compute its loss here whenever it is given labels.

    `model(input_ids=…, position_ids=…, labels=…)` then returns `{"loss": …}`: the sum over labels, or with
    `reduction="none"` one value a position (without gradients). Labels are already shifted. Without labels the
    model's own forward pass runs, so that generating text works as ever. The method of the instance is
    replaced, which peft's and torch's wrappers call in the end, as Liger's patches do.

    Args:
        model: a transformers model whose head is one matrix without bias.
        way: how documents of a window are kept apart in it.

    Raises:
        RecipeError: the head is something else.
    """
    head = model.get_output_embeddings()
    normalises = type(head).__name__ == NORMALISED_HEAD
    if not (isinstance(head, nn.Linear) or normalises) or getattr(head, "bias", None) is not None:
        msg = (
            f"[pretrain] base: the output head of {type(model).__name__} is {type(head).__name__}, and the loss in "
            f"chunks needs one matrix without bias; use a base of the LLaMA, Qwen, InternLM or Mistral family."
        )
        raise RecipeError(msg)
    own_forward = model.forward

    def forward(*args: Any, labels: Tensor | None = None, reduction: str = "sum", **inputs: Any) -> Any:
        if labels is None:
            return own_forward(*args, **inputs)
        hidden = hidden_states(model, inputs["input_ids"], inputs["position_ids"], way)
        weight = model.get_output_embeddings().weight  # asked for now: an adapter may have replaced it
        if normalises:
            weight = functional.normalize(weight)
        compute = summed_loss if reduction == "sum" else position_losses
        return {"loss": compute(hidden, weight, labels)}

    model.forward = forward


@torch.no_grad()
def check_own_logits(model: Any) -> None:
    """See that a model's head does no more than one matrix does: the loss in chunks must be that of its own logits.

    Args:
        model: after `use_chunked_loss`, without dropout.

    Raises:
        RecipeError: it scales or caps its logits, as Granite, Cohere and Gemma do, and would be trained for another
            loss than its own.
    """
    ids = torch.arange(16, device=model.device)[None]
    inputs = {"input_ids": ids, "position_ids": ids}
    own = functional.cross_entropy(model(**inputs, use_cache=False).logits[0].float(), ids[0], reduction="none")
    here = model(**inputs, labels=ids, reduction="none")["loss"][0]
    if not torch.allclose(here, own, rtol=0.02, atol=0.02):
        msg = (
            f"[pretrain] base: {type(model).__name__} does more with its logits than one matrix does, and the loss in "
            f"chunks is not its own (up to {float((here - own).abs().max()):.2g} nats off); use another family "
            f"(docs/families.md)."
        )
        raise RecipeError(msg)


def bits_per_byte(nats: float, utf8_bytes: int) -> float:
    """Turn the summed negative log-likelihood of a text into bits per UTF-8 byte of that same text.

    The figure does not depend on the vocabulary, unlike perplexity per token. End-of-document pieces
    stand for no byte, so neither their loss nor a length of theirs may be in the arguments.

    Example:
        bits_per_byte(math.log(2) * 24, 12) -> 2.0
    """
    return nats / math.log(2) / utf8_bytes if utf8_bytes else math.nan
