"""Numbers about documents on which filters decide, in one compiled pass over a batch's Arrow buffers.

Shapes: D documents, C code points and T tokens of one document. A token is a character that is no space, or
for English a word between spaces; an n-gram is n tokens. Scratch arrays are made once a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

_CHARACTERS, _SPACES, _HAN, _KANA, _HANGUL, _LATIN, _SYMBOLS = range(7)
_LINES, _LINES_ENDED, _DUPLICATE_LINES, _DUPLICATE_LINE_CHARACTERS = range(7, 11)
_COUNTS = 11
_TOP_2, _TOP_3, _TOP_4, _REPEATED_5, _REPEATED_10 = range(5)
_GRAM_COUNTS = 5


class Measures(NamedTuple):
    """One row per document, float64; shares are of the document's characters unless said otherwise."""

    bytes: NDArray[np.float64]
    """Of UTF-8."""
    characters: NDArray[np.float64]
    han: NDArray[np.float64]
    """Han characters."""
    han_share: NDArray[np.float64]
    """Han among the characters that are no spaces."""
    kana_share: NDArray[np.float64]
    hangul_share: NDArray[np.float64]
    latin_share: NDArray[np.float64]
    symbols: NDArray[np.float64]
    """`#`, bullets and dingbats among the characters that are no spaces."""
    mean_line: NDArray[np.float64]
    """Characters of a line that is not blank, spaces around it left off."""
    lines_ended: NDArray[np.float64]
    """Share of lines whose last character ends a sentence."""
    duplicate_lines: NDArray[np.float64]
    """Share of lines that stood before in the same document."""
    duplicate_line_characters: NDArray[np.float64]
    top_2_gram: NDArray[np.float64]
    """Share of the tokens' characters that the most frequent n-gram takes; 0 if none comes twice."""
    top_3_gram: NDArray[np.float64]
    top_4_gram: NDArray[np.float64]
    duplicate_5_grams: NDArray[np.float64]
    """Share of the tokens' characters in n-grams that stood before, counted without overlap."""
    duplicate_10_grams: NDArray[np.float64]


def measure(texts: pa.StringArray, *, words: bool = False) -> Measures:
    """Measure every document of a batch.

    Args:
        texts: shape (D,), no nulls.
        words: n-grams of words instead of characters.

    Source: the repetition measures are those of Rae et al. 2021 (Gopher), table A1, as datatrove counts them.
    """
    offsets, data = _buffers(texts)
    counts, grams = _measure(offsets, data, words)
    column = counts.astype(np.float64).T
    visible = np.maximum(column[_CHARACTERS] - column[_SPACES], 1)
    lines = np.maximum(column[_LINES], 1)
    characters = np.maximum(column[_CHARACTERS], 1)
    gram = np.minimum(grams.T / visible, 1)  # n-grams overlap: in 哈哈哈哈 the top one takes six of four
    return Measures(
        bytes=np.diff(offsets).astype(np.float64),
        characters=column[_CHARACTERS],
        han=column[_HAN],
        han_share=column[_HAN] / visible,
        kana_share=column[_KANA] / visible,
        hangul_share=column[_HANGUL] / visible,
        latin_share=column[_LATIN] / visible,
        symbols=column[_SYMBOLS] / visible,
        mean_line=column[_CHARACTERS] / lines,
        lines_ended=column[_LINES_ENDED] / lines,
        duplicate_lines=column[_DUPLICATE_LINES] / lines,
        duplicate_line_characters=column[_DUPLICATE_LINE_CHARACTERS] / characters,
        top_2_gram=gram[_TOP_2],
        top_3_gram=gram[_TOP_3],
        top_4_gram=gram[_TOP_4],
        duplicate_5_grams=gram[_REPEATED_5],
        duplicate_10_grams=gram[_REPEATED_10],
    )


