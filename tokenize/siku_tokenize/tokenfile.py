r"""Token files: a flat `.bin` of ids and a small `.idx` of document lengths, in Megatron's layout.

    STEM.bin   the ids of all documents, one after the other, little-endian
    STEM.idx   magic "MMIDIDX\0\0" | version 1 (u64) | dtype code (u8) | documents n (u64) | n + 1 (u64)
               | lengths (i32 × n, tokens) | offsets (i64 × n, bytes) | document borders 0 … n (i64 × n + 1)

megatron-core's IndexedDataset and datatrove read these files as they are. The writer streams: it holds one
batch of ids, whatever the number of documents, and the `.idx` appears only after its `.bin` is complete, so
a stem with an `.idx` is whole. The reader is one ndarray over one memory map; a window is a slice of it,
which costs half of slicing `np.memmap` (whose every slice builds a new memmap object).

Source of the layout: Megatron-LM, megatron/core/datasets/indexed_dataset.py.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from siku_manifests.atomic import PARTIAL_SUFFIX, sync_folder
from siku_manifests.errors import InputError, storage_errors

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
HEADER = struct.Struct("<9sQBQQ")
# Megatron knows no uint32; ids fit int32 all the same, so that is what a large vocabulary is stored as.
DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype("<u2"), 4: np.dtype("<i4")}
CODES = {dtype: code for code, dtype in DTYPES.items()}
MAX_DOCUMENT_TOKENS = 2**31 - 1
CHUNK = 1 << 20

TokenArray = NDArray[np.uint16] | NDArray[np.int32]


def token_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """Give the dtype of a token file: uint16 while every id fits, else int32.

    Example: token_dtype(55_296) -> uint16; token_dtype(65_537) -> int32
    """
    return np.dtype("<u2") if vocabulary_size <= 65_536 else np.dtype("<i4")


class TokenWriter:
    """Streams documents into `STEM.bin` and `STEM.idx`; made by `open_token_writer`."""

    def __init__(self, ids: IO[bytes], index: IO[bytes], dtype: np.dtype[Any]) -> None:
        self._ids = ids
        self._index = index
        self.dtype = dtype
        self.document_count = 0
        self.token_count = 0
        index.seek(HEADER.size)

    def write(self, tokens: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Append a batch of documents.

        Args:
            tokens: shape (total tokens,), the documents of the batch side by side, an integer dtype.
            lengths: shape (documents,), tokens of each; their sum is len(tokens). Zero is allowed.

        Raises:
            ValueError: the lengths do not add up, an id does not fit the dtype, or a document has more
                than 2**31 - 1 tokens.
        """
        if int(lengths.sum()) != len(tokens):
            msg = f"lengths add up to {int(lengths.sum())} tokens, but {len(tokens)} were given"
            raise ValueError(msg)
        if len(lengths) and int(lengths.max()) > MAX_DOCUMENT_TOKENS:
            msg = f"a document of {int(lengths.max())} tokens; the format holds {MAX_DOCUMENT_TOKENS}"
            raise ValueError(msg)
        limits = np.iinfo(self.dtype)
        if tokens.dtype != self.dtype and len(tokens):
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high > limits.max:
                msg = f"ids run from {low} to {high}, which {self.dtype} cannot hold"
                raise ValueError(msg)
        self._ids.write(np.ascontiguousarray(tokens, self.dtype).data)
        self._index.write(np.ascontiguousarray(lengths, "<i4").data)
        self.document_count += len(lengths)
        self.token_count += len(tokens)

    def copy(self, part: TokenFile) -> None:
        """Append all documents of another token file of the same dtype, a megabyte at a time.

        Raises:
            InputError: the part holds another dtype.
        """
        if part.dtype != self.dtype:
            msg = f"{part.stem}.bin holds {part.dtype}, but the file being written holds {self.dtype}."
            raise InputError(msg)
        with part.stem.with_name(part.stem.name + ".bin").open("rb") as source:
            shutil.copyfileobj(source, self._ids, CHUNK)
        self._index.write(np.ascontiguousarray(part.lengths, "<i4").data)
        self.document_count += part.document_count
        self.token_count += part.token_count

    def _finish(self) -> None:
        """Write offsets and borders behind the lengths, then the header in front of them."""
        offset = 0
        for first in range(0, self.document_count, CHUNK):
            count = min(CHUNK, self.document_count - first)
            self._index.seek(HEADER.size + 4 * first)
            lengths = np.frombuffer(self._index.read(4 * count), "<i4").astype(np.int64)
            ends = offset + np.cumsum(lengths) * self.dtype.itemsize
            self._index.seek(HEADER.size + 4 * self.document_count + 8 * first)
            self._index.write((ends - lengths * self.dtype.itemsize).astype("<i8").data)
            offset = int(ends[-1])
        self._index.seek(HEADER.size + 12 * self.document_count)
        for first in range(0, self.document_count + 1, CHUNK):
            last = min(first + CHUNK, self.document_count + 1)
            self._index.write(np.arange(first, last, dtype="<i8").data)
        self._index.seek(0)
        self._index.write(HEADER.pack(MAGIC, VERSION, CODES[self.dtype], self.document_count, self.document_count + 1))


@contextmanager
def open_token_writer(stem: Path, dtype: DTypeLike) -> Iterator[TokenWriter]:
    """Write a token file that appears whole or not at all; memory does not grow with its size.

    Args:
        stem: path without suffix; `STEM.bin` and `STEM.idx` are made.
        dtype: uint16 or int32 (see `token_dtype`).

    Raises:
        StorageError: no room or no permission.
    """
    names = [stem.with_name(stem.name + suffix) for suffix in (".bin", ".idx")]
    partial = [name.with_name(name.name + PARTIAL_SUFFIX) for name in names]
    kind = np.dtype(dtype).newbyteorder("<")
    if kind not in CODES:
        msg = f"{stem}: token files hold uint16 or int32, not {kind}"
        raise ValueError(msg)
    with storage_errors(stem):
        stem.parent.mkdir(parents=True, exist_ok=True)
        # An old index must not describe a new .bin, not even for a moment.
        names[1].unlink(missing_ok=True)
        try:
            with partial[0].open("wb") as ids, partial[1].open("wb+") as index:
                writer = TokenWriter(ids, index, kind)
                yield writer
                writer._finish()
                for stream in (ids, index):
                    stream.flush()
                    os.fsync(stream.fileno())
            for source, target in zip(partial, names, strict=True):
                source.replace(target)
        except BaseException:
            for path in partial:
                path.unlink(missing_ok=True)
            raise
        sync_folder(stem.parent)


def write_token_file(stem: Path | str, documents: Iterable[NDArray[Any]], dtype: DTypeLike) -> TokenFile:
    """Write one document after the other and open the result.

    Example: write_token_file("news", [np.array([5, 6, 2]), np.array([2])], np.uint16).lengths -> [3, 1]
    """
    with open_token_writer(Path(stem), dtype) as writer:
        for document in documents:
            writer.write(document, np.array([len(document)]))
    return TokenFile(stem)


def join_token_files(stem: Path, parts: Iterable[Path], dtype: DTypeLike) -> TokenFile:
    """Write the documents of several token files, in order, as one; a few megabytes are held at a time.

    Raises:
        InputError: a part is missing, damaged or of another dtype.
    """
    with open_token_writer(stem, dtype) as writer:
        for path in parts:
            writer.copy(TokenFile(path))
    return TokenFile(stem)


def _map(path: Path) -> mmap.mmap | bytes:
    """Map a file for reading; an empty file, which cannot be mapped, gives b""."""
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


class TokenFile:
    """A token file opened for reading; cheap to open, pickle and share between processes.

    Attributes:
        tokens: shape (token_count,), every id of the file; a read-only view of the memory map.
        lengths: shape (document_count,), int32, tokens of each document.
        dtype: uint16 or int32.

    Args:
        stem: path without suffix.

    Raises:
        InputError: a half is missing, the magic is wrong, or the sizes of the two halves disagree.
    """

    tokens: TokenArray
    lengths: NDArray[np.int32]

    def __init__(self, stem: Path | str) -> None:
        self.stem = Path(stem)
        paths = [self.stem.with_name(self.stem.name + suffix) for suffix in (".bin", ".idx")]
        for path in paths:
            if not path.is_file():
                msg = f"{path}: missing; a token file is a .bin and an .idx, made by `siku tokens`."
                raise InputError(msg)
        index = _map(paths[1])
        self.dtype, documents = _read_header(paths[1], index)
        self.lengths = np.frombuffer(index, "<i4", documents, HEADER.size)
        self._offsets = np.frombuffer(index, "<i8", documents, HEADER.size + 4 * documents)
        size = paths[0].stat().st_size
        end = int(self._offsets[-1]) + int(self.lengths[-1]) * self.dtype.itemsize if documents else 0
        if size != end:
            msg = f"{paths[0]}: {size} bytes, but its index describes {end}; rebuild it with `siku tokens`."
            raise InputError(msg)
        self.tokens = np.frombuffer(_map(paths[0]), self.dtype)

    def __reduce__(self) -> tuple[type[TokenFile], tuple[Path]]:
        return TokenFile, (self.stem,)

    def __repr__(self) -> str:
        return f"TokenFile({str(self.stem)!r}, {self.document_count} documents, {self.token_count} tokens)"

    @property
    def document_count(self) -> int:
        """Number of documents, empty ones included."""
        return len(self.lengths)

    @property
    def token_count(self) -> int:
        """Number of ids in the file."""
        return len(self.tokens)

    def document(self, i: int) -> TokenArray:
        """Give the ids of document `i`, 0 ≤ i < document_count, as a view."""
        if not 0 <= i < len(self.lengths):
            msg = f"document {i} of {len(self.lengths)} in {self.stem}"
            raise IndexError(msg)
        start = int(self._offsets[i]) // self.dtype.itemsize
        return self.tokens[start : start + int(self.lengths[i])]

    def window(self, start: int, length: int) -> TokenArray:
        """Give ids start … start + length - 1, across document borders, as a view.

        The last window of a file is shorter when fewer than `length` ids are left.
        """
        return self.tokens[start : start + length]

    def window_count(self, length: int) -> int:
        """Count the windows of `length` inputs and `length` shifted labels; window k starts at k × length.

        Each takes length + 1 ids and shares its last one with the next, so that every id but the first is
        a label once.

        Example: 2,049 ids and length 1,024 -> 2
        """
        return max(0, (self.token_count - 1) // length)


def _read_header(path: Path, index: mmap.mmap | bytes) -> tuple[np.dtype[Any], int]:
    """Check the index of a token file; give its dtype and its number of documents."""
    problem = ""
    if len(index) < HEADER.size:
        problem = f"{len(index)} bytes are too few for an index"
    else:
        magic, version, code, documents, borders = HEADER.unpack_from(index)
        expected = HEADER.size + 12 * documents + 8 * borders
        if magic != MAGIC:
            problem = f"it begins with {magic!r} instead of {MAGIC!r}"
        elif version != VERSION:
            problem = f"version {version} instead of {VERSION}"
        elif code not in DTYPES:
            problem = f"dtype code {code}; Siku reads 8 (uint16) and 4 (int32)"
        elif len(index) != expected:
            problem = f"{len(index)} bytes instead of {expected} for {documents} documents"
    if problem:
        msg = f"{path}: not a token file's index: {problem}; rebuild it with `siku tokens`."
        raise InputError(msg)
    return DTYPES[code], documents
