"""Files that are either whole or absent: a temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import rfc8785

from siku_manifests.errors import StorageError, storage_errors

PARTIAL_SUFFIX = ".partial"


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, without which a rename may be lost when the power goes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        StorageError: there is no room, no permission, or the place takes no folders.
    """
    with storage_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # a place such as /proc
            msg = f"{folder}: no folder can be made there; give another place with --out."
            raise StorageError(msg) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path to write; on success it is fsynced and renamed to `path`, else removed.

    Raises:
        StorageError: no room or no permission.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    with storage_errors(path):
        make_folder(path.parent)
        try:
            yield partial
            with partial.open("rb+") as written:
                os.fsync(written.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open `path` for binary writing; it appears under its name only when the block ends without error."""
    with atomic_path(path) as partial, partial.open("wb") as stream:
        yield stream


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_write(path) as stream:
        stream.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON (RFC 8785) and a final newline, atomically."""
    write_bytes(path, rfc8785.dumps(value) + b"\n")
