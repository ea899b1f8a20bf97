"""The equation that makes silent loss impossible: read + split = kept + joined + dropped + quarantined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from siku_manifests.errors import SikuError


class Counts(msgspec.Struct, kw_only=True, omit_defaults=False):
    """What became of one source's records in one stage; all in records unless the name says otherwise."""

    read: int = 0
    """Records taken from the input; a broken archive or file counts as one."""
    split: int = 0
    """Additional documents where one record gave several: n documents add n − 1."""
    kept: int = 0
    joined: int = 0
    """Records that went into a document begun by another: n records into one document add n − 1."""
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)
    characters: int = 0
    """Code points of the kept documents' text."""
    han: int = 0
    """Han characters among them."""
    bytes: int = 0
    """UTF-8 bytes of the kept documents' text."""
    tokens: int = 0
    """Tokens written, EOS included; 0 before the tokens stage."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            read=self.read + other.read,
            split=self.split + other.split,
            kept=self.kept + other.kept,
            joined=self.joined + other.joined,
            dropped=dict(sorted((Counter(self.dropped) + Counter(other.dropped)).items())),
            quarantined=dict(sorted((Counter(self.quarantined) + Counter(other.quarantined)).items())),
            characters=self.characters + other.characters,
            han=self.han + other.han,
            bytes=self.bytes + other.bytes,
            tokens=self.tokens + other.tokens,
        )

    @property
    def total_dropped(self) -> int:
        """Documents removed, whatever the reason."""
        return sum(self.dropped.values())

    @property
    def total_quarantined(self) -> int:
        """Records set aside, whatever the reason."""
        return sum(self.quarantined.values())

    @property
    def balanced(self) -> bool:
        """Whether every record read is accounted for."""
        left = self.read + self.split
        return left == self.kept + self.joined + self.total_dropped + self.total_quarantined

    def __str__(self) -> str:
        return (
            f"{self.read:,} read + {self.split:,} split = {self.kept:,} kept + {self.joined:,} joined"
            f" + {self.total_dropped:,} dropped + {self.total_quarantined:,} quarantined"
        )


def total(counts: Iterable[Counts]) -> Counts:
    """The sum over sources or ranges."""
    return sum(counts, Counts())


def check_equation(counts: dict[str, Counts], *, stage: str) -> None:
    """Refuse to call a stage finished whose records do not add up.

    Raises:
        SikuError: a source's equation does not hold; this is a bug in the stage, never in the data.
    """
    for source, count in sorted(counts.items()):
        if not count.balanced:
            msg = f"{stage}: source {source} does not add up: {count}. This is a bug in Siku; please report it."
            raise SikuError(msg)
