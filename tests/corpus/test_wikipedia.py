"""Dumps and extractor files: real bytes, bytes made after the export schemas 0.10 and 0.11, and broken ones."""

from __future__ import annotations

import bz2
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from siku_corpus.dump import pages
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.wikipedia import read_dump, read_extracted

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-{version}/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="{version}" xml:lang="{language}">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <dbname>{language}wiki</dbname>
    <base>https://{language}.wikipedia.org/wiki/Wikipedia:%E9%A6%96%E9%A1%B5</base>
    <generator>MediaWiki 1.43.0-wmf.5</generator>
    <case>first-letter</case>
    <namespaces>
      <namespace key="0" case="first-letter" />
      <namespace key="10" case="first-letter">Template</namespace>
      <namespace key="14" case="first-letter">Category</namespace>
    </namespaces>
  </siteinfo>
"""
TAIL = "</mediawiki>\n"


def page(number: int, title: str, text: str, *, ns: int = 0, extra: str = "", model: str = "wikitext") -> str:
    """A page as schema 0.11 writes it: attributes on `<text>`, an `<origin>`, a second slot with its own text."""
    return f"""  <page>
    <title>{escape(title)}</title>
    <ns>{ns}</ns>
    <id>{number}</id>{extra}
    <revision>
      <id>{number}00</id>
      <parentid>1</parentid>
      <timestamp>2024-11-01T05:40:00Z</timestamp>
      <contributor><username>甲</username><id>7</id></contributor>
      <minor />
      <comment>/* &lt;page&gt; */</comment>
      <origin>{number}00</origin>
      <model>{model}</model>
      <format>text/x-wiki</format>
      <text bytes="{len(text.encode())}" sha1="x" xml:space="preserve">{escape(text)}</text>
      <content>
        <role>mediainfo</role><origin>1</origin><model>wikibase-mediainfo</model><format>application/json</format>
        <text bytes="2" sha1="y" xml:space="preserve">{{}}</text>
      </content>
      <sha1>x</sha1>
    </revision>
  </page>
