"""How fast a run is and what it needs, while it runs: tokens a second, share of the card's peak, memory."""

import resource
import time

import torch
from torch import nn

from siku_train.cards import Card, recognise


class Meter:
    """Measures a run.

    Args:
        flops: floating-point operations for each token that the model cannot do without (`model_flops`).
        card: what it runs on; None where the peak is not known.
    """

    def __init__(self, flops: float, card: Card | None) -> None:
        self.flops = flops
        self.card = card
        self.seconds = 0.0
        """Spent in training steps so far, over all of a run's processes in time; evaluation and saving left out."""
        self._fresh_seconds = 0.0
        self._fresh_tokens = 0
        self._begun = 0.0

    def start(self) -> None:
        """A step begins."""
        self._begun = time.monotonic()

    def stop(self, tokens: int) -> None:
        """A step of so many tokens, over all processes, has ended."""
        spent = time.monotonic() - self._begun
        self.seconds += spent
        self._fresh_seconds += spent
        self._fresh_tokens += tokens

    def values(self, *, devices: int = 1) -> dict[str, float]:
        """Give `tokens_per_second`, `memory_gb` (the peak) and, on a card that is known, `mfu` (0 … 1)."""
        speed = self._fresh_tokens / self._fresh_seconds if self._fresh_seconds else 0.0
        found = {"tokens_per_second": speed, "memory_gb": peak_memory() / 1e9}
        if self.card:
            found["mfu"] = speed * self.flops / (devices * self.card.teraflops * 1e12)
        return found


def note(loss: float, values: dict[str, float]) -> str:
    """Write the end of a progress line.

    Example:
        "loss 3.214, 1,150 tokens/s, MFU 38%, 21.4 GB"
    """
    parts = [f"loss {loss:.3f}", f"{values['tokens_per_second']:,.0f} tokens/s"]
    if "mfu" in values:
        parts.append(f"MFU {values['mfu']:.0%}")
    return ", ".join([*parts, f"{values['memory_gb']:.1f} GB"])


def peak_memory() -> int:
    """Give the most bytes that were in use at once: on the GPU, or else by this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


def this_card() -> Card | None:
    """Recognise the card in use; None on a CPU."""
    return recognise(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def model_flops(model: nn.Module) -> float:
    """Count the operations of one token forward and backward, recomputation and attention's own left out.

    Two for each weight of a matrix product forward, two for the gradient of its input, and two for the gradient of
    the weight where that is trained: 4 or 6 (Kaplan and others 2020, section 2.1, for the 6).
    """
    found = 0.0
    for name, module in model.named_modules():
        if name.endswith(".original_module"):  # peft's frozen head, which the trained one stands in for
            continue
        if isinstance(module, nn.Linear):  # bitsandbytes' Linear4bit too, whose weight tells half its size
            trained = module.weight.requires_grad
            found += (6 if trained else 4) * module.in_features * module.out_features
    return found
