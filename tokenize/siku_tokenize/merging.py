"""Merging of one segment, compiled: the pair of neighbours with the best score first, the leftmost of equals.

Short segments look for the best pair each time; longer ones keep a heap, so that a megabyte of one letter
costs n log n. A segment is an array of symbols of which the first n count; see `tables.py` for symbols.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel
from siku_tokenize.tables import Tables, find_pair

SHORT = 64
NO_RANK = 0x7FFFFFFF
PLACE_BITS = 40
"""A heap key is rank << 40 | place: segments up to 10**12 symbols."""


@kernel
def merge_short(segment: NDArray[np.int32], n: int, scratch: NDArray[np.int32], tables: Tables) -> int:
    """Merge a short segment in place; give the number of symbols left.

    Args:
        segment: symbols; the first n count.
        n: 2 … SHORT.
        scratch: (2, SHORT); what neighbours i and i + 1 merge into, -1 for nothing, and the rank of that.
        tables: the model.
    """
    found, ranks = scratch[0], scratch[1]
    for i in range(n - 1):
        found[i] = find_pair(tables.pairs, segment[i], segment[i + 1])
        ranks[i] = tables.ranks[found[i]] if found[i] >= 0 else NO_RANK
    while n > 1:
        best = 0
        for i in range(1, n - 1):
            if ranks[i] < ranks[best]:
                best = i
        if ranks[best] == NO_RANK:
            break
        segment[best] = found[best]
        n -= 1
        for i in range(best + 1, n):
            segment[i] = segment[i + 1]
        for i in range(best, n - 1):
            found[i] = found[i + 1]
            ranks[i] = ranks[i + 1]
        for i in range(max(0, best - 1), min(best + 1, n - 1)):
            found[i] = find_pair(tables.pairs, segment[i], segment[i + 1])
            ranks[i] = tables.ranks[found[i]] if found[i] >= 0 else NO_RANK
    return n


@kernel
def sift_down(heap: NDArray[np.int64], size: int, at: int) -> None:
    """Restore the heap below `at`; the smallest key lies at 0."""
    key = heap[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = key


@kernel
def sift_up(heap: NDArray[np.int64], at: int) -> None:
    """Restore the heap above `at`."""
    key = heap[at]
    while at > 0:
        parent = (at - 1) // 2
        if heap[parent] <= key:
            break
        heap[at] = heap[parent]
        at = parent
    heap[at] = key


@kernel
def push_pair(
    heap: NDArray[np.int64], size: int, segment: NDArray[np.int32], left: int, right: int, tables: Tables
) -> int:
    """Put the pair at places (left, right) on the heap if it can merge; give the heap's new size."""
    merged = find_pair(tables.pairs, segment[left], segment[right])
    if merged < 0:
        return size
    heap[size] = (np.int64(tables.ranks[merged]) << PLACE_BITS) | left
    sift_up(heap, size)
    return size + 1


@kernel
def merge_long(segment: NDArray[np.int32], n: int, tables: Tables) -> int:
    """Merge a segment of any length in place, in O(n log n); give the number of symbols left.

    Places are linked, merged ones die (-1). A key that no longer describes its place is dropped when it
    comes up; one that describes it again, by another way, is as good as the fresh key beside it.
    """
    after = np.arange(1, n + 1)
    before = np.arange(-1, n - 1)
    heap = np.empty(2 * n, np.int64)  # n - 1 pairs at first; a merge takes one and adds at most two
    size = 0
    for i in range(n - 1):
        size = push_pair(heap, size, segment, i, i + 1, tables)
    while size > 0:
        key = heap[0]
        size -= 1
        heap[0] = heap[size]
        sift_down(heap, size, 0)
        place = key & ((1 << PLACE_BITS) - 1)
        right = after[place]
        if segment[place] < 0 or right >= n:
            continue
        merged = find_pair(tables.pairs, segment[place], segment[right])
        if merged < 0 or tables.ranks[merged] != key >> PLACE_BITS:
            continue
        segment[place] = merged
        segment[right] = -1
        after[place] = after[right]
        if after[place] < n:
            before[after[place]] = place
            size = push_pair(heap, size, segment, place, after[place], tables)
        if before[place] >= 0:
            size = push_pair(heap, size, segment, before[place], place, tables)
    kept: int = keep_living(segment, n)
    return kept


@kernel
def keep_living(segment: NDArray[np.int32], n: int) -> int:
    """Close the gaps that merged symbols left; give the number of symbols."""
    kept = 0
    for i in range(n):
        if segment[i] >= 0:
            segment[kept] = segment[i]
            kept += 1
    return kept
