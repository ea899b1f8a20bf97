"""Gettext catalogues (`.po`) as pairs of sentences: the original on the first line, the translation on the next.

Placeholders such as `%(count)d` stay: they stand in both languages and teach which words belong together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polib

from siku_corpus.decoding import decode
from siku_corpus.opening import Input, read_whole
from siku_corpus.records import Bad, Document, Item, Refused


def read_catalogue(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  polib reads it whole
    """Yield a document for each translated message; the locator is the message's number, from 0.

    Where a message has plural forms, the first translation belongs to the singular and the last to the
    plural; a language with one form for both gives one pair, with the plural. Refused are messages that are
    obsolete, marked fuzzy, not translated, or translated by themselves.
    """
    try:
        catalogue = polib.pofile(str(file) if isinstance(file, Path) else decode(read_whole(file)), wrapwidth=0)
    except UnicodeDecodeError as error:
        yield Bad("encoding", str(error), read_whole(file), offset=0)
        return
    except (OSError, ValueError, LookupError) as error:
        yield Bad("record", str(error), read_whole(file), offset=0)
        return
    for number, entry in enumerate(catalogue):
        yield from _message(entry, str(number))


def _message(entry: polib.POEntry, locator: str) -> Iterator[Item]:
    pairs = _pairs(entry)
    reason = _refusal(entry, pairs)
    if reason:
        yield Refused(locator, "\n".join(pairs[0]) if pairs else entry.msgid, reason)
        return
    meta = {"context": entry.msgctxt} if entry.msgctxt else {}
    for index, pair in enumerate(pairs):
        place = locator if len(pairs) == 1 else f"{locator}/{index}"
        yield Document(place, "\n".join(pair), meta, records=0 if index else 1)


def _pairs(entry: polib.POEntry) -> list[tuple[str, str]]:
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    forms = [entry.msgstr_plural[index] for index in sorted(entry.msgstr_plural)]
    if not forms:
        return [(entry.msgid_plural, "")]
    plural = (entry.msgid_plural, forms[-1])
    return [plural] if len(forms) == 1 else [(entry.msgid, forms[0]), plural]


def _refusal(entry: polib.POEntry, pairs: list[tuple[str, str]]) -> str:
    if entry.obsolete:
        return "obsolete"
    if entry.fuzzy:
        return "fuzzy"
    if not all(translation.strip() for _, translation in pairs):
        return "untranslated"
    if all(original.strip() == translation.strip() for original, translation in pairs):
        return "same_as_original"
    return ""
