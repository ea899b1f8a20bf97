"""Wikipedia: XML dumps of a wiki, and what extractors made of them.

    read_dump       *-pages-articles*.xml, .xml.bz2 and -multistream.xml.bz2
    read_extracted  `<doc …>` blocks or JSON lines: AA/wiki_00, wiki2019zh

The title goes to the metadata. Refused with a reason are redirects, pages outside the article namespace,
disambiguation pages, pages in another content model, and pages without text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from siku_corpus.dump.pages import Broken, Page, RawPage, Site, parse_page, read_pages, read_site
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.lines import MAX_LINE_BYTES, iterate_lines, skip_line, too_long
from siku_corpus.wikitext import MarkupError, to_text
from siku_corpus.wikitext.namespaces import is_article_title, namespace
from siku_corpus.wikitext.templates import is_disambiguation
from siku_corpus.wikitext.variants import Variant

_VARIANT: Variant = "zh-cn"
_SHOWN_BYTES = 64 << 10
_REDIRECT = re.compile(r"\s*#\s*(?:redirect|重定向|重新導向|重新导向)\s*:?\s*\[\[\s*([^\]|]{1,300})", re.I)


def read_dump(file: Path, start: int, end: int) -> Iterator[Item]:
    """Yield the articles of a dump that begin in [start, end) as text; the locator is the page's number.

    Language rules are resolved for mainland readers where the wiki is a Chinese one. A page whose markup cannot be
    resolved goes to quarantine with its bytes, and so does each broken page or stream.
    """
    site = read_site(file)
    for raw in read_pages(file, start, end):
        yield _broken(raw) if isinstance(raw, Broken) else _page(raw, site)


def _broken(broken: Broken) -> Bad:
    return Bad(broken.reason, broken.detail, broken.data, offset=broken.offset)


def _page(raw: RawPage, site: Site) -> Item:
    try:
        page = parse_page(raw.data)
    except ValueError as error:
        return Bad("record", str(error), raw.data, offset=raw.offset)
    locator = page.number or f"@{raw.offset}"
    refusal = _refusal(page)
    if refusal is not None:
        return Refused(locator, refusal.text, refusal.reason, {"title": page.title} | refusal.detail)
    try:
        article = to_text(page.text, variant=_VARIANT if site.language.startswith("zh") else None)
    except MarkupError as error:
        return Bad("markup", f"page {page.number}, {page.title}: {error}", raw.data, offset=raw.offset)
    if not article.text:
        return Refused(locator, "", "empty", {"title": page.title})
    meta = {"title": article.title or page.title, "date": page.timestamp[:10]}
    if site.base:
        meta["url"] = site.base + quote(page.title.replace(" ", "_"), safe="/:()!,;*@")
    return Document(locator, article.text, {key: value for key, value in meta.items() if value})


class _Refusal(NamedTuple):
    reason: str
    text: str = ""
    detail: dict[str, str] = {}  # noqa: RUF012  never changed


def _refusal(page: Page) -> _Refusal | None:
    if page.namespace or (page.namespace is None and not is_article_title(page.title)):
        return _Refusal("namespace", detail={"namespace": str(page.namespace or namespace(page.title))})
    redirect = _REDIRECT.match(page.text)
    if page.redirect or redirect:
        return _Refusal("redirect", detail={"target": page.redirect or (redirect[1].strip() if redirect else "")})
    if page.model != "wikitext":
        return _Refusal("content_model", detail={"model": page.model})
    if is_disambiguation(page.title, page.text):
        return _Refusal("disambiguation", text=page.text)
    return None if page.text.strip() else _Refusal("empty")


class _Extract(msgspec.Struct):
    """One record of an extractor."""

    text: str
    title: str = ""
    id: str | int = ""
    url: str = ""


_DOC = re.compile(r'<doc\s+id="([^"]*)"(?:\s+revid="[^"]*")?\s+url="([^"]*)"\s+title="(.*)"[^">]*>\s*')
_LOST_LIST = re.compile(r"[^\n]{1,60}[:：]")
"""An extractor drops lists; of a page that tells titles apart it leaves 石林可以指：."""
_EMPTIED = re.compile(r"（[\s，、；：,;:]*[）)]|(?<![A-Za-z0-9_])\([\s，、；：,;:]*[）)]")
_REPEATED = re.compile(r"([，、；])[，、；]+")
_HOLLOW_BEGINNING = re.compile(r"([（(])\s*[，、；,;][\s，、；：,;:]*")
_HOLLOW_END = re.compile(r"(?<![\s，、；,])[\s，、；,]*[，、；,]([）)])")


def read_extracted(file: Path, start: int, end: int) -> Iterator[Item]:
    """Yield the articles of an extractor's file whose record begins in [start, end).

    Both forms are told apart by the file's first letter. The locator is the page's number, else the record's
    offset. The title that extractors repeat as the first line is taken off, and what they left behind is mended:
    tags, entities, language rules, and brackets that a lost template emptied.
    """
    with file.open("rb") as stream:
        blocks = stream.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    yield from _doc_blocks(file, start, end) if blocks else _json_lines(file, start, end)


def _json_lines(file: Path, start: int, end: int) -> Iterator[Item]:
    decoder = msgspec.json.Decoder(_Extract)
    for line in iterate_lines(file, start, end):
        if line.length >= 0:
            yield too_long(line)
            continue
        try:
            extract = decoder.decode(line.data)
        except msgspec.ValidationError as error:
            yield Bad("record", str(error), line.data, offset=line.offset)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield Bad("json", str(error), line.data, offset=line.offset)
        else:
            yield _extract(extract, line.data, line.offset)


def _doc_blocks(file: Path, start: int, end: int) -> Iterator[Item]:
    block: list[bytes] = []
    with file.open("rb") as stream:
        if start > 0:
            stream.seek(start - 1)
            skip_line(stream)
        offset = begun = stream.tell()
        size = 0
        while line := stream.readline(MAX_LINE_BYTES):
            if line.startswith(b"<doc ") or size > MAX_LINE_BYTES:
                if block:
                    yield _endless(block, begun, size)
                    block, size = [], 0
                if offset >= end:
                    return
            if block or line.startswith(b"<doc "):
                begun = begun if block else offset
                block.append(line)
                size += len(line)
                if line.strip() == b"</doc>":
                    yield _doc(b"".join(block), begun)
                    block, size = [], 0
            elif offset >= end:
                return
            offset += len(line)
    if block:
        yield _endless(block, begun, size)


def _endless(block: list[bytes], offset: int, size: int) -> Bad:
    detail = f"a <doc> block without an end in {size:,} bytes"
    return Bad("record", detail, b"".join(block)[:_SHOWN_BYTES], offset=offset, length=size)


def _doc(data: bytes, offset: int) -> Item:
    try:
        first, _, rest = data.decode().partition("\n")
    except UnicodeDecodeError as error:
        return Bad("encoding", f"not UTF-8: {error.reason}", data, offset=offset)
    head = _DOC.fullmatch(first)
    if head is None:
        return Bad("record", "the <doc> tag has no id, url and title", data, offset=offset)
    text = rest.rstrip().removesuffix("</doc>")
    return _extract(_Extract(text, html.unescape(head[3]), head[1], html.unescape(head[2])), data, offset)


def _extract(extract: _Extract, data: bytes, offset: int) -> Item:
    title = extract.title.strip()
    locator = str(extract.id) or f"@{offset}"
    if not is_article_title(title):
        return Refused(locator, "", "namespace", {"title": title, "namespace": namespace(title)})
    if is_disambiguation(title, ""):
        return Refused(locator, extract.text, "disambiguation", {"title": title})
    text = extract.text.strip()
    first, _, rest = text.partition("\n")
    if first.strip() == title:
        text = rest
    try:
        text = _mend(to_text(text, variant=_VARIANT).text)
    except MarkupError as error:
        return Bad("markup", f"page {extract.id}, {title}: {error}", data, offset=offset)
    if not text:
        return Refused(locator, "", "empty", {"title": title})
    if _LOST_LIST.fullmatch(text):
        return Refused(locator, text, "disambiguation", {"title": title})
    meta = {"title": title, "url": extract.url}
    return Document(locator, text, {key: value for key, value in meta.items() if value})


def _mend(text: str) -> str:
    """Close what templates left open when an extractor dropped them.

    Example:
        萬民福音部（，意為「傳佈信仰」）是（）的 -> 萬民福音部（意為「傳佈信仰」）是的
    """
    text = _REPEATED.sub(r"\1", _EMPTIED.sub("", text))
    return _HOLLOW_END.sub(r"\1", _HOLLOW_BEGINNING.sub(r"\1", text))
