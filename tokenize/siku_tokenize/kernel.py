"""The compiled encoder: UTF-8 in, piece ids out, exactly as SentencePiece's BPE gives them.

SentencePiece starts from characters and merges, again and again, the pair of neighbours whose merged piece
has the highest score, the leftmost of equals. No merge can cross two characters that stand side by side in
no piece, so a document falls apart there into segments: of Chinese, a few characters; of English, a word.
Each is merged on its own. Short ones by looking for the best pair each time (at most 64 symbols), longer
ones by a heap, so that a megabyte of one letter costs n log n as well.

    n  symbols of a segment        symbol  see tables.py
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from siku_tokenize.tables import Tables, find_pair, is_joint

SHORT = 64
NO_RANK = 0x7FFFFFFF
PLACE_BITS = 40  # a heap key is rank << 40 | place: segments up to 10**12 symbols


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def keep_living(segment: NDArray[np.int32], n: int) -> int:
    """Close the gaps that merged symbols left; give the number of symbols."""
    kept = 0
    for i in range(n):
        if segment[i] >= 0:
            segment[kept] = segment[i]
            kept += 1
    return kept


@njit(nogil=True, cache=True)
def put_bytes(code_point: int, byte_ids: NDArray[np.int32], out: NDArray[np.uint16], at: int) -> int:
    """Write the byte pieces of a character; give the place after them."""
    if code_point < 0x80:
        out[at] = byte_ids[code_point]
        return at + 1
    if code_point < 0x800:
        out[at] = byte_ids[0xC0 | code_point >> 6]
    elif code_point < 0x10000:
        out[at] = byte_ids[0xE0 | code_point >> 12]
        at += 1
        out[at] = byte_ids[0x80 | code_point >> 6 & 0x3F]
    else:
        out[at] = byte_ids[0xF0 | code_point >> 18]
        at += 1
        out[at] = byte_ids[0x80 | code_point >> 12 & 0x3F]
        at += 1
        out[at] = byte_ids[0x80 | code_point >> 6 & 0x3F]
    out[at + 1] = byte_ids[0x80 | code_point & 0x3F]
    return at + 2


@njit(nogil=True, cache=True, inline="always")
def read_character(data: NDArray[np.uint8], at: int) -> tuple[np.int64, int]:
    """Give the code point at a byte of valid UTF-8, U+2581 for a space, and the byte after it."""
    lead = np.int64(data[at])
    if lead == 0x20:
        return np.int64(0x2581), at + 1
    if lead < 0x80:
        return lead, at + 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | data[at + 1] & 0x3F, at + 2
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F, at + 3
    high = (lead & 7) << 18 | (data[at + 1] & 0x3F) << 12
    return high | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F, at + 4


@njit(nogil=True, cache=True)
def twice_as_long(segment: NDArray[np.int32]) -> NDArray[np.int32]:
    """Copy a full segment into one with room for as much again."""
    longer = np.empty(2 * len(segment), np.int32)
    longer[: len(segment)] = segment
    return longer


@njit(nogil=True, cache=True)
def put_merged(
    segment: NDArray[np.int32], n: int, scratch: NDArray[np.int32], tables: Tables, out: NDArray[np.uint16], at: int
) -> int:
    """Merge a segment and write its ids from `out[at]` on; give the place after them."""
    if n > SHORT:
        n = merge_long(segment, n, tables)
    elif n > 1:
        n = merge_short(segment, n, scratch, tables)
    for i in range(n):
        if segment[i] < tables.vocabulary:
            out[at] = segment[i]
            at += 1
        else:
            at = put_bytes(tables.inner[segment[i] - tables.vocabulary], tables.byte_ids, out, at)
    return at


@njit(nogil=True, cache=True, inline="always")
def as_one(n: int, first: int, last: int, pairs: NDArray[np.uint64]) -> np.int64:
    """Give the symbol that a segment of one or two becomes as a whole, -1 if it needs more.

    Nine tenths of the segments of Chinese text are that short. Symbols are handed over, not the segment: an
    array that is assigned anew in the loop is counted at each inlined call, which halves the speed.
    """
    whole = np.int64(-1)
    if n == 1:
        whole = np.int64(first)
    elif n == 2:
        whole = find_pair(pairs, first, last)
    return whole


@njit(nogil=True, cache=True)
def encode_documents(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], tables: Tables, out: NDArray[np.uint16]
) -> NDArray[np.int64]:
    """Encode documents one after the other.

    Args:
        data: UTF-8, valid.
        offsets: int64 (documents + 1,), where each document begins in `data`.
        tables: the model.
        out: room for the ids of all documents side by side: a document of b bytes needs at most b + 1.

    Returns:
        int64 (documents,), ids of each document.
    """
    lengths = np.empty(len(offsets) - 1, np.int64)
    segment = np.empty(1024, np.int32)
    scratch = np.empty((2, SHORT), np.int32)
    symbols, joints, pairs, vocabulary = tables.symbols, tables.joints, tables.pairs, tables.vocabulary
    written = 0
    for document in range(len(lengths)):
        at, end, first = offsets[document], offsets[document + 1], written
        n, last = 0, np.int64(-1)
        if tables.prefix >= 0 and at < end:
            n, last = 1, np.int64(tables.prefix)
            segment[0] = symbols[last]
        while n > 0 or at < end:  # one turn more than characters, which ends the last segment
            code_point, symbol = np.int64(-1), np.int32(-1)
            if at < end:
                code_point, at = read_character(data, at)
                symbol = symbols[code_point]
            if n > 0 and (symbol < 0 or not is_joint(joints, last, code_point)):
                whole = as_one(n, segment[0], segment[n - 1], pairs)
                if 0 <= whole < vocabulary:
                    out[written] = whole
                    written += 1
                else:
                    written = put_merged(segment, n, scratch, tables, out, written)
                n = 0
            if symbol >= 0:
                if n == len(segment):
                    segment = twice_as_long(segment)
                segment[n] = symbol
                n += 1
                last = code_point
            elif code_point >= 0:
                written = put_bytes(code_point, tables.byte_ids, out, written)
        lengths[document] = written - first
    return lengths
