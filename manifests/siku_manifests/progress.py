"""Progress: a bar on a terminal, a line every ten seconds anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

LINE_SECONDS = 10.0


class Progress:
    """Show how far a piece of work is.

    Args:
        total: units of the whole; 0 where nobody knows.
        unit: what is counted, such as "bytes" or "tokens".
        label: what is being done.
        done: units that an earlier run finished already.
        shown: false where another process speaks for this one.
    """

    def __init__(self, total: int, *, unit: str, label: str, done: int = 0, shown: bool = True) -> None:
        self._total = total
        self._unit = unit
        self._label = label
        self._initial = done
        self._done = done
        self._shown = shown
        self._started = time.monotonic()
        self._last_line = self._started
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Self:
        if self._shown and sys.stderr.isatty():
            scale = self._unit == "bytes"
            self._bar = tqdm(
                total=self._total or None,
                initial=self._done,
                unit="B" if scale else f" {self._unit}",
                unit_scale=scale,
                desc=self._label,
                dynamic_ncols=True,
                leave=False,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, units: int, *, note: str = "") -> None:
        """Add finished units; `note` is shown beside them, such as "loss 8.2"."""
        self._done += units
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(units)
            return
        now = time.monotonic()
        if self._shown and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            print(self._line(now, note), file=sys.stderr, flush=True)  # noqa: T201  the terminal's stand-in

    def _line(self, now: float, note: str) -> str:
        if not self._total:
            return ", ".join([f"{self._label}: {self._done:,} {self._unit}", *([note] if note else [])])
        share = self._done / self._total
        fresh = self._done - self._initial
        left = (now - self._started) * (self._total - self._done) / fresh if fresh else 0.0
        parts = [f"{self._label}: {share:4.0%}", f"{self._done:,} of {self._total:,} {self._unit}"]
        parts.append(f"about {left:,.0f} s left")
        return ", ".join([*parts, note] if note else parts)
