"""Runs of characters that stood somewhere before: found exactly, in texts of any number, in bounded memory.

A window is L neighbouring characters of one document. It is a repeat if an equal window ends before it begins, in
the order in which documents are given; a character goes if a repeat covers it. So of equal runs the first stays, a
run that comes twice in one document counts like one that comes in two, and of 哈 200 times the first L stay. Nothing
is lost: what goes stands earlier, and the earliest place of a character is covered by no repeat.

Lee et al., Deduplicating training data makes language models better, 2022, find the same windows by a suffix array
of the whole corpus (and strike every occurrence). A suffix array says more than is asked, the order of all
suffixes. Equal windows are found as equal band keys are, by hash, and every window is then compared character by
character with the first of its hash, so the result is exact whatever the hash does. Windows are taken in passes,
each those of one residue of the hash: texts are mapped, a window in the pass costs 40 bytes. Every pass goes through
all texts, at 5 ns a character: of 7 billion characters (22 GB) there are 210 passes, two hours of CPU in all.

Shape legend: C code points, D documents, L characters in a window, W windows, R repeats, S spans.
"""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_dedup.groups import equal_keys
from siku_dedup.points import Points
from siku_manifests.kernels import kernel

PASS_WINDOWS = 1 << 25
"""Windows in a pass, about: 1.3 GB of memory. A window that is repeated more often than that costs its copies more."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_JOINER = 0x200D
_FIRST_CJK = 0x2E80
_MARK, _LETTER = 1, 2


class Texts:
    """Documents in several places, their characters numbered through in the order of the places."""

    def __init__(self, parts: Sequence[Points], scopes: Sequence[int]) -> None:
        """Take places as they are, mapped or not.

        Args:
            parts: documents of each place.
            scopes: of each place; windows of different scopes are never equal.
        """
        self.parts = list(parts)
        self.scopes = np.array(scopes, np.int64)
        self.bases = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(part.values) for part in parts])])

    def part_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the place that holds each character."""
        return np.searchsorted(self.bases, places, side="right").astype(np.int64) - 1

    def window(self, place: int, size: int) -> bytes:
        """One window, as bytes to look it up by."""
        part = int(self.part_of(np.array([place]))[0])
        return self.parts[part].values[place - self.bases[part] :][:size].tobytes()

    def equal(self, left: NDArray[np.int64], right: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
        """Whether windows are equal, W pairs by first characters, the left ones ascending."""
        out = np.zeros(len(left), np.bool_)
        bounds = np.searchsorted(left, self.bases)
        for a, (low, high) in enumerate(pairwise(bounds.tolist())):
            other = self.part_of(right[low:high])
            for b in np.flatnonzero(np.bincount(other)).tolist():
                if self.scopes[a] == self.scopes[b]:
                    here = low + np.flatnonzero(other == b)
                    pairs = np.stack([left[here] - self.bases[a], right[here] - self.bases[b]], axis=1)
                    out[here] = compare_windows(self.parts[a].values, self.parts[b].values, pairs, size)
        return out


class Repeats(NamedTuple):
    """Windows that stood before."""

    places: NDArray[np.int64]
    """Shape (R,), ascending: the character at which each begins."""
    origins: NDArray[np.int64]
    """Shape (R,): where the first equal window begins."""


def find_repeats(texts: Texts, *, size: int, number: int = 0, passes: int = 1) -> Repeats:
    """The repeats of one pass; those of all passes together are all there are.

    Args:
        texts: all documents.
        size: L, characters in a window.
        number: of the pass, 0 … passes - 1.
        passes: up to 65,536.
    """
    salts = [_salt(scope) for scope in texts.scopes.tolist()]
    chosen = [(part, (size, number, passes, salt)) for part, salt in zip(texts.parts, salts, strict=True)]
    none = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    counts = [select_windows(part, wanted, *none) for part, wanted in chosen]
    keys, places = np.empty(sum(counts), np.uint64), np.empty(sum(counts), np.int64)
    done = 0
    for (part, wanted), count, base in zip(chosen, counts, texts.bases[:-1], strict=True):
        here = slice(done, done + count)
        select_windows(part, wanted, keys[here], places[here])
        places[here] += base
        done += count
    first = _first_of_hash(keys)
    del keys
    grouped = np.flatnonzero(first >= 0)
    return _verified(texts, places[grouped], places[first[grouped]], size)


def _salt(scope: int) -> np.uint64:
    return np.uint64((scope + 1) * 0xD6E8FEB86659FD93 % 2**64)


def _first_of_hash(keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    """The number of the first window with a window's hash, shape (W,); -1 where no other has it."""
    groups = equal_keys(keys)
    first = np.full(len(keys), -1, np.int32)
    first[groups.members] = np.repeat(groups.members[groups.starts[:-1]], np.diff(groups.starts))
    return first


def _verified(texts: Texts, places: NDArray[np.int64], origins: NDArray[np.int64], size: int) -> Repeats:
    """Compare each window with the first of its hash, and keep those that begin where that has ended."""
    others: dict[tuple[int, bytes], int] = {}
    for at in np.flatnonzero(~texts.equal(places, origins, size)):  # two windows of one hash: once in 10**19 pairs
        place = int(places[at])
        scope = int(texts.scopes[texts.part_of(places[at : at + 1])[0]])
        origins[at] = others.setdefault((scope, texts.window(place, size)), place)
    repeated = origins + size <= places
    return Repeats(places[repeated], origins[repeated])


class Spans(NamedTuple):
    """What goes of D documents."""

    documents: NDArray[np.int64]
    """Shape (S,), ascending."""
    begins: NDArray[np.int64]
    """Shape (S,): first character that goes, counted from the document's first."""
    ends: NDArray[np.int64]
    """Shape (S,): first character that stays again."""
    origins: NDArray[np.int64]
    """Shape (S,): where in all texts the first window of the span stood before."""

    def by_document(self) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """(document, spans in it) of each that loses something."""
        bounds = np.flatnonzero(np.diff(self.documents, prepend=-1))
        for low, high in pairwise([*bounds.tolist(), len(self.documents)]):
            cuts = zip(self.begins[low:high].tolist(), self.ends[low:high].tolist(), strict=True)
            yield int(self.documents[low]), list(cuts)


def spans(points: Points, repeats: Repeats, *, size: int) -> Spans:
    """Unite the repeats in D documents that overlap or touch, and cut no character and no word written with letters.

    Args:
        points: the documents, as one of the places in which the repeats were found.
        repeats: those in these documents, counted from their first character.
        size: L, characters in a window.
    """
    places = repeats.places
    documents = np.searchsorted(points.starts, places, side="right") - 1
    new = (np.diff(places, prepend=-size - 1) > size) | (np.diff(documents, prepend=-1) != 0)
    firsts = np.flatnonzero(new)
    lasts = np.append(firsts[1:], len(places))[: len(firsts)] - 1
    begins, ends = places[firsts], places[lasts] + size
    bounds = points.starts[documents[firsts] + 1]
    # What a cut would part stays whole, on the side that stays.
    for at in np.flatnonzero(_is_whole(points.values, begins) & (begins > points.starts[documents[firsts]])):
        while begins[at] < ends[at] and _is_whole(points.values, begins[at]):
            begins[at] += 1
    for at in np.flatnonzero(_is_whole(points.values, np.minimum(ends, bounds - 1)) & (ends < bounds)):
        while begins[at] < ends[at] and _is_whole(points.values, ends[at]):
            ends[at] -= 1
    left = begins < ends
    documents, origins = documents[firsts][left], repeats.origins[firsts][left]
    base = points.starts[documents]
    return Spans(documents, begins[left] - base, ends[left] - base, origins)


def _is_whole(values: NDArray[np.uint32], places: NDArray[np.int64] | np.int64) -> NDArray[np.bool_]:
    """Whether a cut before these places would part what people see as one character, or a word."""
    kinds = _kinds()
    before, here = values[np.maximum(places, 1) - 1], values[places]
    inside_word = (kinds[before] == _LETTER) & (kinds[here] == _LETTER)
    return np.asarray((kinds[here] == _MARK) | (before == _JOINER) | inside_word)


@functools.cache
def _kinds() -> NDArray[np.int8]:
    """Marks (combining, variation selectors, joiners, skin tones) and letters of scripts that part words by spaces."""
    kinds = np.zeros(0x110000, np.int8)
    categories = [unicodedata.category(chr(point))[0] for point in range(0x110000)]
    kinds[[point for point in range(_FIRST_CJK) if categories[point] in "LN"]] = _LETTER
    kinds[[point for point, category in enumerate(categories) if category == "M"]] = _MARK
    kinds[_JOINER] = _MARK
    kinds[0x1F3FB:0x1F400] = _MARK
    return kinds


def without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    r"""A text without some spans; where one was, a line ends, so that no sentence is made of two halves.

    Example:
        "甲乙丙丁戊", [(1, 3)] -> "甲\n丁戊"
    """
    begins = [0, *(end for _, end in cuts)]
    ends = [*(begin for begin, _ in cuts), len(text)]
    pieces = (text[begin:end].strip() for begin, end in zip(begins, ends, strict=True))
    return "\n".join(piece for piece in pieces if piece)


@kernel
def select_windows(  # pragma: no cover
    points: Points, wanted: tuple[int, int, int, np.uint64], keys: NDArray[np.uint64], places: NDArray[np.int64]
) -> int:
    """How many windows of D documents are in a pass; their hashes and first characters too, where there is room.

    Args:
        points: D documents.
        wanted: characters in a window, number of the pass, number of passes, salt of the hash.
        keys: out, shape (W,) or (0,).
        places: out, shape (W,) or (0,), counted from the first document's first character.

    The hash is a polynomial in the characters, rolled along; then fmix64 of MurmurHash3.
    """
    size, number, passes, salt = wanted
    leaving = np.uint64(1)
    for _ in range(size):
        leaving *= _BASE
    count = 0
    for doc in range(len(points.starts) - 1):
        begin = points.starts[doc]
        text = points.values[begin : points.starts[doc + 1]]
        total = np.uint64(0)
        for i in range(len(text)):
            total = total * _BASE + np.uint64(text[i]) + np.uint64(1)
            if i >= size:
                total -= leaving * (np.uint64(text[i - size]) + np.uint64(1))
            if i < size - 1:
                continue
            key = total ^ salt
            key ^= key >> np.uint64(33)
            key *= np.uint64(0xFF51AFD7ED558CCD)
            key ^= key >> np.uint64(33)
            key *= np.uint64(0xC4CEB9FE1A85EC53)
            key ^= key >> np.uint64(33)
            # Bits in the middle choose the pass, since grouping uses those at both ends.
            if (((key >> np.uint64(24)) & np.uint64(0xFFFF)) * np.uint64(passes)) >> np.uint64(16) == np.uint64(number):
                if len(keys):
                    keys[count] = key
                    places[count] = begin + i - size + 1
                count += 1
    return count


@kernel
def compare_windows(  # pragma: no cover
    left: NDArray[np.uint32], right: NDArray[np.uint32], pairs: NDArray[np.int64], size: int
) -> NDArray[np.bool_]:
    """Whether the windows at pairs of places, shape (W, 2), are equal.

    Where a pair lies a few characters behind the one before it, on both sides alike, only those are compared.
    """
    equal = np.empty(len(pairs), np.bool_)
    for w in range(len(pairs)):
        a, b = pairs[w]
        begin = 0
        if w > 0 and equal[w - 1]:
            step = a - pairs[w - 1, 0]
            if 0 < step < size and step == b - pairs[w - 1, 1]:
                begin = size - step
        same = True
        for i in range(begin, size):
            if left[a + i] != right[b + i]:
                same = False
                break
        equal[w] = same
    return equal