def _buffers(texts: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    _, offset_buffer, data_buffer = texts.buffers()
    first = texts.offset
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[first : first + len(texts) + 1].astype(np.int64)
    return offsets, np.frombuffer(data_buffer or b"", dtype=np.uint8)


@njit(cache=True, nogil=True)
def _decode(data: NDArray[np.uint8], start: int, end: int, points: NDArray[np.uint32]) -> int:
    """Write the code points of valid UTF-8 into `points`; gives how many."""
    count = 0
    at = start
    while at < end:
        lead = np.uint32(data[at])
        if lead < 0x80:
            points[count] = lead
            at += 1
        elif lead < 0xE0:
            points[count] = ((lead & 0x1F) << 6) | (data[at + 1] & 0x3F)
            at += 2
        elif lead < 0xF0:
            points[count] = ((lead & 0x0F) << 12) | ((data[at + 1] & 0x3F) << 6) | (data[at + 2] & 0x3F)
            at += 3
        else:
            points[count] = (
                ((lead & 0x07) << 18)
                | ((data[at + 1] & 0x3F) << 12)
                | ((data[at + 2] & 0x3F) << 6)
                | (data[at + 3] & 0x3F)
            )
            at += 4
        count += 1
    return count


@njit(cache=True, nogil=True)
def _is_space(point: int) -> bool:
    return point in (0x20, 0x0A, 0x09, 0x3000, 0xA0)


@njit(cache=True, nogil=True)
def _is_han(point: int) -> bool:
    return (
        0x4E00 <= point <= 0x9FFF
        or 0x3400 <= point <= 0x4DBF
        or 0x20000 <= point <= 0x323AF
        or 0xF900 <= point <= 0xFAFF
        or point == 0x3007
    )


@njit(cache=True, nogil=True)
def _ends_sentence(point: int) -> bool:
    return point in (0x3002, 0xFF01, 0xFF1F, 0x2026, 0x201D, 0x300D, 0x300F, 0xFF1B, 0x2E, 0x21, 0x3F, 0x22, 0x3B)


@njit(cache=True, nogil=True)
def _count_scripts(points: NDArray[np.uint32], length: int, counts: NDArray[np.int64]) -> None:
    counts[_CHARACTERS] = length
    for at in range(length):
        point = points[at]
        if _is_han(point):
            counts[_HAN] += 1
        elif _is_space(point):
            counts[_SPACES] += 1
        elif 0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A or 0xC0 <= point <= 0x24F:
            counts[_LATIN] += 1
        elif 0x3041 <= point <= 0x30FF and point != 0x30FB:  # ・ separates names in Chinese, too
            counts[_KANA] += 1
        elif 0xAC00 <= point <= 0xD7A3 or 0x1100 <= point <= 0x11FF:
            counts[_HANGUL] += 1
        elif point in (0x23, 0x2022) or 0x25A0 <= point <= 0x27BF:
            counts[_SYMBOLS] += 1


@njit(cache=True, nogil=True)
def _mix(hashed: Any, token: Any) -> Any:
    """One step of a 64-bit hash: multiply by an odd constant, fold the high half down."""
    hashed = (hashed ^ np.uint64(token)) * np.uint64(0x9E3779B97F4A7C15)
    return hashed ^ (hashed >> np.uint64(29))


@njit(cache=True, nogil=True)
def _visit(key: Any, stamp: int, keys: Any, table: Any) -> Any:
    """Count one more of `key` in an open hash table; gives how often it came since `stamp` was new.

    `table[:, 0]` holds stamps, so that a document clears the table by taking a new one; `table[:, 1]` counts.
    """
    mask = np.uint64(keys.size - 1)
    slot = (key ^ (key >> np.uint64(32))) & mask
    while table[slot, 0] == stamp and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    if table[slot, 0] != stamp:
        table[slot, 0] = stamp
        table[slot, 1] = 0
        keys[slot] = key
    table[slot, 1] += 1
    return table[slot, 1]


@njit(cache=True, nogil=True)
def _count_lines(points: Any, length: int, counts: Any, stamp: int, keys: Any, table: Any) -> None:
    start = 0
    while start < length:
        end = start
        while end < length and points[end] != 0x0A:
            end += 1
        first, last = start, end
        while first < last and _is_space(points[first]):
            first += 1
        while last > first and _is_space(points[last - 1]):
            last -= 1
        if last > first:
            hashed = np.uint64(0)
            for at in range(first, last):
                hashed = _mix(hashed, points[at])
            counts[_LINES] += 1
            counts[_LINES_ENDED] += _ends_sentence(points[last - 1])
            if _visit(hashed, stamp, keys, table) > 1:
                counts[_DUPLICATE_LINES] += 1
                counts[_DUPLICATE_LINE_CHARACTERS] += last - first
        start = end + 1


@njit(cache=True, nogil=True)
def _tokenize(points: Any, length: int, words: bool, tokens: Any, sizes: Any) -> int:
    """Write a hash and a length in characters for each token; gives how many."""
    count = 0
    inside = False
    for at in range(length):
        if _is_space(points[at]):
            inside = False
        elif words and inside:
            tokens[count - 1] = _mix(tokens[count - 1], points[at])
            sizes[count - 1] += 1
        else:
            tokens[count] = _mix(np.uint64(0), points[at])
            sizes[count] = 1
            count += 1
            inside = True
    return count


@njit(cache=True, nogil=True)
def _gram(tokens: Any, sizes: Any, at: int, n: int) -> tuple[Any, Any]:
    hashed, characters = np.uint64(0), 0
    for place in range(at, at + n):
        hashed = _mix(hashed, tokens[place])
        characters += sizes[place]
    return hashed, characters


@njit(cache=True, nogil=True)
def _top_gram(tokens: Any, sizes: Any, n: int, stamp: int, keys: Any, table: Any) -> int:
    most, taken = 1, 0
    for at in range(tokens.size - n + 1):
        hashed, characters = _gram(tokens, sizes, at, n)
        seen = _visit(hashed, stamp, keys, table)
        if seen > most:
            most, taken = seen, seen * characters
    return taken


@njit(cache=True, nogil=True)
def _repeated(tokens: Any, sizes: Any, n: int, stamp: int, keys: Any, table: Any) -> int:
    repeated, at = 0, 0
    while at <= tokens.size - n:
        hashed, characters = _gram(tokens, sizes, at, n)
        if _visit(hashed, stamp, keys, table) > 1:
            repeated += characters
            at += n
        else:
            at += 1
    return repeated


@njit(cache=True, nogil=True)
def _measure(offsets: Any, data: Any, words: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    documents = offsets.size - 1
    longest = 1
    for document in range(documents):
        longest = max(longest, offsets[document + 1] - offsets[document])
    slots = 16
    while slots < 2 * longest:
        slots *= 2
    points = np.empty(longest, dtype=np.uint32)
    tokens = np.empty(longest, dtype=np.uint64)
    sizes = np.empty(longest, dtype=np.int64)
    keys = np.empty(slots, dtype=np.uint64)
    table = np.zeros((slots, 2), dtype=np.int64)
    counts = np.zeros((documents, _COUNTS), dtype=np.int64)
    grams = np.zeros((documents, _GRAM_COUNTS), dtype=np.int64)
    stamp = 0
    for document in range(documents):
        length = _decode(data, offsets[document], offsets[document + 1], points)
        _count_scripts(points, length, counts[document])
        _count_lines(points, length, counts[document], stamp + 1, keys, table)
        count = _tokenize(points, length, words, tokens, sizes)
        used, lengths = tokens[:count], sizes[:count]
        for index in range(3):
            grams[document, index] = _top_gram(used, lengths, index + 2, stamp + 2 + index, keys, table)
        grams[document, _REPEATED_5] = _repeated(used, lengths, 5, stamp + 5, keys, table)
        grams[document, _REPEATED_10] = _repeated(used, lengths, 10, stamp + 6, keys, table)
        stamp += 6
    return counts, grams
