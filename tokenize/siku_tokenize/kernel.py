"""The compiled encoder: UTF-8 in, piece ids out, exactly as SentencePiece's BPE gives them.

SentencePiece starts from characters and merges, again and again, the pair of neighbours whose merged piece
has the highest score, the leftmost of equals. No merge can cross two characters that stand side by side in
no piece, so a document falls apart there into segments: of Chinese, a few characters; of English, a word.
Each is merged on its own. Short ones by looking for the best pair each time (at most 64 symbols), longer
ones by a heap, so that a megabyte of one letter costs n log n as well.

Words come again: a segment of three and more symbols is looked up among those merged before, by its bytes.

    n  symbols of a segment        symbol  see tables.py
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel
from siku_tokenize.merging import SHORT, merge_long, merge_short
from siku_tokenize.tables import MIX, Tables, find_pair, is_joint

MEMORY_BITS = 13  # 256 KiB of rows, which stay in the second-level cache


@kernel
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


@kernel(inline="always")
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


@kernel
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


@kernel(inline="always")
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


@kernel(inline="always")
def put_again(first: int, count: int, out: NDArray[np.uint16], at: int) -> None:
    """Write ids that stand in `out` once more."""
    for i in range(count):
        out[at + i] = out[first + i]


@kernel(inline="always")
def note(memory: NDArray[np.int64], row: int, begin: int, end: int, first: int, count: int) -> int:
    """Keep where a segment's bytes and its ids stand; give the row."""
    memory[row, 0] = begin
    memory[row, 1] = end
    memory[row, 2] = first
    memory[row, 3] = count
    return row


@kernel
def recall(
    memory: NDArray[np.int64], segment: NDArray[np.int32], n: int, data: NDArray[np.uint8], begin: int, end: int
) -> np.int64:
    """Find the row of a segment that was merged before; minus (row + 1) of where to note it, if it was not.

    Args:
        memory: int64 (MEMORY, 4), rows (begin, end, first, count): bytes of a segment in `data`, ids in `out`.
        segment: its symbols; the first n count.
        n: 3 and more.
        data: UTF-8.
        begin: first byte of the segment.
        end: byte after it.
    """
    key = np.uint64(n)
    for i in range(n):
        key = (key ^ np.uint64(segment[i])) * MIX
    row = np.int64(key >> np.uint64(64 - MEMORY_BITS))
    before = memory[row, 0]
    if memory[row, 1] - before != end - begin:
        return -row - 1
    for i in range(end - begin):
        if data[before + i] != data[begin + i]:
            return -row - 1
    return row


@kernel
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
    lengths = np.diff(offsets)
    segment = np.empty(lengths.max() + 1 if len(lengths) else 0, np.int32)
    scratch, memory = np.empty((2, SHORT), np.int32), np.zeros((1 << MEMORY_BITS, 4), np.int64)
    symbols, joints, pairs, vocabulary = tables.symbols, tables.joints, tables.pairs, tables.vocabulary
    written = 0
    for document in range(len(lengths)):
        at, end, start = offsets[document], offsets[document + 1], written
        last = np.int64(tables.prefix if at < end else -1)
        n = 1 if last >= 0 else 0
        segment[0] = symbols[last]
        begin = at - n  # one byte too early for a segment that begins with the prefix: its bytes do not say so
        while n > 0 or at < end:  # one turn more than characters, which ends the last segment
            here, code_point, symbol = at, np.int64(-1), np.int32(-1)
            if at < end:
                code_point, at = read_character(data, at)
                symbol = symbols[code_point]
            if n > 0 and (symbol < 0 or not is_joint(joints, last, code_point)):
                whole = as_one(n, segment[0], segment[n - 1], pairs)
                if 0 <= whole < vocabulary:
                    out[written] = whole
                    written += 1
                elif n <= 2 or begin < offsets[document]:
                    written = put_merged(segment, n, scratch, tables, out, written)
                else:
                    row = recall(memory, segment, n, data, begin, here)
                    if row < 0:
                        after = put_merged(segment, n, scratch, tables, out, written)
                        row = note(memory, -row - 1, begin, here, written, after - written)
                    else:
                        put_again(memory[row, 2], memory[row, 3], out, written)
                    written += memory[row, 3]
                n, begin = 0, here
            if symbol >= 0:
                segment[n] = symbol
                n, last = n + 1, code_point
            elif code_point >= 0:
                written = put_bytes(code_point, tables.byte_ids, out, written)
                begin = at
        lengths[document] = written - start
    return lengths
