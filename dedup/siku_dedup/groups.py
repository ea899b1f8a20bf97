"""Documents with equal band keys, found among millions.

Shape legend: D documents, G groups, M members.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

_PARTITION = 65_536
_FILTER_BITS = 16
"""Of the filter for a document, at least: one in twenty that are alone passes it."""
HALF = np.uint64(0xFFFFFFFF)
"""The row in a packed word."""
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # no place in a partition is that large


class Groups(NamedTuple):
    """Documents that share a band's key, two or more in a group."""

    members: NDArray[np.int32]
    """Shape (M,), ascending inside a group."""
    starts: NDArray[np.int64]
    """Shape (G + 1,)."""


def equal_keys(keys: NDArray[np.uint64]) -> Groups:
    """The groups of documents with equal keys.

    Memory: 16 bytes a document; 50 more for those of the largest partition, which are all where all keys are equal.
    Keys are partitioned by their top bits until the filter of one partition fits the L2 cache.
    """
    bits = max(0, int(len(keys) // _PARTITION).bit_length())
    # Made here and not in the kernel: numpy asks for huge pages, without which scattered writes take 3 times as long.
    packed = np.empty(len(keys), np.uint64)
    members = np.empty(len(keys), np.int32)
    ends = np.empty(len(keys) // 2 + 1, np.int64)
    bounds = partition(keys, bits, packed)
    count = group_partitions(bounds, packed, keys, members, ends)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:count]])
    return Groups(members[: starts[-1]].copy(), starts)


@kernel
def partition(  # pragma: no cover
    keys: NDArray[np.uint64], bits: int, packed: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Scatter documents by the top bits of their key.

    Args:
        keys: shape (D,).
        bits: how many, less than 64.
        packed: out, shape (D,): low half of the key, and the row. One word a document, since each further stream of
            scattered writes costs as much as the first.

    Returns:
        Bounds of the partitions in `packed`, shape (2**bits + 1,).
    """
    bounds = np.zeros((1 << bits) + 1, np.int64)
    # Shifting by 64 is undefined, so the top bits are taken in two steps.
    shift = np.uint64(63 - bits)
    for doc in range(len(keys)):
        bounds[((keys[doc] >> shift) >> np.uint64(1)) + np.uint64(1)] += 1
    for p in range(1 << bits):
        bounds[p + 1] += bounds[p]
    cursor = bounds[:-1].copy()
    for doc in range(len(keys)):
        p = (keys[doc] >> shift) >> np.uint64(1)
        # Unsigned, since numba tests a signed index for being negative.
        at = np.uint64(cursor[p])
        packed[at] = (keys[doc] << np.uint64(32)) | np.uint64(doc)
        cursor[p] = at + np.uint64(1)
    return bounds


@kernel
def group_partitions(  # pragma: no cover
    bounds: NDArray[np.int64],
    packed: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    members: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> int:
    """Group equal keys inside each partition; returns the number of groups.

    Most documents are alone, which a filter tells for less than a hash table; the rest goes through a table and
    chains. The table holds packed words with the place among that rest for the row; whole keys are looked up only
    where the halves are equal.
    """
    widest = 1
    for p in range(len(bounds) - 1):
        widest = max(widest, bounds[p + 1] - bounds[p])
    filter_ = np.empty(2 * _power_of_two(widest * _FILTER_BITS // 64), np.uint64)
    table = np.empty(_power_of_two(2 * widest), np.uint64)
    rest = np.empty(widest + 1, np.uint64)
    following, last = np.empty(widest, np.int32), np.empty(widest, np.int32)
    groups, out = 0, 0
    for p in range(len(bounds) - 1):
        part = rest[: _not_alone(packed[bounds[p] : bounds[p + 1]], filter_, rest)]
        _chain(part, keys, table[: _power_of_two(2 * len(part))], following, last)
        for i in range(len(part)):
            if last[i] > i:
                at = i
                while at >= 0:
                    members[out] = part[at] & HALF
                    out += 1
                    at = following[at]
                ends[groups] = out
                groups += 1
    return groups


@kernel
def _power_of_two(least: int) -> int:  # pragma: no cover
    power = 16
    while power < least:
        power *= 2
    return power


@kernel
def _not_alone(  # pragma: no cover
    part: NDArray[np.uint64], filter_: NDArray[np.uint64], rest: NDArray[np.uint64]
) -> np.uint64:
    """Copy those words of a partition whose bit another has too, in their order; their number.

    A word of the filter says which bits were seen, the next one which were seen again. No branches, since chance
    decides each.
    """
    filter_[:] = np.uint64(0)
    one, mask = np.uint64(1), np.uint64(32 * len(filter_) - 1)
    for i in range(len(part)):
        place = (part[i] >> np.uint64(32)) & mask
        at, bit = (place >> np.uint64(6)) << one, one << (place & np.uint64(63))
        seen = filter_[at]
        filter_[at | one] |= seen & bit
        filter_[at] = seen | bit
    count = np.uint64(0)
    for i in range(len(part)):
        place = (part[i] >> np.uint64(32)) & mask
        again = filter_[((place >> np.uint64(6)) << one) | one]
        rest[count] = part[i]
        count += (again >> (place & np.uint64(63))) & one
    return count


@kernel
def _chain(  # pragma: no cover
    part: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    table: NDArray[np.uint64],
    following: NDArray[np.int32],
    last: NDArray[np.int32],
) -> None:
    """Chain words of equal keys: the next of each, -1 at the end, and for the first of a chain its last."""
    table[:] = _EMPTY
    for i in range(len(part)):
        word = part[i]
        slot = _slot(table, part, keys, word)
        found = table[slot]
        following[i] = -1
        if found == _EMPTY:
            table[slot] = (word & ~HALF) | np.uint64(i)
            last[i] = i
        else:
            head = found & HALF
            following[last[head]] = i
            last[head] = i
            last[i] = -1


@kernel
def _slot(  # pragma: no cover
    table: NDArray[np.uint64], part: NDArray[np.uint64], keys: NDArray[np.uint64], word: np.uint64
) -> np.uint64:
    """Where a document's key stands in the table of its partition, or the free place for it."""
    mask = np.uint64(len(table) - 1)
    # Of the half key the upper bits too: words that share the filter's bits would crowd otherwise.
    slot = ((word >> np.uint64(32)) ^ (word >> np.uint64(47))) & mask
    found = table[slot]
    while found != _EMPTY and (
        (found ^ word) >> np.uint64(32) != 0 or keys[part[found & HALF] & HALF] != keys[word & HALF]
    ):
        slot = (slot + np.uint64(1)) & mask
        found = table[slot]
    return slot
