"""What a comparison of vocabularies says of each: how it did on every source, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from siku_tokenize.measure import Tally, show_segments
from siku_tokenize.modelfile import Kind
from siku_tokenize.prove import CHINESE
from siku_tokenize.vocabulary import Vocabulary

LONGEST = 12
"""Pieces that are shown as the longest."""
BATCH = 1 << 16

VERSES = (
    ("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。", "王之涣《登鹳雀楼》"),
    ("明月幾時有，把酒問青天。不知天上宮闕，今夕是何年。", "蘇軾《水調歌頭》"),
    ("學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？", "《論語·學而》"),
    ("在我的后园，可以看见墙外有两株树，一株是枣树，还有一株也是枣树。", "鲁迅《秋夜》"),
    ("A document is its pieces, then the end of the sequence.", "English"),
)
"""Text in the public domain, for the picture of the segmentation."""


class Segments(msgspec.Struct, frozen=True):
    """One example text as a vocabulary cuts it."""

    text: str
    """With bars between the tokens."""
    tokens: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One vocabulary in a comparison."""

    name: str
    pieces: int
    """Ids that stand for something."""
    sources: dict[str, Tally]
    unused: int
    """Pieces that stood nowhere in what was measured; byte and control pieces do not count."""
    unreachable: int
    """Pieces that their own text does not encode to."""
    new: int
    """Pieces behind those of the first vocabulary, 0 where this is no extension of it."""
    new_unused: int
    new_unreachable: int
    longest: list[str]
    """The longest pieces with a Chinese character, of the new ones if there are any."""
    segments: list[Segments]

    @property
    def whole(self) -> Tally:
        """All sources together."""
        return sum(self.sources.values(), Tally())


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Vocabularies on the same text; the first is what the others are compared with."""

    standings: list[Standing]
    examples: list[tuple[str, str]]
    """Texts that every vocabulary cut, with a note on each."""

    @property
    def sources(self) -> list[str]:
        """Names of the sources, in order; "all" behind them where there are several."""
        names = list(self.standings[0].sources)
        return [*names, "all"] if len(names) > 1 else names

    def tallies(self, source: str) -> list[Tally]:
        """What each vocabulary did on a source, or on all of them."""
        alone = source in self.standings[0].sources
        return [standing.sources[source] if alone else standing.whole for standing in self.standings]


def compare_standings(
    vocabularies: Sequence[Vocabulary],
    tallies: Mapping[str, Sequence[Tally]],
    uses: Sequence[NDArray[np.int64]],
    *,
    examples: Sequence[tuple[str, str]] = VERSES,
) -> Comparison:
    """Put measures together with what is in each vocabulary.

    Args:
        vocabularies: the first is the base of the comparison.
        tallies: for each source what each vocabulary did.
        uses: of each vocabulary, how often each id stood in all sources.
        examples: texts to be cut, with a note on each.
    """
    standings = []
    for number, vocabulary in enumerate(vocabularies):
        first = len(vocabularies[0]) if number and extends(vocabularies[0], vocabulary) else len(vocabulary)
        unused = unused_pieces(vocabulary, uses[number])
        lost = unreachable_pieces(vocabulary)
        standing = Standing(
            name=vocabulary.name,
            pieces=int((vocabulary.kinds != Kind.UNUSED).sum()),
            sources={source: of_source[number] for source, of_source in tallies.items()},
            unused=len(unused),
            unreachable=len(lost),
            new=len(vocabulary) - first,
            new_unused=int((unused >= first).sum()),
            new_unreachable=int((lost >= first).sum()),
            longest=longest_pieces(vocabulary, first=first if first < len(vocabulary) else 0),
            segments=[
                Segments(show_segments(vocabulary, text), len(vocabulary.encoder.encode(text))) for text, _ in examples
            ],
        )
        standings.append(standing)
    return Comparison(standings=standings, examples=list(examples))


def extends(base: Vocabulary, other: Vocabulary) -> bool:
    """Whether the ids of `base` mean in `other` what they mean in `base`."""
    count = len(base)
    return other.spelled[:count] == base.spelled and np.array_equal(other.kinds[:count], base.kinds)


def unused_pieces(vocabulary: Vocabulary, uses: NDArray[np.int64]) -> NDArray[np.int64]:
    """List the ids that stood nowhere; byte and control pieces do not count."""
    return np.flatnonzero((vocabulary.kinds == Kind.NORMAL) & (uses == 0))


def unreachable_pieces(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """List the ids that encoding their own text does not give."""
    # Where a space is put before a text, it stands after a line break instead, which no merge crosses.
    lead = "\n" if vocabulary.prefixed else ""
    skipped = len(vocabulary.encoder.encode(lead))
    normal = np.flatnonzero(vocabulary.kinds == Kind.NORMAL)
    lost = []
    for start in range(0, len(normal), BATCH):
        some = normal[start : start + BATCH]
        ids, lengths = vocabulary.encoder.encode_batch([lead + vocabulary.spelled[i].decode() for i in some])
        firsts = np.cumsum(lengths) - lengths + skipped
        alone = lengths == skipped + 1
        found = ids[np.where(alone, firsts, 0)]
        lost.append(some[~(alone & (found == some))])
    return np.concatenate([np.empty(0, np.int64), *lost])


def longest_pieces(vocabulary: Vocabulary, *, first: int = 0) -> list[str]:
    """List the longest pieces from id `first` on that hold a Chinese character, by characters, then by id."""
    texts = {i: vocabulary.spelled[i].decode() for i in np.flatnonzero(vocabulary.kinds == Kind.NORMAL) if i >= first}
    words = {i: text for i, text in texts.items() if CHINESE.search(text)}
    return [words[i] for i in sorted(words, key=lambda i: (-len(words[i]), i))[:LONGEST]]
