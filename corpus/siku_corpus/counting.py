"""What a document is made of: compiled counts of scripts, lines and things that machines write.

Shapes: D documents, C code points of a batch. A run is a stretch of printable ASCII without a space.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

CHARACTERS, SPACES, HAN, KANA, HANGUL, LATIN, SYMBOLS, DIGITS, PUNCTUATION = range(9)
LINES, LINES_ENDED, DUPLICATE_LINES, DUPLICATE_LINE_CHARACTERS = range(9, 13)
IN_LINKS, IN_BLOBS, IN_TAGS = range(13, 16)
"""Columns of `count`."""
_COUNTS = 16
_BLOB_CHARACTERS = 40
"""A longer run of letters, digits and `+/=_-%` with no word's end in it was written by a machine for a machine."""
_TAG_CHARACTERS = 300


@kernel
def decode(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The code points of valid UTF-8, and where each document's begin.

    Args:
        offsets: shape (D + 1,), of each document in `data`.
        data: UTF-8 bytes.

    Returns:
        Shapes (C,) and (D + 1,).
    """
    points = np.empty(max(1, offsets[-1] - offsets[0]), dtype=np.uint32)
    starts = np.zeros(offsets.size, dtype=np.int64)
    count = 0
    for document in range(offsets.size - 1):
        at, end = offsets[document], offsets[document + 1]
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
                high = ((lead & 0x07) << 18) | ((data[at + 1] & 0x3F) << 12)
                points[count] = high | ((data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F)
                at += 4
            count += 1
        starts[document + 1] = count
    return points[:count], starts


@kernel
def count(points: NDArray[np.uint32], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts of each document.

    Args:
        points: shape (C,).
        starts: shape (D + 1,).

    Returns:
        Shape (D, 16), the columns CHARACTERS to IN_TAGS.
    """
    documents = starts.size - 1
    counts = np.zeros((documents, _COUNTS), dtype=np.int64)
    most = 1
    for document in range(documents):
        most = max(most, _count_line_ends(points, starts[document], starts[document + 1]))
    slots = 4
    while slots < 2 * most:
        slots *= 2
    lines = np.zeros(slots, dtype=np.uint64)
    for document in range(documents):
        text, row = points[starts[document] : starts[document + 1]], counts[document]
        _count_scripts(text, row)
        _count_lines(text, row, lines)
        _count_runs(text, row)
        _count_tags(text, row)
    return counts


@kernel
def is_space(point: int) -> bool:
    """Whether a code point stands between words: space, line end, tab, ideographic and no-break space."""
    return point in (0x20, 0x0A, 0x09, 0x3000, 0xA0)


@kernel
def _is_han(point: int) -> bool:
    return (
        0x4E00 <= point <= 0x9FFF
        or 0x3400 <= point <= 0x4DBF
        or 0x20000 <= point <= 0x323AF
        or 0xF900 <= point <= 0xFAFF
        or point == 0x3007
    )


@kernel
def _is_symbol(point: int) -> bool:
    """`#`, bars, bullets, arrows of a menu, dingbats and emoji."""
    return (
        point in (0x23, 0x7C, 0xFF5C, 0x2022, 0xBB, 0x203A) or 0x25A0 <= point <= 0x27BF or 0x1F300 <= point <= 0x1FAFF
    )


@kernel
def _is_mark(point: int) -> bool:
    """The marks ，。！？；：、…～ and , . ! ? ; : ~ that end or divide sentences."""
    return point in (
        0xFF0C, 0x3002, 0xFF01, 0xFF1F, 0xFF1B, 0xFF1A, 0x3001, 0x2026, 0xFF5E,
        0x2C, 0x2E, 0x21, 0x3F, 0x3B, 0x3A, 0x7E,
    )  # fmt: skip


@kernel
def _ends_sentence(point: int) -> bool:
    return point in (0x3002, 0xFF01, 0xFF1F, 0x2026, 0x201D, 0x300D, 0x300F, 0xFF1B, 0x2E, 0x21, 0x3F, 0x22, 0x3B)


@kernel
def _count_scripts(text: Any, counts: Any) -> None:
    counts[CHARACTERS] = text.size
    for point in text:
        if _is_han(point):
            counts[HAN] += 1
        elif is_space(point):
            counts[SPACES] += 1
            counts[PUNCTUATION] += point == 0x0A
        elif _is_mark(point):
            counts[PUNCTUATION] += 1
        elif 0x30 <= point <= 0x39:
            counts[DIGITS] += 1
        elif 0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A or 0xC0 <= point <= 0x24F:
            counts[LATIN] += 1
        elif 0x3041 <= point <= 0x30FF and point != 0x30FB:  # ・ separates names in Chinese, too
            counts[KANA] += 1
        elif 0xAC00 <= point <= 0xD7A3 or 0x1100 <= point <= 0x11FF:
            counts[HANGUL] += 1
        elif _is_symbol(point):
            counts[SYMBOLS] += 1


@kernel
def _count_line_ends(points: Any, start: int, end: int) -> int:
    lines = 1
    for at in range(start, end):
        lines += points[at] == 0x0A
    return lines


@kernel
def _count_lines(text: Any, counts: Any, table: Any) -> None:
    """Lines that are not blank; `table` is a set of hashes, as large as the batch's longest list of lines asks for."""
    slots = 4
    while slots < 2 * _count_line_ends(text, 0, text.size):
        slots *= 2
    seen = table[:slots]
    seen[:] = 0
    start = 0
    while start < text.size:
        end = start
        while end < text.size and text[end] != 0x0A:
            end += 1
        first, last = start, end
        while first < last and is_space(text[first]):
            first += 1
        while last > first and is_space(text[last - 1]):
            last -= 1
        if last > first:
            counts[LINES] += 1
            counts[LINES_ENDED] += _ends_sentence(text[last - 1])
            if _stood_before(text[first:last], seen):
                counts[DUPLICATE_LINES] += 1
                counts[DUPLICATE_LINE_CHARACTERS] += last - first
        start = end + 1


@kernel
def _stood_before(line: Any, seen: Any) -> bool:
    hashed = np.uint64(0)
    for point in line:
        hashed = (hashed ^ np.uint64(point)) * np.uint64(0x9E3779B97F4A7C15)
        hashed ^= hashed >> np.uint64(29)
    hashed |= np.uint64(1)  # 0 stands for an empty place
    mask = np.uint64(seen.size - 1)
    slot = (hashed >> np.uint64(32)) & mask
    while seen[slot] != 0 and seen[slot] != hashed:
        slot = (slot + np.uint64(1)) & mask
    found = seen[slot] == hashed
    seen[slot] = hashed
    return bool(found)


@kernel
def _count_runs(text: Any, counts: Any) -> None:
    """Characters of addresses, and of blobs such as base64 and hexadecimal dumps."""
    start = 0
    for at in range(text.size + 1):
        if at < text.size and 0x21 <= text[at] <= 0x7E:
            continue
        if at - start >= 8:
            run = text[start:at]
            if _is_link(run):
                counts[IN_LINKS] += run.size
            elif run.size >= _BLOB_CHARACTERS and _is_blob(run):
                counts[IN_BLOBS] += run.size
        start = at + 1


@kernel
def _is_link(run: Any) -> bool:
    """Whether it holds `://` or begins with `www.`."""
    if (run[0] | 0x20, run[1] | 0x20, run[2] | 0x20, run[3]) == (0x77, 0x77, 0x77, 0x2E):
        return True
    for at in range(run.size - 2):  # noqa: SIM110  numba compiles no generator
        if run[at] == 0x3A and run[at + 1] == 0x2F and run[at + 2] == 0x2F:
            return True
    return False


@kernel
def _is_blob(run: Any) -> bool:
    """Whether it has letters and digits, and of signs only those of encodings: `+/=_-%`, comma and backslash."""
    digits = 0
    for point in run:
        if 0x30 <= point <= 0x39:
            digits += 1
        elif not (
            0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A or point in (0x2B, 0x2F, 0x3D, 0x5F, 0x2D, 0x25, 0x5C)
        ):
            return False
    return digits > 0


@kernel
def _count_tags(text: Any, counts: Any) -> None:
    at = 0
    while at < text.size:
        end = _tag_end(text, at) if text[at] == 0x3C else at
        counts[IN_TAGS] += end - at
        at = max(end, at + 1)


@kernel
def _tag_end(text: Any, start: int) -> int:
    """Where the HTML tag ends that begins at `start`, or the text that was cut in it; `start` if there is none.

    A tag has a name of ASCII letters, and other letters only behind an equals sign: a<b, text:<El País…> are none.
    """
    at = start + 1
    if at < text.size and text[at] in (0x2F, 0x21):
        at += 1
    name = at
    while at < text.size and (0x61 <= text[at] | 0x20 <= 0x7A or 0x30 <= text[at] <= 0x39 or text[at] == 0x2D):
        at += 1
    if at == name or (at < text.size and text[at] not in (0x20, 0x0A, 0x2F, 0x3E)):
        return start
    valued = False
    while at < text.size and at - start < _TAG_CHARACTERS:
        if text[at] == 0x3E:
            return at + 1
        valued |= text[at] == 0x3D
        if text[at] > 0x7E and not valued:
            return start
        at += 1
    return at if at == text.size else start
