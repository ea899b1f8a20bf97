"""Normalization: named rules in a fixed order, each with a count and an example.

Running the rules again changes nothing. That decides their order in `rules.RULES`: what removes characters, maps them
or makes new ones comes first, what looks at neighbours comes after, and what weighs a whole text comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from siku_corpus.rules import AGAIN, RULES, WAITS_FOR, awaited
from siku_corpus.survey import SEPARATOR, Survey

_SETTLING_ROUNDS = 4


class Normalized(NamedTuple):
    """What all rules did to a batch."""

    texts: list[str]
    counts: dict[str, int]
    """Places changed, by rule; documents for `compose`, `trim`, `script` and `pasted_twice`."""
    examples: dict[str, tuple[str, str]]


def normalize(texts: Sequence[str], rules: Iterable[str]) -> Normalized:
    """Apply rules in the order of RULES.

    Args:
        texts: any strings without lone surrogates.
        rules: names from RULES; the order given does not matter.

    Example:
        normalize(["Ｂ５　纸 张"], RULES) -> ["B5 纸张"], {"width": 2, "spaces": 1, "gaps": 1}
    """
    wanted = set(rules)
    batch = _Batch([text.replace(SEPARATOR, "") for text in texts])
    for name in RULES:
        if name in wanted:
            batch.apply(name, [other for other in AGAIN.get(name, ()) if other in wanted])
    return Normalized(batch.texts, batch.counts, batch.examples)


class _Batch:
    """Texts on their way through the rules; a rule that waits for something sees only the texts that have it."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.counts: dict[str, int] = {}
        self.examples: dict[str, tuple[str, str]] = {}
        self._found = _survey().find(texts)
        self._changed = np.zeros(len(texts), dtype=np.bool_)

    def apply(self, name: str, again: Sequence[str]) -> None:
        """Run a rule; `again` are those for which it may make new work."""
        awaited_class = WAITS_FOR.get(name)
        if awaited_class is None:
            self.texts = self._run(name, self.texts, again)
            return
        # A text that was changed has other characters than were surveyed.
        rows = np.flatnonzero(self._found[awaited_class] | self._changed).tolist()
        before = [self.texts[row] for row in rows]
        for row, old, new in zip(rows, before, self._run(name, before, again), strict=True):
            if new != old:
                self.texts[row] = new
                self._changed[row] = True

    def _run(self, name: str, texts: list[str], again: Sequence[str]) -> list[str]:
        if not texts:
            return texts
        applied = RULES[name](SEPARATOR.join(texts))
        if not applied.changes:
            return texts
        self.counts[name], self.examples[name] = applied.changes, applied.example
        return _settled(applied.text, again).split(SEPARATOR)


def _settled(text: str, again: Sequence[str]) -> str:
    """The text after rules have run until they find nothing more."""
    for _ in range(_SETTLING_ROUNDS if again else 0):
        before = text
        for name in again:
            text = RULES[name](text).text
        if text == before:
            break
    return text


@cache
def _survey() -> Survey:
    return Survey(awaited())  # one a process: its table has a place for every code point
