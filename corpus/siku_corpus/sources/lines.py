"""Plain formats: a document a line, a JSON object a line, a document a file, documents between blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, NamedTuple, TypeVar

import msgspec

from siku_corpus.decoding import find_encoding
from siku_corpus.opening import Input, whole_text
from siku_corpus.records import Bad, Document, Item

MAX_LINE_BYTES = 64 << 20
"""A longer line is no document but a broken file, and would take many times its size in memory."""
_SHOWN_BYTES = 64 << 10
_SAMPLE_BYTES = 64 << 10
_TEXT_KEYS = ("text", "content")

T = TypeVar("T")


class Line(NamedTuple):
    """A line that is not blank, its end left off."""

    offset: int
    """Of its first byte in the file."""
    data: bytes
    length: int = -1
    """Of a line above MAX_LINE_BYTES, of which `data` is the beginning."""


class Row(NamedTuple):
    """What a line says."""

    offset: int
    data: bytes
    value: Any


def iterate_lines(file: Input, start: int, end: int) -> Iterator[Line]:
    """The lines whose first byte lies in [start, end); so ranges side by side give every line once.

    Lines end at LF or CR LF. Works for every encoding in which LF is one byte: UTF-8, GB18030, Big5.
    """
    with file.open("rb") as stream:
        if start > 0:
            stream.seek(start - 1)
            skip_line(stream)  # the rest of a line that began before `start`, or just its LF
        offset = stream.tell() if start > 0 else 0
        while offset < end and (data := stream.readline(MAX_LINE_BYTES)):
            content = data.rstrip(b"\r\n")
            if offset == 0:
                content = content.removeprefix(b"\xef\xbb\xbf")
            following = offset + len(data)
            if len(data) == MAX_LINE_BYTES and data[-1:] != b"\n":
                following += skip_line(stream)
                yield Line(offset, content[:_SHOWN_BYTES], following - offset)
            elif not content.isspace() and content:
                yield Line(offset, content)
            offset = following


def skip_line(stream: IO[bytes]) -> int:
    """Go behind the next LF, however far it is; gives the bytes passed."""
    passed = 0
    while block := stream.readline(1 << 20):
        passed += len(block)
        if block[-1:] == b"\n":
            break
    return passed


def text_rows(file: Input, start: int, end: int) -> Iterator[Row | Bad]:
    """The lines of a range as text, in the encoding that the file's beginning is in."""
    encoding = sniff_encoding(file)
    for line in iterate_lines(file, start, end):
        if line.length >= 0:
            yield too_long(line)
            continue
        try:
            yield Row(line.offset, line.data, line.data.decode(encoding))
        except UnicodeDecodeError as error:
            yield Bad("encoding", f"not {encoding}: {error.reason}", line.data, offset=line.offset)


def json_rows(file: Input, start: int, end: int, kind: type[T]) -> Iterator[Row | Bad]:
    """The lines of a range as JSON of one kind; a row's value is of that kind."""
    decoder = msgspec.json.Decoder(kind)
    for line in iterate_lines(file, start, end):
        if line.length >= 0:
            yield too_long(line)
            continue
        try:
            yield Row(line.offset, line.data, decoder.decode(line.data))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield Bad("json", str(error), line.data, offset=line.offset)


def too_long(line: Line) -> Bad:
    """The bad record that a line above MAX_LINE_BYTES is."""
    detail = f"a line of {line.length:,} bytes; more than {MAX_LINE_BYTES >> 20} MiB is no document"
    return Bad("size", detail, line.data, offset=line.offset, length=line.length)


def read_lines(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield each line that is not blank as a document; its locator is its byte offset."""
    for row in text_rows(file, start, end):
        yield row if isinstance(row, Bad) else Document(str(row.offset), row.value)


def read_json_lines(file: Input, start: int, end: int, *, column: str = "") -> Iterator[Item]:
    """Yield the object of each line as a document; its locator is the line's byte offset.

    The text is the string under `text`, else under `content`, or under the source's `column`. Other strings and
    numbers become metadata.
    """
    for row in json_rows(file, start, end, dict[str, object]):
        yield row if isinstance(row, Bad) else record_document(row, column=column)


def record_document(row: Row, *, column: str = "") -> Item:
    """A document of a record with named fields, or a bad record that says which fields there are.

    Args:
        row: its value maps names to values; its offset, or number, becomes the locator.
        column: the field that holds the text; empty means `text`, else `content`.
    """
    record: dict[str, object] = row.value
    keys = (column,) if column else _TEXT_KEYS
    key = next((key for key in keys if isinstance(record.get(key), str)), None)
    if key is None:
        detail = f"no string under {' or '.join(keys)}; the keys are {', '.join(list(record)[:10])}"
        return Bad("record", detail, row.data, offset=row.offset)
    return Document(str(row.offset), str(record[key]), scalars(record, leave_out=(key,)))


def scalars(record: dict[str, object], leave_out: tuple[str, ...] = ()) -> dict[str, str]:
    """The strings and numbers of a record, as metadata."""
    return {
        name: str(value)
        for name, value in record.items()
        if name not in leave_out and isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def read_text(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  whole files only
    """Yield a file as one document."""
    text = whole_text(file)
    yield text if isinstance(text, Bad) else Document("0", text)


def sniff_encoding(file: Input) -> str:
    """The encoding of a file's beginning, see `find_encoding`."""
    with file.open("rb") as stream:
        return find_encoding(stream.read(_SAMPLE_BYTES))
