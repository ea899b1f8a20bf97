"""Pages out of a dump's bytes.

The bytes are cut at `<page>` and `</page>`, which cannot stand in a page's text (it is escaped there), and each page
is parsed as XML by itself: a broken page costs one page, and memory is one page.

Source: https://www.mediawiki.org/xml/export-0.10.xsd and export-0.11.xsd. 0.11 adds attributes to `<text>` and
`<content>` elements for slots beside the main one; both have `page/revision/text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from siku_corpus.dump.streams import Chunk, Damage, read_chunks
from siku_manifests.document import QuarantineReason

PAGE_BYTES = 64 << 20
"""A longer page is quarantined; MediaWiki takes 2 MiB of wikitext."""
_OPEN, _CLOSE = b"<page>", b"</page>"
_SITE_BYTES = 4 << 20


class RawPage(NamedTuple):
    """A `<page>` element."""

    data: bytes
    offset: int
    """In the file; of the bz2 stream that holds its end, where the file is compressed."""


class Broken(NamedTuple):
    """Bytes of a dump that are no page."""

    reason: QuarantineReason
    detail: str
    data: bytes
    offset: int


class Site(NamedTuple):
    """What the head of a dump says about the wiki."""

    base: str
    """Address of a page's folder, such as `https://zh.wikipedia.org/wiki/`, or ""."""
    language: str


class Page(NamedTuple):
    """A page as its latest revision has it."""

    title: str
    namespace: int | None
    """None where the dump does not say (before schema 0.6)."""
    number: str
    redirect: str
    """Title of the page that it leads to, or ""."""
    model: str
    timestamp: str
    text: str


def read_site(file: Path) -> Site:
    """Language and address of the wiki, from the beginning of the file."""
    head = b""
    for chunk in read_chunks(file, 0, 1):
        if isinstance(chunk, Damage):
            break
        head += chunk.data
        if b"</siteinfo>" in head or b"<page>" in head or len(head) > _SITE_BYTES:
            break
    language = re.search(rb'<mediawiki[^>]*\bxml:lang="([^"]*)"', head)
    base = re.search(rb"<base>([^<]*/)[^/<]*</base>", head)
    return Site(_decode(base), _decode(language))


def _decode(found: re.Match[bytes] | None) -> str:
    return found[1].decode("utf-8", "replace") if found else ""


def read_pages(file: Path, start: int, end: int) -> Iterator[RawPage | Broken]:
    """The pages that begin in [start, end), see the package's text for what that means."""
    cutter = _Cutter()
    for chunk in read_chunks(file, start, end):
        if not chunk.owned and not cutter.unfinished:
            return
        if isinstance(chunk, Damage):
            yield Broken("archive", chunk.detail, cutter.take() or chunk.data, chunk.offset)
        else:
            yield from cutter.cut(chunk)
    if cutter.is_inside_page:
        yield Broken("record", "the file ends in the middle of a page", cutter.take(), cutter.offset)


class _Cutter:
    """Holds the bytes of the page that is not finished yet."""

    def __init__(self) -> None:
        self.offset = -1
        self._held = b""
        self._skipping = False

    @property
    def unfinished(self) -> bool:
        """Whether a page, or its first tag, has begun and not ended."""
        return bool(self._held) or self._skipping

    @property
    def is_inside_page(self) -> bool:
        """Whether what is held begins with the tag of a page."""
        return self._held.startswith(_OPEN)

    def take(self) -> bytes:
        """Give up the unfinished page."""
        held, self._held, self._skipping = self._held, b"", False
        return held

    def cut(self, chunk: Chunk) -> Iterator[RawPage | Broken]:
        """The pages that end in a chunk."""
        held = len(self._held)
        buffer = self._held + chunk.data
        place = 0
        while True:
            if self._skipping:
                if (close := buffer.find(_CLOSE, place)) < 0:
                    self._held = buffer[1 - len(_CLOSE) :]
                    return
                self._skipping, place = False, close + len(_CLOSE)
            opening = buffer.find(_OPEN, place)
            if not chunk.owned and opening != 0:
                # What was to be finished is finished; the next page is another range's.
                self._held = buffer if place == 0 and _OPEN.startswith(buffer) else b""
                return
            if opening < 0:
                self._held = _beginning_of_tag(buffer[place:])
                return
            if not (opening == 0 and held >= len(_OPEN)):
                self.offset = chunk.offset + (opening - held if chunk.exact else 0)
            close = buffer.find(_CLOSE, max(opening, held - len(_CLOSE)) if opening == 0 else opening)
            if close < 0:
                self._held = buffer[opening:]
                if len(self._held) > PAGE_BYTES:
                    yield Broken("size", f"a page longer than {PAGE_BYTES:,} bytes", self.take(), self.offset)
                    self._skipping = True
                return
            place = close + len(_CLOSE)
            yield RawPage(buffer[opening:place], self.offset)


def _beginning_of_tag(data: bytes) -> bytes:
    """The end of some bytes that may be the beginning of `<page>`."""
    for length in range(min(len(data), len(_OPEN) - 1), 0, -1):
        if data.endswith(_OPEN[:length]):
            return data[-length:]
    return b""


def parse_page(data: bytes) -> Page:
    """What a `<page>` element says.

    Raises:
        ValueError: it is not well-formed, or has no title.
    """
    try:
        # No DOCTYPE can stand inside an element, so there are no entities to expand beyond the five of XML.
        page = ElementTree.fromstring(data)  # noqa: S314
    except ElementTree.ParseError as error:
        msg = f"not well-formed XML: {error}"
        raise ValueError(msg) from error
    title = page.findtext("title")
    if not title:
        msg = "a page without a title"
        raise ValueError(msg)
    revisions = page.findall("revision")
    revision = revisions[-1] if revisions else page
    namespace = page.findtext("ns", "")
    redirect = page.find("redirect")
    return Page(
        title=title,
        namespace=int(namespace) if namespace.strip("-").isdigit() else None,
        number=page.findtext("id", ""),
        redirect=redirect.get("title", "") or title if redirect is not None else "",
        model=revision.findtext("model", "wikitext"),
        timestamp=revision.findtext("timestamp", ""),
        text=revision.findtext("text", ""),
    )
