"""Tagged newspaper text: tags off, paragraphs into articles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from siku_corpus.records import Bad, Document, Item
from siku_corpus.sources.newspaper import read_newspaper

PLAIN = """\
新年/t  讲话/n  （/w  附/v  图片/n  １/m  张/q  ）/w
（/w  一九九八年/t  一月/t  ）/w
今天/t  很/d  冷/a  。/w
“/w  再见/v  。/w  ”/w
天气/n  预报/vn
明天/t  晴/a  。/w  （/w  新华社/nt  电/n  ）/w
第二/m  条/q
某某/nr
后天/t  雨/n  。/w
"""
ARTICLES = [
    "新年讲话（附图片１张）\n（一九九八年一月）\n今天很冷。\n“再见。”",
    "天气预报\n明天晴。（新华社电）",
    "第二条\n某某\n后天雨。",
]


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> list[Item]:
    file = tmp_path / "month.txt"
    file.write_bytes(text.encode(encoding))
    return list(read_newspaper(file, 0, file.stat().st_size))


def test_articles_begin_with_headlines_after_a_closed_paragraph(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN)
    assert [item.text for item in found if isinstance(item, Document)] == ARTICLES
    assert [item.records for item in found] == [4, 2, 3]
    assert [item.meta["title"] for item in found if isinstance(item, Document)] == [
        "新年讲话（附图片１张）",
        "天气预报",
        "第二条",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_paragraph_numbers_decide_where_there_are_any(tmp_path: Path, encoding: str) -> None:
    numbered = (
        "19980101-01-001-001/m  迈向/v  [新/a  世纪/n]nz\n"
        "\n"
        "19980101-01-001-002/m  讲话/n  。/w\n"
        "19980102-02-003-001/m  又/d  一/m  篇/q  。/w\n"
    )
    first, second = read(tmp_path, numbered, encoding)
    assert first == Document(
        "19980101-01-001", "迈向新世纪\n讲话。", {"title": "迈向新世纪", "date": "1998-01-01"}, records=2
    )
    assert second == Document("19980102-02-003", "又一篇。", {"date": "1998-01-02"}, records=1)


def test_a_line_without_tags_is_quarantined_and_the_article_goes_on(tmp_path: Path) -> None:
    bad, article = read(tmp_path, "开头/n  。/w\n没有 标记/n\n结尾/n  。/w\n")
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.data.decode()) == ("record", "没有 标记/n")
    assert article == Document("0", "开头。\n结尾。", {}, records=2)


def test_a_slash_may_be_a_word(tmp_path: Path) -> None:
    (article,) = read(tmp_path, "１/m  //w  ２/m  。/w\n")
    assert isinstance(article, Document)
    assert article.text == "１/２。"


def test_nothing_is_lost_and_no_tag_is_left(tmp_path: Path) -> None:
    found = read(tmp_path, PLAIN * 50)
    words = re.findall(r"(\S+)/[A-Za-z]+", PLAIN * 50)
    assert "".join(words) == "".join(item.text.replace("\n", "") for item in found if isinstance(item, Document))
