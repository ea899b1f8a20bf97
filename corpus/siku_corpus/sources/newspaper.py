"""Newspaper text tagged word by word, as the corpora of 人民日报 are: paragraphs in, articles out.

    19980101-01-001-001/m  迈向/v  充满/v  [希望/n  的/u]nz  新/a  世纪/n        with paragraph numbers
    迈向/v  充满/v  希望/n  的/u  新/a  世纪/n                                   without

The number names date, page, article and paragraph, so it says which paragraphs are one article. Copies from
which the numbers were removed have lost that; there the layout of a newspaper decides: an article begins with
headlines, which do not end as sentences do, after a paragraph that does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from siku_corpus.decoding import find_encoding
from siku_corpus.opening import Input
from siku_corpus.records import Bad, Document, Item
from siku_corpus.sources.lines import Line, iterate_lines

_WORD = re.compile(r"\[*(\S+?)/([A-Za-z]{1,3})(?:\][A-Za-z]{1,3})?(?=\s|$)")
_NUMBER = re.compile(r"(\d{8}-\d\d-\d{3})-(\d{3})/m\s*")
_SENTENCE_ENDS = frozenset("。！？…；：”』」.!?")
_CREDIT = re.compile(r"[（(［\[【][^（(）)]*[）)］\]】]")
_CLOSING_CREDIT = re.compile(r"(?<=.)[（(][^（(）)]*[）)]$")
_HEADLINE_CHARACTERS = 60
_DATE_TAGS = frozenset({"t", "w", "m", "q"})


class Paragraph(NamedTuple):
    """One line of the file with its tags taken off."""

    offset: int
    article: str
    """`DATE-PAGE-ARTICLE`, or empty where the file has no numbers."""
    text: str
    kind: Literal["headline", "body", "aside"]
    """A headline is short and not closed like a sentence; an aside is a credit or a date on a line of its own."""


def read_newspaper(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield articles, a paragraph a line; the locator is the article's number or its first byte.

    A line that is not made of word/tag is quarantined.
    """
    with file.open("rb") as stream:
        encoding = find_encoding(stream.read(1 << 16))
    article: list[Paragraph] = []
    for line in iterate_lines(file, start, end):
        paragraph = _paragraph(line, encoding)
        if isinstance(paragraph, Bad):
            yield paragraph
            continue
        if article and _begins_article(article, paragraph):
            yield _document(article)
            article = []
        article.append(paragraph)
    if article:
        yield _document(article)


def _paragraph(line: Line, encoding: str) -> Paragraph | Bad:
    try:
        tagged = line.data.decode(encoding)
    except UnicodeDecodeError as error:
        return Bad("encoding", f"not {encoding}: {error.reason}", line.data, offset=line.offset)
    number = _NUMBER.match(tagged)
    words = _WORD.findall(tagged, number.end() if number else 0)
    if not words or len(words) != len(tagged.split()) - (number is not None):
        return Bad("record", "not every word has a tag", line.data, offset=line.offset)
    text = "".join(word for word, _ in words)
    kind = _kind(text, {tag for _, tag in words})
    return Paragraph(line.offset, number[1] if number else "", text, kind)


def _kind(text: str, tags: set[str]) -> Literal["headline", "body", "aside"]:
    if (tags <= _DATE_TAGS and "t" in tags) or _CREDIT.fullmatch(text):
        return "aside"
    said = _CLOSING_CREDIT.sub("", text)
    if len(said) <= _HEADLINE_CHARACTERS and said[-1] not in _SENTENCE_ENDS:
        return "headline"
    return "body"


def _begins_article(article: list[Paragraph], paragraph: Paragraph) -> bool:
    if paragraph.article or article[-1].article:
        return paragraph.article != article[-1].article
    before = next((earlier.kind for earlier in reversed(article) if earlier.kind != "aside"), "aside")
    return paragraph.kind == "headline" and before == "body"


def _document(article: list[Paragraph]) -> Document:
    first = article[0]
    meta = {"title": first.text} if first.kind == "headline" else {}
    if first.article:
        meta["date"] = f"{first.article[:4]}-{first.article[4:6]}-{first.article[6:8]}"
    text = "\n".join(paragraph.text for paragraph in article)
    return Document(first.article or str(first.offset), text, meta, records=len(article))
