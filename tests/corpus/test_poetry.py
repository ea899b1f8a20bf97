"""Every record shape of chinese-poetry, in the words of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.poetry import read_poetry

POEM = {
    "author": "孟浩然",
    "paragraphs": ["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲，花落知多少。"],
    "title": "春曉",
    "id": "x",
}
TEXT = "春眠不覺曉，處處聞啼鳥。\n夜來風雨聲，花落知多少。"


def read(tmp_path: Path, content: Any) -> list[Item]:
    file = tmp_path / "poems.json"
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    file.write_bytes(data)
    return list(read_poetry(file, 0, len(data)))


@pytest.mark.parametrize(
    ("record", "meta"),
    [
        (POEM, {"title": "春曉", "author": "孟浩然"}),
        (POEM | {"tags": ["春", "五言"]}, {"title": "春曉", "author": "孟浩然", "tags": "春、五言"}),
        (
            {"rhythmic": "導引", "author": "和峴", "paragraphs": POEM["paragraphs"]},
            {"rhythmic": "導引", "author": "和峴"},
        ),
        ({"title": "關雎", "chapter": "國風", "content": POEM["paragraphs"]}, {"title": "關雎", "chapter": "國風"}),
        ({"title": "長相思", "para": POEM["paragraphs"], "author": "納蘭"}, {"title": "長相思", "author": "納蘭"}),
        (POEM | {"title": " ", "author": "", "dynasty": "yuan"}, {"dynasty": "yuan"}),
        (POEM | {"volume": "卷五", "no#": 1, "biography": ""}, {"title": "春曉", "author": "孟浩然", "volume": "卷五"}),
    ],
)
def test_a_list_of_poems(tmp_path: Path, record: dict[str, Any], meta: dict[str, str]) -> None:
    assert read(tmp_path, [record, record]) == [Document("0", TEXT, meta), Document("1", TEXT, meta)]


@pytest.mark.parametrize("extra", [[], [{"paragraphs": 7}]], ids=["all plain", "one odd record"])
def test_both_ways_through_a_file_say_the_same(tmp_path: Path, extra: list[Any]) -> None:
    poems = [POEM, POEM | {"notes": ["1.曉--"], "paragraphs": ["春眠[1]不覺曉[12]。"]}, POEM | {"error_type": "dup"}]
    found = read(tmp_path, poems + extra)[:3]
    assert found[1] == Document("1", "春眠不覺曉。", {"title": "春曉", "author": "孟浩然"})
    assert [type(item) for item in found] == [Document, Document, Refused]
    assert found[0] == Document("0", TEXT, {"title": "春曉", "author": "孟浩然"})


def test_bracketed_numbers_stay_where_there_are_no_notes(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [POEM | {"paragraphs": ["一[1]"]}])
    assert isinstance(found, Document)
    assert found.text == "一[1]"


def test_books_in_books_give_a_document_for_each_chapter_and_one_record(tmp_path: Path) -> None:
    book = {
        "title": "古文觀止",
        "abstract": ["今人所作"],
        "content": [
            {"title": "卷一", "content": [{"chapter": "甲", "author": "左丘明 ", "paragraphs": ["一", "二"]}]},
            {
                "title": "卷二",
                "content": [{"chapter": "乙", "paragraphs": ["三"]}, {"chapter": "丙", "paragraphs": []}],
            },
        ],
    }
    found = read(tmp_path, book)
    assert found == [
        Document("0/0", "一\n二", {"book": "卷一", "chapter": "甲", "author": "左丘明"}, records=1),
        Document("0/1", "三", {"book": "卷二", "chapter": "乙"}, records=0),
        Document("0/2", "", {"book": "卷二", "chapter": "丙"}, records=0),
    ]


def test_a_book_of_one_chapter_is_one_document(tmp_path: Path) -> None:
    assert read(tmp_path, {"chapter": "大學", "paragraphs": ["大學之道"]}) == [
        Document("0", "大學之道", {"chapter": "大學"})
    ]


def test_comments_belong_to_the_book_that_has_them(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [{"content": "讀經宜冬", "comment": ["曹秋岳曰：可想見其南面百城時。"]}])
    assert isinstance(found, Document)
    assert found.text == "讀經宜冬\n曹秋岳曰：可想見其南面百城時。"


def test_authors_tone_patterns_and_marked_errors_are_refused(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        [{"name": "李白", "desc": "…", "id": "1"}, {"id": "1", "strains": ["平仄"]}, POEM | {"error_type": "x"}],
    )
    assert [item.reason for item in found if isinstance(item, Refused)] == [
        "author_record",
        "no_text",
        "marked_as_error",
    ]


def test_broken_json_is_one_record_and_a_broken_element_another(tmp_path: Path) -> None:
    (whole,) = read(tmp_path, b'[{"title": "\xe6\x98\xa5"}, {"par')
    assert isinstance(whole, Bad)
    assert (whole.reason, whole.offset) == ("json", 0)
    good, element = read(tmp_path, [POEM, "not a poem"])
    assert isinstance(good, Document)
    assert isinstance(element, Bad)
    assert (element.reason, element.data) == ("record", b'"not a poem"')
    assert (tmp_path / "poems.json").read_bytes()[element.offset :].startswith(element.data)


def test_the_github_layout_is_read_whole(shared_data: Path) -> None:
    found: list[Item] = []
    for file in sorted((shared_data / "chinese_poetry").rglob("*.json")):
        found += read_poetry(file, 0, file.stat().st_size)
    documents = [item for item in found if isinstance(item, Document)]
    assert not [item for item in found if isinstance(item, Bad)]
    assert len(documents) > 60_000
    assert sum(len(item.text) for item in documents) > 4_000_000
