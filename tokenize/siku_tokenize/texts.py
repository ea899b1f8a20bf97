"""Text that a user has lying about, a batch at a time: Parquet, JSON lines, JSON, plain text.

    for source, texts, size in read_files([Path("news.txt"), Path("web.jsonl.gz")]): …

A line of a text file is a document, as a record of the others is. Files whose names differ only in a number
behind the last dash (`news-00000.parquet`, `news-00001.parquet`) are one source.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from siku_manifests.errors import InputError
from siku_tokenize.encode import as_array

ROWS = 8192
BATCH_BYTES = 4 << 20
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
SUFFIXES = (".parquet", *JSON_SUFFIXES, ".txt", ".csv", ".tsv", ".md")
"""What is looked for in a folder, also with .gz behind; a file named by itself may be called anything."""
GZIP = ".gz"


def list_files(places: Iterable[Path]) -> list[Path]:
    """List files, those of a folder in the order of their paths.

    Raises:
        InputError: one is missing, or a folder holds nothing to read.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(path for path in place.rglob("*") if _suffix(path) in SUFFIXES) if place.is_dir() else [place]
        if not inside or not place.exists():
            msg = f"{place}: {'holds no text' if place.is_dir() else 'missing'}; give a file ({', '.join(SUFFIXES)})."
            raise InputError(msg)
        found += inside
    return found


def source_of(path: Path) -> str:
    """Give the source of a file.

    Example: news-00000.parquet -> "news"
    """
    return re.sub(r"-\d{5}$", "", Path(path.stem).stem if path.suffix == GZIP else path.stem)


def read_files(paths: Sequence[Path], *, column: str = "text") -> Iterator[tuple[str, pa.Array, int]]:
    """Yield (source, texts, bytes of the file that they took) in order.

    Args:
        paths: from `list_files`.
        column: of Parquet, field of JSON.

    Raises:
        InputError: a file is damaged, not UTF-8, or has no such column; the message names the place.
    """
    for path in paths:
        read = _read_parquet if path.suffix == ".parquet" else _read_lines
        for texts, size in read(path, column):
            if len(texts):
                yield source_of(path), texts, size


def _read_parquet(path: Path, column: str) -> Iterator[tuple[pa.Array, int]]:
    try:
        with pq.ParquetFile(path) as file:
            if column not in file.schema_arrow.names:
                names = ", ".join(file.schema_arrow.names)
                msg = f"{path}: has no column {column!r}; name one of {names} with --column."
                raise InputError(msg)
            size = path.stat().st_size / max(1, file.metadata.num_rows)
            for batch in file.iter_batches(ROWS, columns=[column]):
                texts = batch[column].drop_null()
                yield as_array(texts.cast(pa.large_string())), round(size * batch.num_rows)
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read as Parquet ({error})."
        raise InputError(msg) from error


def _read_lines(path: Path, column: str) -> Iterator[tuple[pa.Array, int]]:
    """Yield the documents of some lines, and the bytes of the file, as it lies there, that they took."""
    batch: list[str] = []
    size = taken = 0
    try:
        with path.open("rb") as raw, gzip.open(raw) if path.suffix == GZIP else nullcontext(raw) as stream:
            for number, line in _lines(stream, whole=_suffix(path) == ".json"):
                size += len(line)
                batch += _documents(line, f"{path} line {number:,}", _suffix(path), column)
                if size >= BATCH_BYTES:
                    yield as_array(batch), raw.tell() - taken
                    batch, size, taken = [], 0, raw.tell()
            yield as_array(batch), raw.tell() - taken
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot be read ({error})."
        raise InputError(msg) from error


def _lines(stream: BufferedIOBase, *, whole: bool) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; a JSON file that is one array, if it may be one, in one piece."""
    first = stream.readline()
    while whole and first and not first.strip():
        first = stream.readline()
    if whole and first.lstrip()[:1] == b"[":
        yield 1, first + stream.read()
        return
    yield 1, first
    yield from enumerate(stream, 2)


def _suffix(path: Path) -> str:
    """Give what a file's name ends in, compression left off."""
    return Path(path.stem).suffix if path.suffix == GZIP else path.suffix


def _documents(line: bytes, place: str, suffix: str, column: str) -> list[str]:
    try:
        text = line.decode("utf-8-sig").strip("\r\n")
        if suffix not in JSON_SUFFIXES or not text.strip():
            return [text] if text.strip() else []
        records = msgspec.json.decode(text)
        return [_field(record, column) for record in (records if isinstance(records, list) else [records])]
    except UnicodeDecodeError as error:
        msg = f"{place}: byte {error.start:,} is not UTF-8; save the file as UTF-8."
    except msgspec.MsgspecError as error:
        msg = f"{place}: not JSON ({error})."
    except KeyError:
        msg = f"{place}: has no text in a field {column!r}; name it with --column."
    raise InputError(msg)


def _field(record: Any, column: str) -> str:
    text = record.get(column) if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise KeyError(column)
    return text
