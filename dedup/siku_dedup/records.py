"""Any Parquet or JSON-lines file that people have: its texts to sign, and its records to keep.

What is kept is the record as it was: all columns of a Parquet row, the bytes of a line.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from siku_manifests.atomic import atomic_path
from siku_manifests.errors import InputError

LINE_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".json.gz")
ROWS = 4096
BATCH_BYTES = 32 << 20
"""A batch has at most `ROWS` records, and fewer where they are longer than 8 KiB."""


class Columns(NamedTuple):
    """Which fields of a record matter."""

    text: str = "text"
    id: str = ""
    """Empty: a record is named by its file and number, FILE#0."""


class Batch(NamedTuple):
    """Some records in order."""

    ids: pa.Array
    texts: pa.Array


def read_records(path: Path, columns: Columns) -> Iterator[Batch]:
    """Ids and texts of a file's records, some thousand at a time.

    Raises:
        InputError: the file is missing or of another kind, a column is missing, a line is broken.
    """
    if not path.is_file():
        msg = f"{path}: no such file."
        raise InputError(msg)
    row = 0
    for batch in _read_parquet(path, columns) if path.suffix == ".parquet" else _read_lines(path, columns):
        ids = batch.ids or pa.array([f"{path.name}#{number}" for number in range(row, row + len(batch.texts))])
        yield Batch(ids.cast(pa.string()), batch.texts)
        row += len(batch.texts)


def write_records(path: Path, kept: NDArray[np.bool_], target: Path) -> None:
    """Write the records of `path` for which `kept`, shape (D,), is true, in the form they have there."""
    with atomic_path(target) as partial:
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file, pq.ParquetWriter(partial, file.schema_arrow, compression="zstd") as out:
                row = 0
                for batch in file.iter_batches(batch_size=ROWS):
                    out.write_batch(batch.filter(pa.array(kept[row : row + len(batch)])))
                    row += len(batch)
            return
        with _opened(path) as lines, partial.open("wb") as raw:
            # Without a time in its header, so that the same records give the same bytes.
            out_stream = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            out_stream.writelines(line for line, keep in zip(_filled(lines), kept, strict=True) if keep)
            out_stream.flush()
            if out_stream is not raw:
                out_stream.close()


def _read_parquet(path: Path, columns: Columns) -> Iterator[Batch]:
    wanted = [column for column in columns if column]
    try:
        with pq.ParquetFile(path) as file:
            for name in wanted:
                if name not in file.schema_arrow.names:
                    msg = (
                        f"{path}: no column {name!r}; it has {', '.join(file.schema_arrow.names)}; name the right one."
                    )
                    raise InputError(msg)
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata), columns=wanted):
                yield Batch(batch[columns.id] if columns.id else None, batch[columns.text])
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read as Parquet ({error}); write it again."
        raise InputError(msg) from error


def _batch_rows(metadata: pq.FileMetaData) -> int:
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    return max(1, min(ROWS, int(BATCH_BYTES * metadata.num_rows // max(1, size))))


def _read_lines(path: Path, columns: Columns) -> Iterator[Batch]:
    if not path.name.endswith(LINE_SUFFIXES):
        msg = f"{path}: expected .parquet or {', '.join(LINE_SUFFIXES)}; convert it."
        raise InputError(msg)
    ids: list[str] = []
    texts: list[str] = []
    size = 0
    with _opened(path) as lines:
        for number, line in enumerate(_filled(lines), start=1):
            record = _decoded(line, path, number)
            for name, values in ((columns.text, texts), (columns.id, ids)):
                if name:
                    values.append(_field(record, name, f"{path}: record {number}"))
            size += len(line)
            if len(texts) == ROWS or size >= BATCH_BYTES:
                yield _batch(ids, texts)
                ids, texts, size = [], [], 0
    yield _batch(ids, texts)


def _batch(ids: list[str], texts: list[str]) -> Batch:
    return Batch(pa.array(ids, pa.string()) if ids else None, pa.array(texts, pa.large_string()))


def _decoded(line: bytes, path: Path, number: int) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: record {number} is no JSON object ({error}); mend or remove the line."
        raise InputError(msg) from error


def _field(record: dict[str, object], name: str, place: str) -> str:
    value = record.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    msg = f"{place} has no text in {name!r}; it has {', '.join(record)}; name the right field."
    raise InputError(msg)


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _filled(lines: IO[bytes]) -> Iterator[bytes]:
    """Lines that hold a record."""
    return (line for line in lines if line.strip())
