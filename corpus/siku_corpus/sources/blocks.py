"""Text with a blank line between documents, as CLUECorpus2020 and CLUECorpusSmall come; may be cut anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from siku_corpus.opening import Input
from siku_corpus.records import Bad, Document, Item
from siku_corpus.sources.lines import MAX_LINE_BYTES, skip_line, sniff_encoding

_BLANK = b" \t\r\n"
_SHOWN_BYTES = 64 << 10


def read_blocks(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield each run of lines that are not blank; the locator is its first byte.

    A block belongs to the range in which its first byte lies. A worker that starts in the middle looks back for
    whether the line around its first byte is blank.
    """
    encoding = sniff_encoding(file)
    block: list[bytes] = []
    size = begun = 0
    with file.open("rb") as stream:
        after_blank = start <= 0 or _is_blank_at(stream, start)
        offset = stream.tell() if start > 0 else 0
        while (block or offset < end) and (line := stream.readline(MAX_LINE_BYTES)):
            blank = not line.strip(_BLANK)
            if not blank and (block or after_blank):
                begun = begun if block else offset
                block.append(line)
                size += len(line)
            if block and (blank or size > MAX_LINE_BYTES):
                yield _block(block, begun, size, encoding)
                block, size = [], 0
            after_blank = blank
            offset += len(line)
    if block:
        yield _block(block, begun, size, encoding)


def _is_blank_at(stream: IO[bytes], start: int) -> bool:
    """Whether the line that holds byte `start - 1` is blank; the stream is left at the next line's first byte."""
    stream.seek(start - 1)
    content = stream.readline(_SHOWN_BYTES)
    if content[-1:] != b"\n":
        skip_line(stream)
    after = stream.tell()
    place = start - 1
    while place > 0 and not content.strip(_BLANK):
        step = min(place, 1024)
        stream.seek(place - step)
        _, newline, content = stream.read(step).rpartition(b"\n")
        if newline:
            break
        place -= step
    stream.seek(after)
    return not content.strip(_BLANK)


def _block(lines: list[bytes], offset: int, size: int, encoding: str) -> Item:
    data = b"".join(lines)
    if size > MAX_LINE_BYTES:
        detail = f"no blank line for {MAX_LINE_BYTES >> 20} MiB; is this the right format?"
        return Bad("size", detail, data[:_SHOWN_BYTES], offset=offset, length=size)
    if offset == 0:
        data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return Document(str(offset), data.decode(encoding).rstrip("\r\n").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        return Bad("encoding", f"not {encoding}: {error.reason}", data, offset=offset)
