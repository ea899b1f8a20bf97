"""Stops a run whose loss is not a number or leaps, before it spoils what was learned.

A step's loss is compared with the highest of the steps before it and not with their mean: where single windows of
quite different sources follow each other, losses keep to several levels. The steps before it are read back from
`losses.jsonl`, so a resumed run judges exactly as one that never stopped.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from siku_manifests.errors import TrainingStopped

REMEMBERED = 64
"""Steps that a loss is compared with."""
FEWEST = 16
"""Steps before all sources have been seen; until then a leap must also be beyond `EARLY` times the highest loss."""
EARLY = 3.0


class LossGuard:
    """Judges the loss of each optimiser step.

    Args:
        leap: nats per token above the highest of the steps before that stop a run; 0 stops only for no number.
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
        elif self.leap and loss > self._limit():
            what = f"leaps over the {max(self._recent):.2f} of the steps before it"
        if what:
            go_on = "; --set pretrain.max_loss_leap=0 goes on regardless" if math.isfinite(loss) else ""
            msg = (
                f"the loss of step {step} is {loss:.4g}, which {what}; its documents: {documents()}. The newest "
                f"checkpoint ({newest or 'none yet'}) is from before it. Look at these documents or lower [pretrain] "
                f"learning_rate or max_grad_norm, which begins anew{go_on}."
            )
            raise TrainingStopped(msg)
        self._recent.append(loss)

    def _limit(self) -> float:
        """The highest loss that is not a leap."""
        if not self._recent:
            return math.inf
        if len(self._recent) < FEWEST:
            return self.leap + EARLY * max(self._recent)
        return self.leap + max(self._recent)
