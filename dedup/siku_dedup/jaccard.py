"""The Jaccard similarity of pairs of texts, counted on their sets of shingles; this decides, signatures only propose.

Shingles are compared by a 64-bit hash: for two texts of 10,000 shingles one pair of different shingles passes
for equal with probability 10**-11, and would move the similarity by 10**-4.

Shape legend: C code points, D documents, P pairs.
"""

import numpy as np
from numpy.typing import NDArray

from siku_dedup.points import Points
from siku_dedup.shingles import fill_wide
from siku_manifests.kernels import kernel

_MAX_SLOTS = 1 << 22
"""Of the table of one text, 8 bytes each: texts of more shingles than half of it are compared in several passes."""
_BLOCK = 1024
_FREE = np.uint64(0)


def jaccard(
    points: Points, left: NDArray[np.int64], right: NDArray[np.int64], *, n: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Exact similarities of P pairs of texts.

    Args:
        points: D texts.
        left: shape (P,), row of the one text; pairs with the same left text side by side save its table.
        right: shape (P,), row of the other.
        n: shape (P,), characters in a shingle.

    Returns:
        Shape (P,): shingles in both over shingles in either; a text shorter than n is one shingle.

    Example:
        "春眠不覺曉", "春眠不觉曉", n=2 -> 2 common of 6 = 0.333…
    """
    out = np.empty(len(left), np.float64)
    if len(left):
        longest = int(np.diff(points.starts).max()) + 1
        slots = min(_MAX_SLOTS, 1 << (2 * longest).bit_length())
        passes = -(-2 * longest // slots)
        fill_jaccard(points.values, points.starts, np.stack([left, right, n], axis=1), (slots, passes), out)
    return out


@kernel
def fill_jaccard(  # pragma: no cover
    values: NDArray[np.uint32],
    starts: NDArray[np.int64],
    pairs: NDArray[np.int64],
    sizes: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Kernel of `jaccard`: the left text's shingles in a table, in which those of the right are looked up.

    What the right text has in common with the left is marked by the number of the comparison; what it has alone goes
    into a table of its own. In each pass only the shingles of one residue class are looked at, so that a text of any
    length fits the tables.
    """
    slots, passes = sizes
    table_l, table_r = np.empty(slots, np.uint64), np.empty(slots, np.uint64)
    marks = np.zeros(slots, np.uint32)
    table, distinct = table_l, 0
    for p in range(len(pairs)):
        left, right, n = pairs[p]
        text_l, text_r = values[starts[left] : starts[left + 1]], values[starts[right] : starts[right + 1]]
        common, either = 0, 0
        for part in range(passes):
            if p == 0 or passes > 1 or left != pairs[p - 1, 0] or n != pairs[p - 1, 2]:
                table = _cleared(table_l, len(text_l))
                distinct = _insert(text_l, n, (part, passes), table)
            alone = _cleared(table_r, len(text_r))
            mark = np.uint32(p * passes + part + 1)
            both, other = _look_up(text_r, n, (part, passes), (table, alone), (marks, mark))
            common += both
            either += distinct + other
        out[p] = common / either


@kernel
def _cleared(table: NDArray[np.uint64], keys: int) -> NDArray[np.uint64]:  # pragma: no cover
    """As much of a table as so many keys fill by half at most, so that it stays in the nearest cache."""
    slots = 16
    while slots < 2 * keys and slots < len(table):
        slots *= 2
    part = table[:slots]
    part[:] = _FREE
    return part


@kernel
def _insert(  # pragma: no cover
    text: NDArray[np.uint32], n: int, part: tuple[int, int], table: NDArray[np.uint64]
) -> int:
    """Put a text's shingles of one part into a table; how many different ones there are."""
    hashes = np.empty(_BLOCK, np.uint64)
    distinct = 0
    for low in range(0, max(1, len(text) - n + 1), _BLOCK):
        for key in _block(text, low, n, part, hashes):
            slot = _slot(table, key)
            distinct += table[slot] == _FREE
            table[slot] = key
    return distinct


@kernel
def _look_up(  # pragma: no cover
    text: NDArray[np.uint32],
    n: int,
    part: tuple[int, int],
    tables: tuple[NDArray[np.uint64], NDArray[np.uint64]],
    marks: tuple[NDArray[np.uint32], np.uint32],
) -> tuple[int, int]:
    """Different shingles of a text that the first table holds, and those that it does not; they go into the second."""
    table, alone = tables
    seen, mark = marks
    hashes = np.empty(_BLOCK, np.uint64)
    both, other = 0, 0
    for low in range(0, max(1, len(text) - n + 1), _BLOCK):
        for key in _block(text, low, n, part, hashes):
            slot = _slot(table, key)
            if table[slot] == key:
                both += seen[slot] != mark
                seen[slot] = mark
            else:
                slot = _slot(alone, key)
                other += alone[slot] == _FREE
                alone[slot] = key
    return both, other


@kernel
def _block(  # pragma: no cover
    text: NDArray[np.uint32], low: int, n: int, part: tuple[int, int], hashes: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Hashes of a text's shingles from `low` on that belong to a part, told by bits that choose no slot."""
    number, passes = part
    block = hashes[: max(1, min(len(hashes), len(text) - n + 1 - low))]
    fill_wide(text[low:], n, block)
    if passes == 1:
        return block
    count = 0
    for key in block:
        block[count] = key
        count += (key >> np.uint64(40)) % np.uint64(passes) == np.uint64(number)
    return block[:count]


@kernel
def _slot(table: NDArray[np.uint64], key: np.uint64) -> np.uint64:  # pragma: no cover
    """Where a key stands in a table, or the free place for it."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot] != _FREE and table[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot
