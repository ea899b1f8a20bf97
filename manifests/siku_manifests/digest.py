"""Digests: of bytes, of a table's content whatever its encoding, of code, of a value."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785

_CHUNK_BYTES = 1 << 20

PRESENTATION = frozenset(
    {
        "__main__.py",
        "command.py",
        "commands.py",
        "compare.py",
        "download.py",
        "families.py",
        "fetcher.py",
        "fetching.py",
        "hub.py",
        "intent.py",
        "preview.py",
        "progress.py",
        "provenance.py",
        "reference.py",
        "rehearsal.py",
        "report",
        "verify.py",
        "web.py",
    }
)
"""Modules and packages that show, check or fetch and never decide a byte, since fetched bytes enter the key by their
hash: a reworded help text must not retrain a model."""


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_value(value: Any) -> str:
    """Hexadecimal sha256 of a JSON value in its canonical spelling (RFC 8785).

    Raises:
        rfc8785.CanonicalizationError: the value has no stable form; never replaced by its `str`.
    """
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def content_sha256(path: Path) -> str:
    """Hexadecimal sha256 of what a shard says, independent of how Parquet encodes it.

    For Parquet, column by column in schema order: name, type and row count; then the lengths of all values
    (8 bytes each, little-endian, 2**64 − 1 for null); then their bytes. Numbers are their 8 bytes alone. Row
    groups, compression and page sizes leave no trace. For any other file it is the hash of its bytes.

    Raises:
        InputError: a Parquet file is truncated or fails its checksums.
    """
    if path.suffix != ".parquet":
        return sha256_file(path)
    from siku_manifests.shards import read_table  # noqa: PLC0415  a no-op run must not wait for pyarrow

    table = read_table(path)
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table.column(name)
        digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
        _update_with_column(digest, column)
    return digest.hexdigest()


def _update_with_column(digest: Any, column: Any) -> None:
    import numpy as np  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        digest.update(column.to_numpy().astype("<i8").tobytes())
        return
    values = []
    for chunk in column.chunks:
        _, offset_buffer, value_buffer = chunk.cast(pa.large_binary()).buffers()
        offsets = np.frombuffer(offset_buffer, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        lengths = np.diff(offsets).astype("<u8")
        if chunk.null_count:
            lengths[chunk.is_null().to_numpy(zero_copy_only=False)] = np.iinfo(np.uint64).max
        digest.update(lengths.tobytes())
        values.append(memoryview(value_buffer or b"")[offsets[0] : offsets[-1]])
    for value in values:
        digest.update(value)


@cache
def code_digest(packages: tuple[str, ...]) -> str:
    """Hexadecimal sha256 over the source of packages, without importing them; presentation modules left out.

    Raises:
        ModuleNotFoundError: a package is not installed.
    """
    digest = hashlib.sha256()
    for package in sorted(packages):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            msg = f"package {package} is not installed"
            raise ModuleNotFoundError(msg)
        root = Path(spec.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            relative = path.relative_to(root)
            if relative.parts[0] not in PRESENTATION:
                digest.update(f"{package}/{relative.as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions of distributions, by name as given; local parts (`+cpu`) left off."""
    return {name: importlib.metadata.version(name).partition("+")[0] for name in sorted(names)}
