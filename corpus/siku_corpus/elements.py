"""The elements of a JSON list one by one, so that a list of any length is read in the memory of its longest element.

A compiled scanner follows strings and brackets and says where an element ends; what an element means is the reader's to
decode. So one broken element costs one record, as a broken line does in JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_corpus.opening import Input
from siku_corpus.records import Bad
from siku_manifests.kernels import kernel

MAX_ELEMENT_BYTES = 64 << 20
_BLOCK_BYTES = 1 << 20
_SHOWN_BYTES = 64 << 10
_BLANK = b" \t\r\n"
_DEPTH, _IN_STRING, _ESCAPED = range(3)


class Element(NamedTuple):
    """One element of a list."""

    number: int
    """From 0."""
    offset: int
    """Of its first byte in the file, blanks before it counted as its own."""
    data: bytes


def iterate_elements(file: Input) -> Iterator[Element | Bad]:
    """The elements of a file that is one JSON list.

    Yields:
        Elements, and a bad record for one that is too long, and where the list does not end.
    """
    with file.open("rb") as stream:
        buffer = stream.read(_BLOCK_BYTES)
        begin = buffer.find(b"[") + 1
        held, offset, number = [], begin, 0
        length = 0
        state = np.array([1, 0, 0], dtype=np.int64)
        block = buffer[begin:]
        while block and state[_DEPTH] > 0:
            start = 0
            for end in _ends(np.frombuffer(block, dtype=np.uint8), state).tolist():
                held.append(block[start:end])
                length += end - start
                found = _element(number, offset, held, length)
                if found is not None:
                    yield found
                    number += 1
                offset += length + 1
                held, length, start = [], 0, end + 1
            if state[_DEPTH] > 0:
                if length < MAX_ELEMENT_BYTES:
                    held.append(block[start:])
                length += len(block) - start
            block = stream.read(_BLOCK_BYTES)
    if state[_DEPTH] > 0:
        yield Bad("json", "the list ends in the middle", b"".join(held)[:_SHOWN_BYTES], offset=offset, length=length)


def _element(number: int, offset: int, held: list[bytes], length: int) -> Element | Bad | None:
    """An element of what was held, or nothing where there are blanks only, as in an empty list."""
    data = b"".join(held)
    if length > MAX_ELEMENT_BYTES:
        detail = f"element {number} has {length:,} bytes; more than {MAX_ELEMENT_BYTES >> 20} MiB is no document"
        return Bad("size", detail, data[:_SHOWN_BYTES], offset=offset, length=length)
    data = data.strip(_BLANK)
    return Element(number, offset, data) if data else None


@kernel
def _ends(data: NDArray[np.uint8], state: NDArray[np.int64]) -> Any:
    """Where elements end in a block: at a comma of depth 1, and at the bracket that closes the list.

    Args:
        data: shape (B,).
        state: depth, whether in a string, whether behind a backslash; changed for the block that follows.

    Returns:
        Places in the block, ascending.
    """
    ends = np.empty(data.size, dtype=np.int64)
    count = 0
    depth, in_string, escaped = state[_DEPTH], state[_IN_STRING] == 1, state[_ESCAPED] == 1
    for at in range(data.size):
        byte = data[at]
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        else:
            depth += _turn(byte)
            if depth == 0 or (byte == 0x2C and depth == 1):
                ends[count] = at
                count += 1
            if depth == 0:
                break
    state[_DEPTH], state[_IN_STRING], state[_ESCAPED] = depth, int(in_string), int(escaped)
    return ends[:count]


@kernel
def _turn(byte: int) -> int:
    """What a byte outside strings adds to the depth."""
    if byte in (0x5B, 0x7B):
        return 1
    return -1 if byte in (0x5D, 0x7D) else 0
