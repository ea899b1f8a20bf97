"""Tables with a column of texts: Parquet, and CSV or TSV with a header."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from siku_corpus.opening import Input
from siku_corpus.records import Bad, Item
from siku_corpus.sources.lines import MAX_LINE_BYTES, Row, record_document, sniff_encoding

_ROWS = 1024


def read_parquet(file: Input, start: int, end: int, *, column: str = "") -> Iterator[Item]:
    """Yield the rows of the row groups whose data begin in [start, end); the locator is the row's number.

    The text is in the column `text`, else `content`, or in the source's `column`; other strings and numbers become
    metadata.
    """
    with _seekable(file) as stream:
        try:
            table = pq.ParquetFile(stream)
            first_row = 0
            for number in range(table.num_row_groups):
                group = table.metadata.row_group(number)
                if start <= _begin(group) < end:
                    yield from _rows(table, number, first_row, column)
                first_row += group.num_rows
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            if start == 0:
                yield Bad("file", f"no readable Parquet: {error}", b"", offset=0)


def _begin(group: Any) -> int:
    column = group.column(0)
    return int(column.dictionary_page_offset or column.data_page_offset)


def _rows(table: Any, number: int, first_row: int, column: str) -> Iterator[Item]:
    for batch in table.iter_batches(batch_size=_ROWS, row_groups=[number], use_threads=False):
        for row, record in enumerate(batch.to_pylist(), first_row):
            yield record_document(Row(row, repr(record).encode("utf-8", "replace")[:4096], record), column=column)
        first_row += batch.num_rows


@contextmanager
def _seekable(file: Input) -> Iterator[Path | IO[bytes]]:
    """The file itself, or a copy of a member: Parquet is read from its end."""
    if isinstance(file, Path):
        yield file
        return
    with tempfile.TemporaryFile(prefix="siku-member-") as copy, file.open("rb") as stream:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield copy


def read_csv(
    file: Input,
    start: int,  # noqa: ARG001  quoted fields may hold line ends
    end: int,  # noqa: ARG001
    *,
    column: str = "",
) -> Iterator[Item]:
    """Yield the rows of a table whose first line names its columns; the locator is the row's number, from 1.

    Fields are separated by tabs where the header has more of them than of commas. A row with more or fewer fields
    than the header, or with bytes that are not text, is quarantined.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    encoding = sniff_encoding(file)
    with file.open("rb") as stream, io.TextIOWrapper(stream, encoding, "surrogateescape", newline="") as text:
        header = text.readline(MAX_LINE_BYTES).removeprefix("\ufeff")
        tabs = header.count("\t") > header.count(",")
        names = next(csv.reader([header], delimiter="\t" if tabs else ","), [])
        # An unclosed quote would take the rest of the file for one field; tab-separated tables seldom quote at all.
        rows = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(text)
        number = 0
        while True:
            number += 1
            try:
                fields = next(rows, None)
            except csv.Error as error:
                yield Bad("record", f"row {number}: {error}", b"", line=rows.line_num + 1)
                continue
            if fields is None:
                return
            if fields:
                yield _csv_row(number, names, fields, column)


def _csv_row(number: int, names: list[str], fields: list[str], column: str) -> Item:
    data = "\t".join(fields).encode("utf-8", "surrogateescape")
    if len(fields) != len(names):
        return Bad("record", f"row {number} has {len(fields)} fields, the header {len(names)}", data)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return Bad("encoding", f"row {number}: {error.reason}", data)
    record = {name: value for name, value in zip(names, fields, strict=True) if value}
    return record_document(Row(number, data, record), column=column)
