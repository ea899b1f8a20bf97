"""Stops a run whose loss is not a number or leaps, before it spoils what was learned.

A step's loss is compared with the median of the steps before it, so that one odd batch does not move the level
itself. The level is read back from `losses.jsonl`, so a resumed run judges exactly as one that never stopped.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from siku_manifests.errors import TrainingStopped

REMEMBERED = 64
"""Steps that the level is taken from."""
FEWEST = 16
"""Steps before a leap can be told from the usual noise."""
SPREADS = 8.0
"""A leap is also this many times the median distance of the remembered losses from their median: where single
windows of quite different sources follow each other, losses differ by more than any fixed number."""


class LossGuard:
    """Judges the loss of each optimiser step.

    Args:
        leap: nats per token above the level that stop a run; 0 stops for nothing but what is no number.
        losses: of the steps so far, oldest first.
    """

    def __init__(self, leap: float, losses: Iterable[float] = ()) -> None:
        self.leap = leap
        self._recent = deque(losses, maxlen=REMEMBERED)

    def check(self, step: int, loss: float, *, documents: Callable[[], str], newest: Path | None) -> None:
        """Take the loss of a step, or stop.

        Args:
            step: its number, from 1.
            loss: nats per token.
            documents: names those of the step, for the message.
            newest: the checkpoint that a run would go on from.

        Raises:
            TrainingStopped: the loss is not a number, or leaps.
        """
        what = ""
        if not math.isfinite(loss):
            what = "is no number to go on with"
        elif self.leap and len(self._recent) >= FEWEST:
            level = median(self._recent)
            spread = median(abs(known - level) for known in self._recent)
            if loss > level + max(self.leap, SPREADS * spread):
                what = f"leaps from a level of {level:.2f}"
        if what:
            go_on = "; --set pretrain.max_loss_leap=0 goes on regardless" if math.isfinite(loss) else ""
            msg = (
                f"the loss of step {step} is {loss:.4g}, which {what}; its documents: {documents()}. The newest "
                f"checkpoint ({newest or 'none yet'}) is from before it. Look at these documents or lower [pretrain] "
                f"learning_rate or max_grad_norm, which begins anew{go_on}."
            )
            raise TrainingStopped(msg)
        self._recent.append(loss)
