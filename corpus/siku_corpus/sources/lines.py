"""Plain formats: a document a line, a JSON object a line, a document a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from siku_corpus.decoding import decode, find_encoding
from siku_corpus.records import Bad, Document, Item

_SAMPLE_BYTES = 64 << 10
_TEXT_KEYS = ("text", "content")


class Line(NamedTuple):
    """A line that is not blank, its end left off."""

    offset: int
    """Of its first byte in the file."""
    data: bytes


def iterate_lines(file: Path, start: int, end: int) -> Iterator[Line]:
    """The lines whose first byte lies in [start, end); so ranges side by side give every line once.

    Lines end at LF or CR LF. Works for every encoding in which LF is one byte: UTF-8, GB18030, Big5.
    """
    with file.open("rb") as stream:
        if start > 0:
            stream.seek(start - 1)
            stream.readline()  # the rest of a line that began before `start`, or just its LF
        offset = stream.tell()
        for data in stream:
            if offset >= end:
                return
            content = data.rstrip(b"\r\n")
            if offset == 0:
                content = content.removeprefix(b"\xef\xbb\xbf")
            if not content.isspace() and content:
                yield Line(offset, content)
            offset += len(data)


def read_lines(file: Path, start: int, end: int) -> Iterator[Item]:
    """Yield each line that is not blank as a document; its locator is its byte offset."""
    encoding = _encoding(file)
    for line in iterate_lines(file, start, end):
        try:
            yield Document(str(line.offset), line.data.decode(encoding))
        except UnicodeDecodeError as error:
            yield Bad("encoding", f"not {encoding}: {error.reason}", line.data, offset=line.offset)


def read_json_lines(file: Path, start: int, end: int) -> Iterator[Item]:
    """Yield the object of each line as a document; its locator is the line's byte offset.

    The text is the string under `text`, else under `content`. Other strings and numbers become metadata.
    """
    decoder = msgspec.json.Decoder(dict[str, object])
    for line in iterate_lines(file, start, end):
        try:
            record = decoder.decode(line.data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield Bad("json", str(error), line.data, offset=line.offset)
            continue
        key = next((key for key in _TEXT_KEYS if isinstance(record.get(key), str)), None)
        if key is None:
            detail = f"no string under {' or '.join(_TEXT_KEYS)}; the keys are {', '.join(list(record)[:10])}"
            yield Bad("record", detail, line.data, offset=line.offset)
            continue
        meta = {
            name: str(value)
            for name, value in record.items()
            if name != key and isinstance(value, str | int | float) and not isinstance(value, bool)
        }
        yield Document(str(line.offset), str(record[key]), meta)


def read_text(file: Path, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  whole files only
    """Yield a file as one document."""
    data = file.read_bytes()
    try:
        yield Document("0", decode(data))
    except UnicodeDecodeError as error:
        yield Bad("encoding", str(error), data, offset=0)


def _encoding(file: Path) -> str:
    with file.open("rb") as stream:
        return find_encoding(stream.read(_SAMPLE_BYTES))
