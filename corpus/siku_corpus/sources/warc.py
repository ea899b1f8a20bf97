"""Web archives: WARC as crawlers write it, WET as Common Crawl derives it; compressed or not.

A `conversion` record of WET is text already. Of a `response` the page is decoded and its running text taken out.
Refused are records about the crawl (requests, metadata), answers that are no page, and pages without text.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from siku_corpus.decoding import find_encoding
from siku_corpus.opening import Input
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.html import page_text

MAX_RECORD_BYTES = 32 << 20
_SHOWN_BYTES = 64 << 10
_MAX_HEAD_BYTES = 64 << 10
_WEB = ("http:", "https:")
"""Crawlers store resources about themselves, too: wget its arguments and its log, under `metadata:`."""
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_-]+)""", re.I)


class _Record(NamedTuple):
    offset: int
    headers: dict[str, str]
    data: bytes


def read_warc(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  read forwards
    """Yield the texts of an archive; the locator is the record's offset in the decompressed file."""
    with file.open("rb") as stream:
        for record in _records(stream):
            yield record if isinstance(record, Bad) else _item(record)


def _records(stream: IO[bytes]) -> Iterator[_Record | Bad]:
    offset = 0
    while line := stream.readline(_MAX_HEAD_BYTES):
        if not line.strip():
            offset += len(line)
            continue
        if not line.startswith(b"WARC/"):
            yield Bad("record", "no WARC record begins here; the rest is not read", line[:_SHOWN_BYTES], offset=offset)
            return
        head = line + _read_head(stream)
        headers = _headers(head.partition(b"\n")[2])
        length = headers.get("content-length", "")
        if not length.isdecimal():
            yield Bad("record", "a record without Content-Length; the rest is not read", head, offset=offset)
            return
        yield _body(stream, offset, headers, int(length))
        offset += len(head) + int(length)


def _body(stream: IO[bytes], offset: int, headers: dict[str, str], length: int) -> _Record | Bad:
    data = stream.read(min(length, MAX_RECORD_BYTES))
    left = length - len(data)
    while left > 0 and (block := stream.read(min(left, 1 << 20))):
        left -= len(block)
    if left > 0:
        return Bad(
            "record", "the file ends in the middle of a record", data[:_SHOWN_BYTES], offset=offset, length=length
        )
    if length > MAX_RECORD_BYTES:
        detail = f"a record of {length:,} bytes; more than {MAX_RECORD_BYTES >> 20} MiB is no page"
        return Bad("size", detail, data[:_SHOWN_BYTES], offset=offset, length=length)
    return _Record(offset, headers, data)


def _read_head(stream: IO[bytes]) -> bytes:
    head = b""
    while len(head) < _MAX_HEAD_BYTES and (line := stream.readline(_MAX_HEAD_BYTES)):
        head += line
        if not line.strip():
            break
    return head


def _headers(head: bytes) -> dict[str, str]:
    parsed = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(head)
    return {name.lower(): str(value).strip() for name, value in parsed.items()}


def _item(record: _Record) -> Item:
    kind, locator = record.headers.get("warc-type", ""), str(record.offset)
    url = record.headers.get("warc-target-uri", "").strip("<>")
    meta = {"url": url, "date": record.headers.get("warc-date", "")[:10]}
    meta = {name: value for name, value in meta.items() if value}
    if kind == "conversion":
        try:
            return Document(locator, record.data.decode(), meta)
        except UnicodeDecodeError as error:
            return Bad("encoding", f"not UTF-8: {error.reason}", record.data, offset=record.offset)
    if kind not in ("response", "resource") or (kind == "resource" and not meta.get("url", "").startswith(_WEB)):
        return Refused(locator, "", "about_the_crawl", {"type": kind} | meta)
    return _page(record, locator, meta)


def _page(record: _Record, locator: str, meta: dict[str, str]) -> Item:
    headers, body, status = record.headers, record.data, "200"
    if record.headers.get("warc-type") == "response":
        first, _, rest = record.data.partition(b"\n")
        head, _, body = rest.partition(b"\r\n\r\n")
        headers = _headers(head)
        status = [*first.split(), b"", b""][1].decode("latin-1")
    kind = headers.get("content-type", "").lower()
    if status != "200" or not ("html" in kind or kind.startswith("text/plain")):
        return Refused(locator, "", "no_page", {"status": status, "type": kind[:100]} | meta)
    try:
        body = _decoded(body, headers)
        text = _to_str(body, headers.get("content-type", "").encode())
    except (ValueError, LookupError, zlib.error, EOFError, OSError) as error:
        return Bad("encoding", f"{meta.get('url', '')}: {error}", record.data, offset=record.offset)
    if "html" not in kind:
        return Document(locator, text, meta)
    page = page_text(text)
    if not page.text:
        return Refused(locator, "", "no_text", meta)
    return Document(locator, page.text, ({"title": page.title} if page.title else {}) | meta)


def _decoded(body: bytes, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked" and re.match(
        rb"[0-9A-Fa-f]+\s*(?:;[^\r]*)?\r\n", body
    ):
        body = _unchunk(body)
    coding = headers.get("content-encoding", "").lower()
    if coding == "gzip" and body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    return zlib.decompress(body) if coding == "deflate" else body


def _unchunk(body: bytes) -> bytes:
    pieces, place = [], 0
    while (end := body.find(b"\r\n", place)) >= 0:
        size = int(body[place:end].partition(b";")[0], 16)
        if size == 0:
            break
        pieces.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2
    return b"".join(pieces)


def _to_str(body: bytes, content_type: bytes) -> str:
    """By the declared encoding if the bytes agree with it, else by what they are; GBK is read as GB18030."""
    found = _CHARSET.search(content_type) or _CHARSET.search(body[:2048])
    declared = found[1].decode().lower() if found else ""
    declared = "gb18030" if declared in ("gb2312", "gbk") else declared
    for encoding in (declared, find_encoding(body)):
        try:
            if encoding:
                return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("utf-8")
