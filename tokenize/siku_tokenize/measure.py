"""How vocabularies do on the same text: tokens, byte tokens, what does not come back, what English lost.

    ruler = Ruler([base, ours])
    ruler.measure(texts)  -> a Tally of each, of these texts; ruler.uses grows

Compression is told by text that no vocabulary learned from. Everything is counted from the ids alone, by
laying out the bytes that they stand for, so that any two kinds of tokenizer are measured alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from siku_tokenize.encode import cut_batches
from siku_tokenize.merge import CHINESE_BLOCKS
from siku_tokenize.modelfile import Kind
from siku_tokenize.vocabulary import Vocabulary

_BLOCKS = "".join(f"{chr(first)}-{chr(last)}" for first, last in CHINESE_BLOCKS)
PLAIN_LINE = rf"^[^{_BLOCKS}]*[^\s{_BLOCKS}][^{_BLOCKS}]*$"
"""A line without Chinese characters that is not blank."""
SPACE_BYTE = 0x20


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One vocabulary on some texts; sums over documents."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    tokens: int = 0
    byte_tokens: int = 0
    """Tokens that are less than a character: the bytes of characters without a piece."""
    broken: int = 0
    """Documents whose tokens do not spell the same text again."""
    plain_lines: int = 0
    """Lines without Chinese characters."""
    changed_lines: int = 0
    """Those of them with other ids than in the first vocabulary."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def per_character(self) -> float:
        """Tokens per character."""
        return self.tokens / max(1, self.characters)

    @property
    def per_byte(self) -> float:
        """Tokens per UTF-8 byte."""
        return self.tokens / max(1, self.bytes)

    @property
    def byte_share(self) -> float:
        """Share of byte tokens."""
        return self.byte_tokens / max(1, self.tokens)

    def change(self, base: Tally) -> float:
        """Share of the base's tokens that is saved, negative: -0.54 means 54 % fewer."""
        return self.tokens / base.tokens - 1 if base.tokens else 0.0


class Ruler:
    """Measures texts with several vocabularies.

    Args:
        vocabularies: the first is what the others are compared with.

    Attributes:
        uses: for each vocabulary int64 (ids,), how often each stood in what was measured.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary]) -> None:
        self.vocabularies = tuple(vocabularies)
        self.uses = [np.zeros(len(vocabulary), np.int64) for vocabulary in vocabularies]
        self._spellings = [Spelling(vocabulary) for vocabulary in vocabularies]

    def measure(self, texts: pa.Array) -> list[Tally]:
        """Measure an array of strings; a tally for each vocabulary."""
        lines = plain_lines(texts)
        size = {
            "documents": len(texts),
            "characters": pc.sum(pc.utf8_length(texts)).as_py() or 0,
            "bytes": pc.sum(pc.cast(pc.binary_length(texts), pa.int64())).as_py() or 0,
            "plain_lines": len(lines),
        }
        base = self.vocabularies[0].encoder.encode_batch(lines)
        tallies = []
        for number, (vocabulary, spelling) in enumerate(zip(self.vocabularies, self._spellings, strict=True)):
            ids, lengths = vocabulary.encoder.encode_batch(texts)
            used = np.bincount(ids, minlength=len(vocabulary))
            self.uses[number] += used
            plain = vocabulary.encoder.encode_batch(lines) if number else base
            tally = Tally(
                **size,
                tokens=len(ids),
                byte_tokens=int(used[vocabulary.kinds == Kind.BYTE].sum()),
                broken=spelling.count_broken(texts, ids, lengths),
                changed_lines=count_different(base, plain),
            )
            tallies.append(tally)
        return tallies


def plain_lines(texts: pa.Array) -> pa.Array:
    """Cut texts into lines and keep those without Chinese characters that are not blank."""
    lines = pc.list_flatten(pc.split_pattern(pc.cast(texts, pa.large_string()), "\n"))
    return lines.filter(pc.match_substring_regex(lines, PLAIN_LINE))


Encoded = tuple[NDArray[Any], NDArray[np.int64]]


def count_different(left: Encoded, right: Encoded) -> int:
    """Count the texts to which two encoders give different ids; each side is ids and lengths."""
    if np.array_equal(left[0], right[0]) and np.array_equal(left[1], right[1]):
        return 0
    sides = [np.split(ids, np.cumsum(lengths))[:-1] for ids, lengths in (left, right)]
    return sum(not np.array_equal(a, b) for a, b in zip(*sides, strict=True))


class Spelling:
    """The bytes behind a vocabulary's ids, for laying out what a sequence of ids says.

    Args:
        vocabulary: whose.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._bytes = np.frombuffer(b"".join(vocabulary.spelled), np.uint8)
        self._sizes = np.array([len(spelled) for spelled in vocabulary.spelled], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._prefixed = vocabulary.prefixed

    def _lay_out(self, ids: NDArray[Any], sizes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Give the bytes that ids spell, side by side."""
        ends = np.cumsum(sizes)
        places = np.repeat(self._starts[ids] - (ends - sizes), sizes) + np.arange(int(ends[-1]) if len(ends) else 0)
        return self._bytes[places]

    def count_broken(self, texts: pa.Array, ids: NDArray[Any], lengths: NDArray[np.int64]) -> int:
        """Count the texts that their ids do not spell.

        Args:
            texts: strings.
            ids: of all texts side by side.
            lengths: ids of each text.
        """
        broken = first_text = first_id = 0
        for data, offsets in cut_batches(texts):
            count = len(offsets) - 1
            last_id = first_id + int(lengths[first_text : first_text + count].sum())
            broken += self._broken(data, offsets, ids[first_id:last_id], lengths[first_text : first_text + count])
            first_text, first_id = first_text + count, last_id
        return broken

    def _broken(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64], ids: NDArray[Any], lengths: NDArray[np.int64]
    ) -> int:
        sizes = self._sizes[ids]
        ends = np.concatenate([[0], np.cumsum(sizes)])[np.concatenate([[0], np.cumsum(lengths)])]
        laid = self._lay_out(ids, sizes)
        asked = np.diff(offsets)
        lead = (self._prefixed & (asked > 0)).astype(np.int64)
        right_size = np.diff(ends) == asked + lead
        broken = int((~right_size).sum())
        if broken == 0 and self._same(data, offsets, laid, ends, lead):
            return 0
        for i in np.flatnonzero(right_size):
            text, said = data[offsets[i] : offsets[i + 1]], laid[ends[i] : ends[i + 1]]
            broken += not (np.array_equal(text, said[lead[i] :]) and (not lead[i] or said[0] == SPACE_BYTE))
        return broken

    @staticmethod
    def _same(
        data: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        laid: NDArray[np.uint8],
        ends: NDArray[np.int64],
        lead: NDArray[np.int64],
    ) -> bool:
        """Whether all texts are spelled as they are, at one go."""
        firsts = ends[:-1][lead > 0]
        return bool((laid[firsts] == SPACE_BYTE).all()) and np.array_equal(
            np.delete(laid, firsts), data[offsets[0] : offsets[-1]]
        )


def show_segments(vocabulary: Vocabulary, text: str) -> str:
    """Write a text with a bar between its tokens; parts of characters as hexadecimal.

    Example: "白日依山" -> "白日│依│山", or "白│日│E4│BE│9D│山" where 依 is no piece
    """
    shown = []
    for i in vocabulary.encoder.encode(text):
        spelled = vocabulary.spelled[i]
        shown.append(spelled.hex().upper() if vocabulary.kinds[i] == Kind.BYTE else spelled.decode())
    return "│".join(shown).strip(" │")
