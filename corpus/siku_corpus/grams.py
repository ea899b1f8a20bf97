"""How much of a document its n-grams take: compiled counting, one small hash table a document.

Shapes: D documents, C code points of a batch, T tokens of one document. A token is a character that is no space, or
for English a word between spaces; an n-gram is n tokens.

A gram's hash comes from two prefix hashes (Rabin and Karp 1987), so it costs the same for every n. The table is as
large as the document asks for and holds hash and count in one word: an article's table stays in the first-level
cache, where one sized for the batch's longest document would miss at every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siku_corpus.counting import is_space
from siku_manifests.kernels import kernel

TOP_2, TOP_3, TOP_4, REPEATED_5, REPEATED_10 = range(5)
"""Columns of `count_grams`: characters of the most frequent pair, three, four; characters in repeated runs."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_FINAL = np.uint64(0xD6E8FEB86659FD93)
_COUNT_BITS = np.uint64(24)
"""Of a table's word; the rest is the hash. Documents are shorter than 2 ** 24 characters."""


@kernel
def count_grams(points: NDArray[np.uint32], starts: NDArray[np.int64], words: bool) -> NDArray[np.int64]:
    """Characters that frequent and repeated n-grams take.

    Args:
        points: shape (C,), the batch's code points.
        starts: shape (D + 1,), where each document begins.
        words: n-grams of words instead of characters.

    Returns:
        Shape (D, 5), the columns TOP_2 to REPEATED_10. An n-gram that comes once takes nothing; repeated ones are
        counted without overlap.
    """
    documents = starts.size - 1
    longest = 1
    for document in range(documents):
        longest = max(longest, starts[document + 1] - starts[document])
    slots = 16
    while slots < 2 * longest:
        slots *= 2
    prefix = np.zeros(longest + 1, dtype=np.uint64)
    sizes = np.zeros(longest + 1, dtype=np.int64)
    table = np.empty(slots, dtype=np.uint64)
    taken = np.zeros((documents, 5), dtype=np.int64)
    for document in range(documents):
        text = points[starts[document] : starts[document + 1]]
        tokens = _prefixes(text, words, prefix, sizes)
        slots = 16
        while slots < 2 * tokens:
            slots *= 2
        row, used = taken[document], table[:slots]
        for n in range(2, 5):
            row[TOP_2 + n - 2] = _top_gram(prefix, sizes, tokens, n, used)
        row[REPEATED_5] = _repeated(prefix, sizes, tokens, 5, used)
        if row[REPEATED_5] > 0:  # a run of ten cannot come again where none of five does
            row[REPEATED_10] = _repeated(prefix, sizes, tokens, 10, used)
    return taken


@kernel
def _prefixes(text: Any, words: bool, prefix: Any, sizes: Any) -> int:
    """Hash and length in characters of the first 0, 1, 2, … tokens; gives how many there are."""
    count = 0
    token = np.uint64(0)
    inside = False
    for at in range(text.size + 1):
        space = at == text.size or is_space(text[at])
        if inside and (space or not words):
            prefix[count + 1] = prefix[count] * _BASE + (token ^ (token >> np.uint64(31)))
            count += 1
            inside = False
        if space:
            continue
        if not inside:
            token, inside = np.uint64(0), True
            sizes[count + 1] = sizes[count]
        token = (token + np.uint64(text[at]) + np.uint64(1)) * _FINAL
        sizes[count + 1] += 1
    return count


@kernel
def _power(n: int) -> Any:
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    return power


@kernel
def _visit(hashed: Any, table: Any) -> int:
    """Count one more of a gram in an open hash table, whose size is a power of two; gives how often it came."""
    hashed ^= hashed >> np.uint64(32)
    hashed *= _FINAL
    hashed ^= hashed >> np.uint64(29)
    mask = np.uint64(table.size - 1)
    tag = hashed >> _COUNT_BITS
    slot = hashed & mask
    while table[slot] != 0 and table[slot] >> _COUNT_BITS != tag:
        slot = (slot + np.uint64(1)) & mask
    if table[slot] == 0:
        table[slot] = tag << _COUNT_BITS
    table[slot] += np.uint64(1)
    return int(table[slot] & ((np.uint64(1) << _COUNT_BITS) - np.uint64(1)))


@kernel
def _top_gram(prefix: Any, sizes: Any, tokens: int, n: int, table: Any) -> int:
    table[:] = 0
    power = _power(n)
    most, taken = 1, 0
    for at in range(tokens - n + 1):
        seen = _visit(prefix[at + n] - prefix[at] * power, table)
        if seen > most:
            most, taken = seen, seen * (sizes[at + n] - sizes[at])
    return taken


@kernel
def _repeated(prefix: Any, sizes: Any, tokens: int, n: int, table: Any) -> int:
    table[:] = 0
    power = _power(n)
    repeated, at = 0, 0
    while at <= tokens - n:
        if _visit(prefix[at + n] - prefix[at] * power, table) > 1:
            repeated += sizes[at + n] - sizes[at]
            at += n
        else:
            at += 1
    return repeated
