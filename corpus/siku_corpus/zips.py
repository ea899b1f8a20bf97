"""Zip archives from any byte: which members begin in a range, and a stream of each.

The real THUCNews.zip has 1.7 million members; `zipfile` would make a gigabyte of objects of them in each worker.
Here the directory at the archive's end is walked once a process and kept as two arrays; a range builds only the
entries that are its own. Streams are zipfile's, with its check of length and CRC.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, cast
from zipfile import BadZipFile, ZipExtFile, ZipInfo

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 1 << 16
_ALL_ONES = 0xFFFFFFFF
_UTF8_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1
_EXTRA_64 = 1


class Entry(NamedTuple):
    """A member that is no folder."""

    path: str
    info: ZipInfo
    encrypted: bool


class _Directory(NamedTuple):
    headers: array[int]
    """Where each member's local header begins, ascending."""
    places: array[int]
    """Where its directory entry begins, in the same order."""
    shift: int
    """Bytes in front of the archive, as self-extracting ones have."""


def iterate_entries(file: Path, start: int, end: int) -> Iterator[Entry]:
    """The members whose local header begins in [start, end), in the archive's order.

    Raises:
        BadZipFile: there is no directory, or it is broken.
    """
    status = file.stat()
    directory = _directory(file, status.st_size, status.st_mtime_ns)
    first = 0 if start <= 0 else bisect_left(directory.headers, start)
    last = bisect_left(directory.headers, end)
    if first == last:
        return
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        entries = [_entry(data, directory.places[index], directory.shift) for index in range(first, last)]
    yield from (entry for entry in entries if not entry.path.endswith("/"))


def open_entry(file: Path, info: ZipInfo) -> IO[bytes]:
    """A stream of a member's bytes.

    Raises:
        BadZipFile: there is no member at its place; while reading: another length or CRC than the directory says.
        NotImplementedError: a compression that zipfile does not know.
    """
    stream = file.open("rb")
    try:
        stream.seek(info.header_offset)
        head = stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
            msg = f"no member begins at byte {info.header_offset}"
            raise BadZipFile(msg)
        *_, name, extra = _LOCAL.unpack(head)
        stream.seek(name + extra, 1)
        return cast("IO[bytes]", ZipExtFile(stream, "r", info, close_fileobj=True))
    except BaseException:
        stream.close()
        raise


@lru_cache(maxsize=4)
def _directory(file: Path, size: int, modified: int) -> _Directory:  # noqa: ARG001  the last two say which version
    if size < _END.size:
        msg = "the file is too short for a zip archive"
        raise BadZipFile(msg)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin, length, shift = _find(data)
        pairs: list[tuple[int, int]] = []
        place = begin
        while place < begin + length:
            header = _header_offset(data, place)
            pairs.append((header + shift, place))
            name, extra, comment = struct.unpack_from("<3H", data, place + 28)
            place += _ENTRY.size + name + extra + comment
    pairs.sort()
    return _Directory(array("Q", (pair[0] for pair in pairs)), array("Q", (pair[1] for pair in pairs)), shift)


def _find(data: mmap.mmap) -> tuple[int, int, int]:
    """Begin and length of the directory, and how many bytes stand in front of the archive."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - _END.size - _LONGEST_COMMENT))
    if end < 0 or end + _END.size > len(data):
        msg = "there is no directory at its end: it was cut, or is no zip archive"
        raise BadZipFile(msg)
    *_, length, offset, _ = _END.unpack_from(data, end)
    tail = end
    locator = end - _LOCATOR_64.size
    if locator >= 0 and data[locator : locator + 4] == b"PK\x06\x07":
        tail = locator - _END_64.size
        if tail < 0 or data[tail : tail + 4] != b"PK\x06\x06":
            msg = "its 64-bit directory is not where it should be"
            raise BadZipFile(msg)
        *_, length, offset = _END_64.unpack_from(data, tail)
    begin = tail - length
    if begin < 0 or begin < offset:
        msg = "its directory is longer than the archive"
        raise BadZipFile(msg)
    return begin, length, begin - offset


def _header_offset(data: mmap.mmap, place: int) -> int:
    if data[place : place + 4] != b"PK\x01\x02":
        msg = f"its directory is broken at byte {place}"
        raise BadZipFile(msg)
    offset: int = struct.unpack_from("<L", data, place + 42)[0]
    return offset if offset != _ALL_ONES else _entry(data, place, 0).info.header_offset


def _entry(data: mmap.mmap, place: int, shift: int) -> Entry:
    fields = _ENTRY.unpack_from(data, place)
    flags, method, crc, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
    name_length, extra_length = fields[10], fields[11]
    name = data[place + _ENTRY.size : place + _ENTRY.size + name_length]
    extra = data[place + _ENTRY.size + name_length : place + _ENTRY.size + name_length + extra_length]
    size, packed, header = _sizes_64(extra, [size, packed, fields[16]])
    info = ZipInfo(filename="member")
    info.flag_bits, info.compress_type, info.CRC = flags, method, crc
    info.compress_size, info.file_size, info.header_offset = packed, size, header + shift
    return Entry(_decode_name(name, flags), info, bool(flags & _ENCRYPTED_FLAG))


def _sizes_64(extra: bytes, values: list[int]) -> list[int]:
    """Sizes and offset, with those that do not fit into 32 bits taken from the extra field."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == _EXTRA_64:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, place + 4))
            return [next(wide, value) if value == _ALL_ONES else value for value in values]
        place += 4 + length
    return values


def _decode_name(name: bytes, flags: int) -> str:
    """Without the flag for UTF-8 a name should be cp437; in China it is GB18030, from a Mac UTF-8 all the same."""
    for encoding in ("utf-8",) if flags & _UTF8_FLAG else ("utf-8", "gb18030"):
        try:
            return name.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.decode("cp437")
