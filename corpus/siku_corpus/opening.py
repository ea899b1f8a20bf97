"""What a reader is handed: a file, a member of an archive, or either of them behind a compression.

`pathlib.Path` is an Input as it is. A member and a compressed file look the same to a reader, which therefore
knows nothing of containers.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import PurePath, PurePosixPath
from typing import IO, Any, Literal, Protocol, cast
from zipfile import BadZipFile

import pyarrow as pa

from siku_corpus.decoding import Transcoded, decode
from siku_corpus.records import Bad

MAX_WHOLE_BYTES = 64 << 20
"""Above this a file that can only be read whole is quarantined. A text of that size is five times too long for a
document, and a JSON object of that size takes half a gigabyte."""
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zstd")
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, BadZipFile, NotImplementedError)
"""What decompressors raise; an OSError with an errno is the disk's, see `is_damage`."""


class Input(Protocol):
    """Something with a name and bytes, to be opened more than once."""

    @property
    def name(self) -> str:
        """Last part of its path, without the ending of a compression."""

    @property
    def parent(self) -> PurePath:
        """The folder around it, which in some sources is a label."""

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        """A stream from its first byte."""


class TooLarge(Exception):  # noqa: N818  a fact about the data
    """A file that cannot be cut is larger than MAX_WHOLE_BYTES."""


class Member:
    """A file inside an archive.

    Args:
        path: inside the archive.
        opener: gives a new stream of its bytes.
    """

    def __init__(self, path: str, opener: Callable[[], IO[bytes]]) -> None:
        self._path = PurePosixPath(path)
        self._opener = opener

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self._path.name

    @property
    def parent(self) -> PurePath:
        """The folder around it, inside the archive."""
        return self._path.parent

    def open(self, mode: Literal["rb"] = "rb") -> IO[bytes]:  # noqa: ARG002  as Path has it
        """A stream from its first byte."""
        return self._opener()

    def read_bytes(self) -> bytes:
        """All of it.

        Raises:
            TooLarge: there is more than MAX_WHOLE_BYTES.
        """
        return read_whole(self)


def is_compressed(name: str) -> bool:
    """Whether the name ends like a single compressed file."""
    return name.lower().endswith(COMPRESSIONS)


def decompressed(file: Input) -> Member:
    """The file inside a compressed one, under its name without the last ending."""
    stem = file.name[: -len(PurePosixPath(file.name).suffix)]
    return Member((file.parent / stem).as_posix(), lambda: _decompress(file.open("rb")))


def transcoded(file: Input, encoding: str) -> Member:
    """The file in UTF-8, under its own name."""
    return Member(
        (file.parent / file.name).as_posix(),
        lambda: io.BufferedReader(Transcoded(file.open("rb"), encoding), 1 << 20),
    )


def _decompress(stream: IO[bytes]) -> IO[bytes]:
    """By the first bytes, since a download that was decompressed on its way keeps its name."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    head = buffered.peek(6)[:6]
    if head.startswith(b"\x1f\x8b"):
        return _Decompressed(gzip.GzipFile(fileobj=buffered), buffered)
    if head.startswith(b"BZh"):
        return _Decompressed(bz2.BZ2File(buffered), buffered)
    if head.startswith(b"\xfd7zXZ\x00"):
        return _Decompressed(lzma.LZMAFile(buffered), buffered)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _Decompressed(pa.CompressedInputStream(pa.PythonFile(buffered, mode="r"), "zstd"), buffered)
    return buffered


class _Decompressed(io.BufferedReader):
    """A decompressor that closes the file below it, which those of the standard library leave to others."""

    def __init__(self, decompressor: Any, below: IO[bytes]) -> None:
        super().__init__(decompressor)
        self._below = below

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


def is_damage(error: Exception) -> bool:
    """Whether it says that the data are broken, and not that the disk is."""
    return isinstance(error, DAMAGE) and not (isinstance(error, OSError) and error.errno is not None)


def read_whole(file: Input) -> bytes:
    """All bytes of a file of a format that cannot be read piece by piece.

    Raises:
        TooLarge: there are more than MAX_WHOLE_BYTES.
    """
    data = read_small(file)
    if data is None:
        msg = f"more than {MAX_WHOLE_BYTES >> 20} MiB in a format that has to be read whole"
        raise TooLarge(msg)
    return data


def read_small(file: Input) -> bytes | None:
    """All bytes of a file up to MAX_WHOLE_BYTES; nothing of a larger one."""
    with file.open("rb") as stream:
        data = stream.read(MAX_WHOLE_BYTES + 1)
    return data if len(data) <= MAX_WHOLE_BYTES else None


def whole_text(file: Input) -> str | Bad:
    """The text of a file that is read whole, or the bad record that it is where no encoding fits.

    Raises:
        TooLarge: there are more than MAX_WHOLE_BYTES.
    """
    data = read_whole(file)
    try:
        return decode(data)
    except UnicodeDecodeError as error:
        return Bad("encoding", str(error), data, offset=0)
