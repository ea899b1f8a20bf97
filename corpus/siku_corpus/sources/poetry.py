"""The poetry and classics of chinese-poetry, in every shape that its files have.

    [{"title", "author", "paragraphs"}, …]                     poems, lyrics (`rhythmic`), songs (`content`, `para`)
    {"title", "content": [{"chapter", "paragraphs"}, …]}       a book of chapters
    {"title", "content": [{"title", "content": […]}, …]}       books in books; each leaf is a document

A poem's text is the poem alone. Title, tune and author go to the metadata: they are an editor's, often shared
by hundreds of poems ("無題", a tune's name), and with them in the text two copies of one quatrain under
different headings would no longer look alike. Editors' notes, abstracts and phonetic spellings are modern
prose about the poem and are left out. The comments of 幽夢影 are part of that book and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from siku_corpus.elements import iterate_elements
from siku_corpus.opening import Input, read_small
from siku_corpus.records import Bad, Document, Item, Refused

_LINES = ("paragraphs", "para", "content")
_META = ("title", "rhythmic", "author", "dynasty", "chapter", "section", "source", "volume", "type", "tags")
_INHERITED = {"title": "book", "type": "section", "author": "author", "tags": "tags"}
"""What a chapter takes over from the book around it, and under which name."""
_NOTE_MARK = re.compile(r"\[\d+\]")


def read_poetry(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  one JSON text
    """Yield the poems and chapters of one file; locators count records from 0, with `/n` inside a book.

    Records of authors, and those that the collectors themselves marked as wrong, are refused with a reason. A list
    above 64 MiB is read element by element.
    """
    data = read_small(file)
    if data is None:
        for element in iterate_elements(file):
            if isinstance(element, Bad):
                yield element
            else:
                yield from _record(msgspec.Raw(element.data), str(element.number), element.offset)
        return
    try:
        yield from _plain_poems(_POEMS.decode(data))
        return
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # another shape, or something broken in it: record by record, at a third of the speed
    try:
        records = msgspec.json.decode(
            data.removeprefix(b"\xef\xbb\xbf"), type=list[msgspec.Raw] | dict[str, msgspec.Raw]
        )
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Bad("json", str(error), data, offset=0)
        return
    if isinstance(records, dict):
        records = [msgspec.Raw(data.removeprefix(b"\xef\xbb\xbf"))]
    for number, raw in enumerate(records):
        yield from _record(raw, str(number), data.find(bytes(raw)))


class _Poem(msgspec.Struct):
    """The shape that all but a few dozen files have."""

    paragraphs: list[str]
    title: str = ""
    rhythmic: str = ""
    author: str = ""
    dynasty: str = ""
    volume: str = ""
    tags: list[str] = []
    notes: list[str] | str | None = None
    error_type: object = None


_POEMS = msgspec.json.Decoder(list[_Poem])


def _plain_poems(poems: list[_Poem]) -> Iterator[Item]:
    for number, poem in enumerate(poems):
        named = {
            "title": poem.title.strip(),
            "rhythmic": poem.rhythmic.strip(),
            "author": poem.author.strip(),
            "dynasty": poem.dynasty.strip(),
            "volume": poem.volume.strip(),
            "tags": "、".join(poem.tags),
        }
        meta = {key: value for key, value in named.items() if value}
        if poem.error_type is not None:
            yield Refused(str(number), "", "marked_as_error", meta)
            continue
        text = "\n".join(poem.paragraphs)
        yield Document(str(number), _NOTE_MARK.sub("", text) if poem.notes else text, meta)


def _record(raw: msgspec.Raw, locator: str, offset: int) -> Iterator[Item]:
    try:
        record = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Bad("record", f"record {locator}: {error}", bytes(raw), offset=offset)
        return
    refusal = _refusal(record)
    if refusal:
        yield Refused(locator, "", refusal, _strings(record, ("name", "title", "author")))
        return
    try:
        leaves = list(_leaves(record, {}))
    except ValueError as error:
        yield Bad("record", f"record {locator}: {error}", bytes(raw), offset=offset)
        return
    for number, (text, meta) in enumerate(leaves):
        place = locator if len(leaves) == 1 else f"{locator}/{number}"
        yield Document(place, text, meta, records=0 if number else 1)


def _body(record: dict[str, Any]) -> str | list[Any]:
    """What stands under the first of the keys that hold text; null is no lines."""
    found = next((record[key] for key in _LINES if key in record), None)
    if not isinstance(found, str | list | None):
        msg = f"its text is neither string nor list but {type(found).__name__}"
        raise ValueError(msg)
    return [] if found is None else found


def _refusal(record: dict[str, Any]) -> str:
    if "error_type" in record:
        return "marked_as_error"
    if any(key in record for key in _LINES):
        return ""
    return "author_record" if {"desc", "description"} & record.keys() else "no_text"


def _leaves(record: dict[str, Any], inherited: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Text and metadata of each passage below a record, in order."""
    body = _body(record)
    chapters = [part for part in body if isinstance(part, dict)] if isinstance(body, list) else []
    meta = inherited | _strings(record, _META)
    if not chapters:
        lines = [body] if isinstance(body, str) else [line for line in body if isinstance(line, str)]
        lines += [line for line in record.get("comment", []) if isinstance(line, str)]
        text = "\n".join(lines)
        # Only where there are notes is a bracketed number a reference to one.
        yield (_NOTE_MARK.sub("", text) if record.get("notes") else text), meta
        return
    below = inherited | {_INHERITED[key]: value for key, value in _strings(record, tuple(_INHERITED)).items()}
    for chapter in chapters:
        yield from _leaves(chapter, below)


def _strings(record: dict[str, Any], keys: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for key in keys:
        value = record.get(key)
        if isinstance(value, list):
            value = "、".join(part for part in value if isinstance(part, str))
        if isinstance(value, str) and value.strip():
            found[key] = value.strip()
    return found
