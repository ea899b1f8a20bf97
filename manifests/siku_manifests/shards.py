"""Shards: Parquet files whose bytes are a function of their rows alone.

pyarrow writes equal bytes for equal tables when compression, row-group size, page checksums and the stored
schema are fixed and the table has one chunk; so a shard is held in memory, combined, and written at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from siku_manifests.atomic import atomic_path
from siku_manifests.errors import InputError

ROW_GROUP_ROWS = 16_384
"""Rows in a row group: a few MB of poems, 40 MB of long articles."""


def write_table(table: pa.Table, path: Path) -> None:
    """Write one shard atomically; the same rows give the same bytes, whatever their chunks were.

    Raises:
        StorageError: no room or no permission.
    """
    with atomic_path(path) as partial:
        pq.write_table(
            table.combine_chunks(),
            partial,
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            write_page_checksum=True,
            store_schema=False,
        )


class ShardWriter:
    """Write batches as `FOLDER/STEM-00000.parquet`, `…-00001`, each closed at `shard_bytes` of Arrow data.

    A boundary depends on the order and size of rows only: batches are cut where the limit falls, so another
    batching of the same rows gives the same shards. One shard is held in memory. Nothing is written for a
    source without rows.

    Example:
        with ShardWriter(folder, "poetry", schema, shard_bytes=256 << 20) as writer:
            writer.write(batch)
        writer.paths -> [folder/"poetry-00000.parquet"]
    """

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, *, shard_bytes: int) -> None:
        self.paths: list[Path] = []
        self.rows = 0
        self._folder = folder
        self._stem = stem
        self._schema = schema
        self._limit = shard_bytes
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows of the writer's schema."""
        sizes = row_bytes(batch)
        start = 0
        for row, size in enumerate(sizes):
            if self._pending_bytes and self._pending_bytes + size > self._limit:
                self._keep(batch.slice(start, row - start))
                self._flush()
                start = row
            self._pending_bytes += size
        self._keep(batch.slice(start))

    def _keep(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._pending.append(batch)
            self.rows += batch.num_rows

    def _flush(self) -> None:
        if not self._pending:
            return
        path = self._folder / f"{self._stem}-{len(self.paths):05d}.parquet"
        write_table(pa.Table.from_batches(self._pending, self._schema), path)
        self.paths.append(path)
        self._pending, self._pending_bytes = [], 0


def row_bytes(batch: pa.RecordBatch) -> list[int]:
    """Bytes of string and binary data in each row, the measure by which shards are cut."""
    sizes = pa.array([0] * batch.num_rows, pa.int64())
    for column in batch.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            sizes = pc.add(sizes, pc.cast(pc.binary_length(column), pa.int64()))
    values: list[int] = sizes.to_pylist()
    return values


def read_batches(
    paths: Iterable[Path], *, columns: list[str] | None = None, batch_rows: int = ROW_GROUP_ROWS
) -> Iterator[pa.RecordBatch]:
    """Rows of shards in order, with page checksums verified; one row group in memory at a time.

    Raises:
        InputError: a file is missing, truncated or fails its checksum.
    """
    for path in paths:
        with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as shard:
            yield from shard.iter_batches(batch_size=batch_rows, columns=columns)


def row_group_runs(path: Path, *, run_bytes: int) -> list[tuple[list[int], int]]:
    """Neighbouring row groups of a shard, gathered for ranges of work.

    Args:
        path: of the shard.
        run_bytes: uncompressed Parquet bytes of a run at most; a larger row group is a run of its own.

    Returns:
        (numbers of the row groups, their uncompressed bytes) of each run, in the order of rows.

    Raises:
        InputError: the file is missing or truncated.
    """
    with _reading(path):
        metadata = pq.read_metadata(path)
    runs: list[tuple[list[int], int]] = []
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).total_byte_size
        if runs and runs[-1][1] + size <= run_bytes:
            runs[-1] = ([*runs[-1][0], group], runs[-1][1] + size)
        else:
            runs.append(([group], size))
    return runs


def read_row_groups(path: Path, groups: Iterable[int], *, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Rows of some row groups of a shard, a row group at a time, with page checksums verified.

    Raises:
        InputError: the file is missing, truncated or fails its checksum.
    """
    with _reading(path), pq.ParquetFile(path, page_checksum_verification=True) as shard:
        for group in groups:
            yield from shard.iter_batches(batch_size=ROW_GROUP_ROWS, row_groups=[group], columns=columns)


def read_table(path: Path) -> pa.Table:
    """A whole shard, with page checksums verified.

    Raises:
        InputError: the file is missing, truncated or fails its checksum.
    """
    with _reading(path):
        return pq.read_table(path, page_checksum_verification=True)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:  # the footer's names are not checksummed
        msg = f"{path}: cannot be read as a Parquet shard ({error}); run `siku verify` and rebuild its stage."
        raise InputError(msg) from error
