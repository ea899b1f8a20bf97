"""What share of the text each source is to have, and how often it is then read.

A recipe says it in one of two ways: `weight`, a factor on a source's own size, or `share`, the part of the whole
that it is to be, whatever its size. Nothing is repeated on disk for either; they act where the tokenizer draws its
sample and where training draws its windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from siku_manifests.findings import Table
from siku_manifests.sections import Source


class SourceShare(NamedTuple):
    """What a source has and what the recipe asks of it."""

    source: str
    size: int
    """In the unit of the sizes that were given: bytes, characters, windows."""
    held: float
    """Its share of all there is, 0 … 1."""
    asked: float
    """The share that the recipe asks for, 0 … 1."""

    @property
    def epochs(self) -> float:
        """How often one pass over the mixture, as long as all the text, reads the source."""
        return self.asked / self.held if self.held else 0.0


def source_shares(sources: Sequence[Source], sizes: Mapping[str, int]) -> list[SourceShare]:
    """Work out what a recipe asks for.

    Args:
        sources: of the recipe; all of them have a `share`, or none has.
        sizes: of each source, in any one unit; sources that are missing here or have nothing are left out, and
            the others' shares grow in proportion.

    Example:
        sizes a 30, b 10 with weights 1 and 3 -> a: held 0.75, asked 0.5, 0.67 epochs; b: 0.25, 0.5, 2 epochs
    """
    present = [source for source in sources if sizes.get(source.name, 0) > 0]
    total = sum(sizes[source.name] for source in present)
    masses = [source.share or source.weight * sizes[source.name] for source in present]
    whole = sum(masses)
    return [
        SourceShare(source.name, sizes[source.name], sizes[source.name] / total, mass / whole if whole else 0.0)
        for source, mass in zip(present, masses, strict=True)
    ]


def source_weights(sources: Sequence[Source], sizes: Mapping[str, int]) -> dict[str, float]:
    """Factor on each source's size that gives it the share that the recipe asks for.

    Args:
        sources: of the recipe.
        sizes: of each source, in the unit that the factors will be applied to.
    """
    if not asks_for_shares(sources):
        return {source.name: source.weight for source in sources}
    return {source.name: 0.0 for source in sources} | {
        share.source: share.epochs for share in source_shares(sources, sizes)
    }


def asks_for_shares(sources: Iterable[Source]) -> bool:
    """Whether the recipe names shares of the whole instead of weights."""
    return any(source.share for source in sources)


def shares_table(sources: Sequence[Source], characters: Mapping[str, int]) -> Table:
    """Set what there is beside what the recipe asks for.

    Args:
        sources: of the recipe.
        characters: of each source in the last corpus that is built.
    """
    return Table(
        section="corpus",
        title="What each source has and is asked for",
        columns=["source", "characters", "holds %", "is asked for %", "epochs"],
        rows=[
            [share.source, share.size, round(100 * share.held, 2), round(100 * share.asked, 2), round(share.epochs, 2)]
            for share in source_shares(sources, characters)
        ],
        note="Weights and shares act where the tokenizer draws its sample and training its windows; no text is "
        "repeated on disk. Epochs: how often the source is read in one pass over as much text as there is.",
    )