"""


PAGES = [
    page(
        1,
        "月球",
        "{{noteTA|1=zh-cn:卫星;zh-tw:衛星}}'''月球'''（{{lang-en|Moon}}）是[[地球]]的-{zh-hans:天然;zh-hant:天然}-衛星。",
    ),
    page(2, "月", "#重定向 [[月球]]", extra='\n    <redirect title="月球" />'),
    page(3, "月亮", "#REDIRECT [[月球]]"),
    page(4, "长安 (消歧义)", "* [[长安]]\n{{disambig}}"),
    page(5, "Category:卫星", "[[Category:天体]]", ns=14),
    page(6, "Template:卫星", "{{{1}}}", ns=10),
    page(7, "空", "{{Infobox}}"),
    page(8, "代码.js", "var a;", model="javascript"),
    page(9, "炸弹", "{{a|" * 3000),
    page(10, "AT&T <公司>", "美国电话电报公司。"),
]
REASONS = {
    "": 2,
    "redirect": 2,
    "disambiguation": 1,
    "namespace": 2,
    "empty": 1,
    "content_model": 1,
    "markup": 1,
}


def dump(pages_: list[str], *, version: str = "0.11", language: str = "zh") -> bytes:
    return (HEAD.format(version=version, language=language) + "".join(pages_) + TAIL).encode()


def multistream(pages_: list[str], *, per_stream: int) -> bytes:
    """As Wikimedia makes them: the head, then some pages, then the end tag, each a bz2 stream."""
    groups = ["".join(pages_[index : index + per_stream]) for index in range(0, len(pages_), per_stream)]
    return b"".join(bz2.compress(part.encode()) for part in [HEAD.format(version="0.11", language="zh"), *groups, TAIL])


def read(file: Path, *, pieces: int = 1) -> list[Item]:
    size = file.stat().st_size
    cuts = [size * index // pieces for index in range(pieces + 1)]
    return [item for start, end in pairwise(cuts) for item in read_dump(file, start, end)]


def reasons(items: list[Item]) -> Counter[str]:
    return Counter(getattr(item, "reason", "") for item in items)


@pytest.mark.parametrize("version", ["0.10", "0.11"])
def test_articles_are_read_and_the_rest_is_refused_with_a_reason(tmp_path: Path, version: str) -> None:
    file = tmp_path / "zhwiki-pages-articles.xml"
    file.write_bytes(dump(PAGES, version=version))
    items = read(file)
    assert reasons(items) == REASONS
    moon, att = (item for item in items if isinstance(item, Document))
    assert moon.locator == "1"
    assert moon.text == "月球（Moon）是地球的天然卫星。"
    assert moon.meta == {
        "title": "月球",
        "date": "2024-11-01",
        "url": "https://zh.wikipedia.org/wiki/%E6%9C%88%E7%90%83",
    }
    assert att.meta["title"] == "AT&T <公司>"
    refused = {item.locator: item for item in items if isinstance(item, Refused)}
    assert refused["2"].detail == {"title": "月", "target": "月球"}
    assert refused["3"].detail == {"title": "月亮", "target": "月球"}
    assert refused["5"].detail == {"title": "Category:卫星", "namespace": "14"}
    (bad,) = (item for item in items if isinstance(item, Bad))
    assert bad.data.startswith(b"<page>")
    assert "炸弹" in bad.detail
    assert file.read_bytes()[bad.offset :].startswith(bad.data)


def test_a_wiki_in_another_language_has_no_language_rules(tmp_path: Path) -> None:
    file = tmp_path / "enwiki.xml"
    file.write_bytes(dump([page(1, "Set", "A set {a-{b}-c}.")], language="en"))
    assert [item.text for item in read(file) if isinstance(item, Document)] == ["A set {a-{b}-c}."]


def test_a_dump_without_namespace_numbers_is_judged_by_titles(tmp_path: Path) -> None:
    file = tmp_path / "old.xml"
    texts = [page(1, "分類:衛星", "文"), page(2, "使用者討論:甲", "文"), page(3, "甲：乙", "文")]
    file.write_bytes(dump([text.replace("<ns>0</ns>", "") for text in texts], version="0.5"))
    assert reasons(read(file)) == {"namespace": 2, "": 1}


@pytest.mark.parametrize("form", ["plain", "one stream", "multistream", "recompressed"])
@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 40, 400])
def test_ranges_side_by_side_give_every_page_once(tmp_path: Path, form: str, pieces: int) -> None:
    """`recompressed`: streams cut anywhere, also inside a tag, as parallel compressors do."""
    numbers = [page(number, f"第{number}页", f"正文{number}" * (number % 5 * 40 + 1)) for number in range(1, 61)]
    data = dump(numbers)
    forms = {
        "plain": data,
        "one stream": bz2.compress(data),
        "multistream": multistream(numbers, per_stream=4),
        "recompressed": b"".join(bz2.compress(data[at : at + 701]) for at in range(0, len(data), 701)),
    }
    file = tmp_path / "dump"
    file.write_bytes(forms[form])
    items = read(file, pieces=pieces)
    assert [item.locator for item in items if isinstance(item, Document)] == [str(number) for number in range(1, 61)]
    assert len(items) == 60


def test_every_cut_of_a_plain_dump_gives_the_same_pages(tmp_path: Path) -> None:
    file = tmp_path / "dump.xml"
    file.write_bytes(dump([page(1, "甲", "一"), page(2, "乙", "二")]))
    size = file.stat().st_size
    for cut in range(0, size, 3):
        items = [*read_dump(file, 0, cut), *read_dump(file, cut, size)]
        assert [item.locator for item in items if isinstance(item, Document)] == ["1", "2"]


def test_a_real_dump_is_read_alike_in_one_piece_and_in_many(shared_data: Path) -> None:
    (file,) = (shared_data / "wiki_xml_en").glob("*.bz2")
    items = read(file)
    assert reasons(items) == {"": 98, "redirect": 99, "disambiguation": 8, "namespace": 1}
    assert [item.locator for item in read(file, pieces=2) if isinstance(item, Document)] == [
        item.locator for item in items if isinstance(item, Document)
    ]


def test_a_broken_stream_costs_its_pages_and_no_others(tmp_path: Path) -> None:
    numbers = [page(number, f"第{number}页", "正文") for number in range(1, 13)]
    data = bytearray(multistream(numbers, per_stream=4))
    heads = [at for at in range(len(data)) if data.startswith(b"BZh91AY&SY", at)]
    data[heads[2] + 40] ^= 255
    file = tmp_path / "dump.bz2"
    file.write_bytes(data)
    for pieces in (1, 5):
        items = read(file, pieces=pieces)
        assert [item.locator for item in items if isinstance(item, Document)] == [
            "1",
            "2",
            "3",
            "4",
            "9",
            "10",
            "11",
            "12",
        ]
        (bad,) = (item for item in items if isinstance(item, Bad))
        assert (bad.reason, bad.offset) == ("archive", heads[2])


@pytest.mark.parametrize("compress", [False, True])
def test_a_dump_that_ends_too_early_says_so(tmp_path: Path, compress: bool) -> None:
    data = dump([page(1, "甲", "一"), page(2, "乙", "二" * 3000)])
    whole = bz2.compress(data) if compress else data
    file = tmp_path / "dump"
    file.write_bytes(whole[:-20] if compress else whole[: whole.index(b"</text>", -2000)])
    items = read(file)
    assert reasons(items)["archive" if compress else "record"] == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"<page><title>\xe6\x9c</title><ns>0</ns></page>", "record"),
        (b"<page><title>&unknown;</title></page>", "record"),
        (b"<page><title>a</ns></page>", "record"),
        (b"<page><ns>0</ns></page>", "record"),
    ],
)
def test_a_broken_page_is_quarantined_and_the_next_is_read(tmp_path: Path, broken: bytes, reason: str) -> None:
    file = tmp_path / "dump.xml"
    file.write_bytes(
        dump([page(1, "甲", "一")]).replace(TAIL.encode(), broken + page(2, "乙", "二").encode() + TAIL.encode())
    )
    first, bad, second = read(file)
    assert isinstance(bad, Bad)
    assert (bad.reason, bad.data) == (reason, broken)
    assert isinstance(first, Document)
    assert isinstance(second, Document)


def test_a_page_without_an_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_BYTES", 1 << 21)
    file = tmp_path / "dump.xml"
    long = page(1, "甲", "一" * (1 << 21))
    file.write_bytes(dump([long, page(2, "乙", "二")]))
    bad, document = read(file)
    assert isinstance(bad, Bad)
    assert bad.reason == "size"
    assert isinstance(document, Document)


@pytest.mark.parametrize(
    "data", [b"", b"BZh9", b"BZh91AY&SY", b"<mediawiki>", b"\x00" * 100, b"<page>", b"<page></page>"]
)
def test_no_bytes_crash_the_reader(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "dump"
    file.write_bytes(data)
    assert not any(isinstance(item, Document) for item in read(file))


RECORDS = [
    ("13", "数学", "数学\n\n数学（）是研究数量的学科（，希腊语）。<br>数&nbsp;学"),
    ("14", "Category:数学", "Category:数学\n\n文"),
    ("15", "集合 (消歧义)", "集合 (消歧义)\n\n可以指："),
    ("16", "空", "空\n\n"),
    ("17", "哲学", "哲学\n\n爱智慧，，-{zh-hans:甲;zh-hant:乙}-。"),
]
TEXTS = ["数学是研究数量的学科（希腊语）。\n数\xa0学", "爱智慧，甲。"]


def json_lines() -> bytes:
    keys = ("id", "title", "text")
    return b"".join(
        json.dumps(
            dict(zip(keys, record, strict=True)) | {"url": "https://zh.wikipedia.org/wiki?curid=" + record[0]}
        ).encode()
        + b"\n"
        for record in RECORDS
    )


def doc_blocks() -> bytes:
    return "".join(
        f'<doc id="{number}" url="https://zh.wikipedia.org/wiki?curid={number}" title="{title}">\n{text}\n\n</doc>\n'
        for number, title, text in RECORDS
    ).encode()


@pytest.mark.parametrize("data", [json_lines(), doc_blocks()], ids=["json", "doc"])
def test_extracted_articles_are_mended(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "wiki_00"
    file.write_bytes(data)
    items = list(read_extracted(file, 0, len(data)))
    assert [item.text for item in items if isinstance(item, Document)] == TEXTS
    assert items[0].meta == {"title": "数学", "url": "https://zh.wikipedia.org/wiki?curid=13"}  # type: ignore[union-attr]
    assert reasons(items) == {"": 2, "namespace": 1, "disambiguation": 1, "empty": 1}
    for cut in range(0, len(data), 7):
        assert [*read_extracted(file, 0, cut), *read_extracted(file, cut, len(data))] == items


def test_broken_extracted_records_are_quarantined(tmp_path: Path) -> None:
    file = tmp_path / "wiki_00"
    lines = b'{"id": "1"}\n{"text": \n{"id": "2", "title": "t", "text": "' + b"{{a|" * 200 + b'"}\n{"text": "ok"}\n'
    file.write_bytes(lines)
    items = list(read_extracted(file, 0, len(lines)))
    assert reasons(items) == {"record": 1, "json": 1, "markup": 1, "": 1}
    blocks = b'<doc id="1" title="x">\na\n</doc>\n'
    blocks += b'<doc id="2" url="u" title="a "b" c">\nb\n</doc>\n<doc id="3" url="" title="c">\n'
    file.write_bytes(blocks)
    items = list(read_extracted(file, 0, len(blocks)))
    assert reasons(items) == {"record": 2, "": 1}


def test_a_block_without_an_end_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siku_corpus.sources.wikipedia.MAX_LINE_BYTES", 100)
    file = tmp_path / "wiki_00"
    tag = b'<doc id="1" url="u" title="a">\n'
    file.write_bytes(tag + "一行字。\n".encode() * 100 + tag + "正文。\n</doc>\n".encode())
    items = list(read_extracted(file, 0, file.stat().st_size))
    assert reasons(items) == {"record": 1, "": 1}
    bad = items[0]
    assert isinstance(bad, Bad)
    assert (bad.offset, bad.length < 200) == (0, True)


def test_real_extracted_articles(shared_data: Path) -> None:
    file = shared_data / "wiki_zh_extracted" / "AA" / "wiki_00"
    items = list(read_extracted(file, 0, file.stat().st_size))
    texts = [item.text for item in items if isinstance(item, Document)]
    assert (len(texts), len(items)) == (215, 222)  # seven pages whose list of meanings the extractor dropped
    assert not any("<br" in text or "（）" in text or "（，" in text for text in texts)
