"""Gettext catalogues as pairs; the file is written out in the format itself, not by the library that reads it."""

from __future__ import annotations

from pathlib import Path

from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.catalogue import read_catalogue

HEADER = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
)


def read(tmp_path: Path, body: str, header: str = HEADER) -> list[Item]:
    file = tmp_path / "django.po"
    file.write_text(header + body, encoding="utf-8")
    return list(read_catalogue(file, 0, file.stat().st_size))


def test_a_message_is_a_pair(tmp_path: Path) -> None:
    body = 'msgctxt "menu"\nmsgid ""\n"Enter %(count)d "\n"\\"names\\".\\n"\nmsgstr "请输入 %(count)d 个名字。\\n"\n'
    assert read(tmp_path, body) == [
        Document("0", 'Enter %(count)d "names".\n\n请输入 %(count)d 个名字。\n', {"context": "menu"})
    ]


def test_plural_forms(tmp_path: Path) -> None:
    one = 'msgid "%d day"\nmsgid_plural "%d days"\nmsgstr[0] "%d 天"\n'
    assert read(tmp_path, one) == [Document("0", "%d days\n%d 天")]
    two = 'msgid "%d day"\nmsgid_plural "%d days"\nmsgstr[0] "%d Tag"\nmsgstr[1] "%d Tage"\n'
    assert read(tmp_path, two) == [
        Document("0/0", "%d day\n%d Tag", records=1),
        Document("0/1", "%d days\n%d Tage", records=0),
    ]


def test_what_is_no_translation_is_refused_with_its_reason(tmp_path: Path) -> None:
    body = (
        '#, fuzzy, python-format\nmsgid "a"\nmsgstr "甲"\n\n'
        'msgid "b"\nmsgstr ""\n\nmsgid "URL"\nmsgstr "URL"\n\n'
        'msgid "p"\nmsgid_plural "ps"\nmsgstr[0] ""\n\n#~ msgid "old"\n#~ msgstr "旧"\n'
    )
    found = read(tmp_path, body)
    assert [item.reason for item in found if isinstance(item, Refused)] == [
        "fuzzy", "untranslated", "same_as_original", "untranslated", "obsolete",
    ]  # fmt: skip
    assert len(found) == 5


def test_a_broken_catalogue_is_quarantined(tmp_path: Path) -> None:
    (broken,) = read(tmp_path, 'msgid "a"\nmsgstr "甲"\nnonsense here\n')
    assert isinstance(broken, Bad)
    assert broken.reason == "record"
    (tmp_path / "django.po").write_bytes(HEADER.encode() + b'msgid "a"\nmsgstr "\xff\xfe"\n')
    (encoding,) = read_catalogue(tmp_path / "django.po", 0, 0)
    assert isinstance(encoding, Bad)
    assert encoding.reason == "encoding"
