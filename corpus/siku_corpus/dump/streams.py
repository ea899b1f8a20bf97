"""Bytes of a dump from a place in the middle of the file: plain, or bz2 of one or many streams.

A multistream dump is many small bz2 streams behind each other, which any reader takes for one. A stream starts at a
byte, so its ten-byte head can be searched for, and the index file that comes with such a dump is not needed.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_BLOCK_BYTES = 1 << 20
_HEAD = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_HEAD_BYTES = 10


class Chunk(NamedTuple):
    """Decompressed bytes in their order."""

    data: bytes
    offset: int
    """In the file: of the first byte (plain), or of the bz2 stream that they are from."""
    owned: bool
    """Whether they belong to the range; what follows it is read only to finish a page."""
    exact: bool
    """Whether `offset + n` is where byte n stands in the file."""


class Damage(NamedTuple):
    """A place where a compressed stream could not be read on; the next chunk is from a later stream."""

    offset: int
    detail: str
    data: bytes
    owned: bool


def is_compressed(file: Path) -> bool:
    """Whether a file begins like bz2."""
    with file.open("rb") as stream:
        return stream.read(3) == b"BZh"


def read_chunks(file: Path, start: int, end: int) -> Iterator[Chunk | Damage]:
    """The bytes that belong to [start, end) of the file, then on to the file's end for who wants more."""
    with file.open("rb") as stream:
        yield from _bz2_chunks(stream, start, end) if is_compressed(file) else _plain_chunks(stream, start, end)


def _plain_chunks(stream: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    stream.seek(start)
    offset = start
    while data := stream.read(min(_BLOCK_BYTES, end - offset) if offset < end else _BLOCK_BYTES):
        yield Chunk(data, offset, owned=offset < end, exact=True)
        offset += len(data)


def _bz2_chunks(stream: BinaryIO, start: int, end: int) -> Iterator[Chunk | Damage]:
    following = start
    while (offset := _find_head(stream, following)) is not None:
        following = yield from _one_stream(stream, offset, owned=offset < end)


def _one_stream(stream: BinaryIO, offset: int, *, owned: bool) -> Generator[Chunk | Damage, None, int]:
    """Decompress a stream; the generator's value is where to look for the next one."""
    stream.seek(offset)
    decompressor = bz2.BZ2Decompressor()
    place = offset
    while not decompressor.eof:
        block = stream.read(_BLOCK_BYTES) if decompressor.needs_input else b""
        place += len(block)
        if decompressor.needs_input and not block:
            yield Damage(offset, "the file ends in the middle of a bz2 stream", b"", owned)
            return place
        try:
            data = decompressor.decompress(block, _BLOCK_BYTES)
        except OSError as error:
            stream.seek(offset)
            yield Damage(offset, f"broken bz2 stream: {error}", stream.read(_BLOCK_BYTES >> 4), owned)
            return offset + _HEAD_BYTES
        if data:
            yield Chunk(data, offset, owned=owned, exact=False)
    return place - len(decompressor.unused_data)


def _find_head(stream: BinaryIO, start: int) -> int | None:
    stream.seek(start)
    tail, offset = b"", start
    while block := stream.read(_BLOCK_BYTES):
        window = tail + block
        if found := _HEAD.search(window):
            return offset - len(tail) + found.start()
        offset += len(block)
        tail = window[1 - _HEAD_BYTES :]
    return None
