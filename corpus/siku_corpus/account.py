"""What happened to a range's records, in numbers and a few examples; adds up over ranges in their order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from siku_manifests.atomic import write_bytes
from siku_manifests.equation import Counts

LENGTH_EDGES = (1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 1_000_000_000)
"""Characters; the last bin is open, since no document is that long."""
EXAMPLES_KEPT = 3


class Change(msgspec.Struct, frozen=True):
    """A text before and after."""

    before: str
    after: str
    note: str = ""


class Drop(msgspec.Struct, frozen=True):
    """A document that a filter would not have."""

    id: str
    text: str
    """Its beginning."""
    note: str
    """The number that decided, against which threshold."""


class Account(msgspec.Struct, kw_only=True):
    """The books of one source, or of a part of it."""

    source: str = ""
    counts: Counts = msgspec.field(default_factory=Counts)
    rules: dict[str, int] = {}
    """Places that each normalization rule changed."""
    rule_examples: dict[str, Change] = {}
    would_drop: dict[str, int] = {}
    """By reason; equal to the dropped ones unless the recipe says `report_only`."""
    drops: dict[str, list[Drop]] = {}
    """By reason: the first of them."""
    changes: list[Change] = []
    """Whole documents before and after normalization."""
    lengths: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LENGTH_EDGES) - 1))
    """Kept documents by characters, between LENGTH_EDGES."""
    languages: dict[str, int] = {}

    def __add__(self, other: Account) -> Account:
        return Account(
            source=self.source or other.source,
            counts=self.counts + other.counts,
            rules=_sum(self.rules, other.rules),
            rule_examples=other.rule_examples | self.rule_examples,
            would_drop=_sum(self.would_drop, other.would_drop),
            drops={
                reason: (self.drops.get(reason, []) + other.drops.get(reason, []))[:EXAMPLES_KEPT]
                for reason in sorted(self.drops | other.drops)
            },
            changes=(self.changes + other.changes)[:EXAMPLES_KEPT],
            lengths=[a + b for a, b in zip(self.lengths, other.lengths, strict=True)],
            languages=_sum(self.languages, other.languages),
        )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(other)).items()))


def length_histogram(characters: NDArray[np.float64]) -> list[int]:
    """Documents by length between LENGTH_EDGES.

    Args:
        characters: shape (D,), at least 1 each.
    """
    return [int(count) for count in np.histogram(characters, bins=LENGTH_EDGES)[0]]


def write_account(path: Path, account: Account) -> None:
    """Store the account of a range beside its rows."""
    write_bytes(path, msgspec.json.encode(account, order="deterministic"))


def read_account(path: Path) -> Account:
    """Take back what `write_account` stored."""
    return msgspec.json.decode(path.read_bytes(), type=Account)
