"""Sentences and their translations: a pair is a document, the original on the first line.

read_translation   translation2019zh: {"english": …, "chinese": …} a line
read_pair_lines    Tatoeba and the like: `original<TAB>translation`, further columns are credits
read_classical     NiuTrans Classical-Modern: 书/篇/bitext.txt and the copies beside it
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from siku_corpus.opening import Input, whole_text
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.lines import json_rows, text_rows

_CLASSICAL = re.compile(r"古文[:：]\s*(.*)")
_MODERN = re.compile(r"现代文[:：]\s*(.*)")


class _Translation(msgspec.Struct):
    english: str
    chinese: str


def read_translation(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield a pair a line; the locator is the line's byte offset."""
    for row in json_rows(file, start, end, _Translation):
        if isinstance(row, Bad):
            yield row
        else:
            yield _pair(str(row.offset), row.value.english, row.value.chinese, {})


def read_pair_lines(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield a pair a line; the locator is the line's byte offset."""
    for row in text_rows(file, start, end):
        if isinstance(row, Bad):
            yield row
            continue
        fields = row.value.split("\t")
        if len(fields) < 2:
            yield Bad("record", "no tab between original and translation", row.data, offset=row.offset)
        else:
            yield _pair(str(row.offset), fields[0], fields[1], {"attribution": fields[2]} if fields[2:] else {})


def _pair(locator: str, original: str, translation: str, meta: dict[str, str]) -> Item:
    if not original.strip() or not translation.strip():
        return Refused(locator, original or translation, "untranslated", meta)
    if original.strip() == translation.strip():
        return Refused(locator, original, "same_as_original", meta)
    return Document(locator, f"{original}\n{translation}", meta)


def read_classical(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  chapters are small
    """Yield the pairs of a bitext.txt, or a chapter of a book (text.txt, source.txt) as one document.

    Each passage stands in source.txt, target.txt and bitext.txt, often in text.txt too. The modern side alone
    (target.txt) and the list of origins (数据来源.txt) are refused, so that a recipe may take all files; which
    of the rest are read as which profile is for its patterns to say.
    """
    text = whole_text(file)
    if isinstance(text, Bad):
        yield text
        return
    book, chapter = file.parent.parent.name, file.parent.name
    meta = {"book": book, "chapter": chapter} if book else {"chapter": chapter}
    if file.name == "bitext.txt":
        yield from _bitext(text, meta)
    elif file.name in ("text.txt", "source.txt"):
        yield Document("0", text, meta)
    else:
        yield Refused("0", "", "copy" if file.name == "target.txt" else "no_text", meta)


def _bitext(text: str, meta: dict[str, str]) -> Iterator[Item]:
    """Pairs of a line `古文：…` and a line `现代文：…`; locators count them from 0."""
    number = 0
    classical: str | None = None
    for line in filter(str.strip, text.splitlines()):
        begins, ends = _CLASSICAL.match(line.strip()), _MODERN.match(line.strip())
        if ends and classical is not None:
            yield _pair(str(number), classical, ends[1], meta)
            classical = None
        elif begins and classical is None:
            classical = begins[1]
            continue
        else:
            yield Bad("record", "neither side of a pair follows the other", line.encode())
            classical = begins[1] if begins else None
        number += 1
    if classical is not None:
        yield Refused(str(number), classical, "untranslated", meta)
