"""Every format: real bytes where they lie beside the checkout, published shapes in small, hostile bytes, any cut."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_corpus.containers import Part, can_be_cut, iterate_parts, read_part
from siku_corpus.records import Bad, Document, Item, Refused, batches
from siku_corpus.sources import FORMATS, load_reader
from siku_corpus.sources.prose import rejoin
from siku_manifests.errors import RecipeError

SMALL: dict[str, list[tuple[str, bytes]]] = {
    "blocks": [("f.txt", "一\n二\n\n三\r\n \n\n四\n".encode())],
    "chinese-poetry": [("f.json", '[{"title":"春曉","author":"孟","paragraphs":["春眠不覺曉"]}]'.encode())],
    "classical-modern": [("bitext.txt", "古文：甲\n现代文：乙\n\n古文：丙\n现代文：丁\n".encode())],
    "clue": [
        ("f.json", '{"sentence":"甲","label":1}\n{"sentence1":"乙","sentence2":"丙"}\n'.encode()),
        ("f.txt", "1_!_101_!_news_culture_!_题目_!_词\n7_!_休闲_!_正文\n".encode()),
        ("c3.json", '[[["甲说","乙说"],[{"question":"问","choice":["是"],"answer":"是"}],"1"]]'.encode()),
    ],
    "cnews": [("f.txt", "体育\t湖人赢球\n财经\t股市大涨\n".encode())],
    "coig": [("f.jsonl", '{"instruction":"问","input":"","output":"答"}\n'.encode())],
    "csl": [("f.tsv", "to title\t摘要\t题目\n题\t摘\t词_词\t学科\t门类\n".encode())],
    "csv": [("f.csv", 'text,title\n"一,二",题\n三,\n'.encode())],
    "jsonl": [("f.jsonl", '{"text":"一"}\n{"content":"二","url":"u"}\n'.encode())],
    "lines": [("f.txt", "一\n\n二\n".encode())],
    "pairs": [("f.txt", "Hi.\t嗨。\tCC-BY\nRun.\t跑。\n".encode())],
    "parquet": [],
    "people-daily": [("f.txt", "新年/t 讲话/n\n今天/t 冷/a 。/w\n".encode())],
    "po": [("f.po", 'msgid ""\nmsgstr ""\n\nmsgid "Open"\nmsgstr "打开"\n'.encode())],
    "prose": [("f.txt", "　　一\n二\n".encode())],
    "rst": [("f.txt", b"Title\n=====\n\nText.\n")],
    "text": [("f.txt", "一\n二".encode())],
    "thucnews": [("f.txt", "题目\n\u3000\u3000正文\n".encode())],
    "thucnews-titles": [("f.txt", "体验\t8\n铁树\t5\n".encode())],
    "translation2019zh": [("f.json", '{"english":"Hi","chinese":"嗨"}\n'.encode())],
    "warc": [("f.wet", b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 3\r\n\r\n\xe4\xb8\x80\r\n\r\n")],
    "wikipedia-dump": [("f.xml", b"<mediawiki><page><title>A</title></page></mediawiki>")],
    "wikipedia-extracted": [("f", '{"id":"1","url":"u","title":"甲","text":"甲\\n\\n正文。"}\n'.encode())],
}


def read(file: Path, format_: str, start: int = 0, end: int | None = None) -> list[Item]:
    found: list[Item] = []
    for part in iterate_parts(file, start, file.stat().st_size if end is None else end, format_=FORMATS[format_]):
        found += [part] if not isinstance(part, Part) else read_part(load_reader(format_), part)
    return found


def read_small(folder: Path, format_: str, name: str, data: bytes) -> list[Item]:
    (folder / name).write_bytes(data)
    return read(folder / name, format_)


def documents(items: list[Item]) -> list[Document]:
    return [item for item in items if isinstance(item, Document)]


def reasons(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Refused | Bad)]


def balanced(items: list[Item]) -> bool:
    found = list(batches(items))
    ends = sum(batch.documents.num_rows + len(batch.refused) + len(batch.bad) + batch.joined for batch in found)
    return ends == sum(batch.read + batch.split for batch in found)


def test_every_format_has_an_example() -> None:
    assert set(SMALL) == set(FORMATS)


CASES = [(format_, *example) for format_, examples in SMALL.items() for example in examples]


@pytest.mark.parametrize(("format_", "name", "data"), CASES)
@settings(max_examples=12, deadline=None)
@given(noise=st.binary(max_size=40), place=st.integers(0, 120), drop=st.integers(0, 30), cut=st.integers(0, 160))
def test_hostile_bytes_never_stop_a_reader(  # noqa: PLR0917  hypothesis names them
    tmp_path_factory: pytest.TempPathFactory, format_: str, name: str, data: bytes, noise: bytes, place: int,
    drop: int, cut: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("hostile")
    items = read_small(folder, format_, name, data[:place] + noise + data[place + drop :])
    assert balanced(items)
    if can_be_cut(name, FORMATS[format_]):
        size = (folder / name).stat().st_size
        pieces = [read(folder / name, format_, a, b) for a, b in pairwise(sorted({0, min(cut, size), size}))]
        assert [repr(item) for piece in pieces for item in piece] == [repr(item) for item in items]


@pytest.mark.parametrize(("format_", "name", "data"), CASES)
def test_the_small_example_is_read(tmp_path: Path, format_: str, name: str, data: bytes) -> None:
    items = read_small(tmp_path, format_, name, data)
    assert not [item for item in items if isinstance(item, Bad)]
    assert items


def test_blocks_are_documents(tmp_path: Path) -> None:
    items = read_small(tmp_path, "blocks", *SMALL["blocks"][0])
    assert items == [Document("0", "一\n二"), Document("9", "三"), Document("17", "四")]


def test_a_file_that_only_bears_the_name_of_cnews_says_what_it_is(tmp_path: Path) -> None:
    for text, looks in {
        '{"text": "a"}\n' * 3: "JSON lines",
        "好\t坏\t1\n" * 3: "pairs of sentences",
        "体验2D\t8\n" * 3: "thucnews-titles",
        "湖人赢球\t体育\n" * 3: "the other way round",
        "没有\n" * 3: "no tab",
        "农业\t正文\n" * 3: "labels are 农业",
    }.items():
        (bad,) = read_small(tmp_path, "cnews", "cnews.train.txt", text.encode())
        assert isinstance(bad, Bad)
        assert bad.reason == "file"
        assert looks in bad.detail


def clue(tmp_path: Path, record: Any) -> list[Item]:
    return read_small(tmp_path, "clue", "f.json", json.dumps(record, ensure_ascii=False).encode())


def test_tasks_of_clue(tmp_path: Path) -> None:
    chid = {"content": "他#idiom#地说", "candidates": ["一概而论", "生死存亡"]}
    assert clue(tmp_path, chid | {"answer": 1}) == [Document("0", "他生死存亡地说")]
    assert reasons(clue(tmp_path, chid)) == ["gap"]
    assert documents(clue(tmp_path, {"id": 1, "abst": "摘要", "keyword": ["词"], "label": "1"}))[0].meta == {
        "label": "1"
    }
    squad = {"version": "v1", "data": [{"paragraphs": [
        {"context": "文一", "qas": [{"question": "问", "answers": [{"text": "答", "answer_start": 0}]}]},
        {"context": "文二", "qas": []}]}]}  # fmt: skip
    assert clue(tmp_path, squad) == [Document("0/0", "文一\n问\n答"), Document("0/1", "文二", records=0)]
    cmrc = [{"context_text": "文", "qas": [{"query_text": "问", "answers": ["答"]}]}]
    assert clue(tmp_path, cmrc) == [Document("0", "文\n问\n答")]
    assert reasons(clue(tmp_path, [{"paragraphs": 3}])) == ["record"]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"instruction": "问", "input": "入", "output": "答", "domain": ["a"]}, "问\n入\n答"),
        ({"trans_instruction": "问", "trans_input": "", "trans_output": "答"}, "问\n答"),
        (
            {"textbox_q_instruction": "题", "textbox_question": "1+1", "textbox_answer": "2", "textbox_q_context": ""},
            "题\n1+1\n2",
        ),
        ({"round_0": {"response": '{"Q": "问", "A": "答"}'}, "round_1": {"response": {"Q": "再问", "A": "再答"}}},
         "问\n答\n再问\n再答"),
        ({"conversation": [{"human": "问", "assistant": "答"}]}, "问\n答"),
        ({"instruction": "写", "input": ["a", "b"], "output": ""}, "写\na\nb"),
    ],
)  # fmt: skip
def test_shapes_of_instructions(tmp_path: Path, record: dict[str, Any], text: str) -> None:
    plain = json.dumps(record, ensure_ascii=False)
    for data in (plain, json.dumps([record]), json.dumps(record, indent=2)):
        assert [d.text for d in documents(read_small(tmp_path, "coig", "f.json", data.encode()))] == [text]


def test_lines_broken_at_a_width_are_rejoined() -> None:
    full = "字" * 38
    wrapped = ["　　" + full[:36], full, "终。", "", "　　" + full[:36], "了。", "短"]
    assert list(rejoin(wrapped)) == ["　　" + full[:36] + full + "终。", "", "　　" + full[:36] + "了。", "短"]
    verse = ["春眠不覺曉，", "處處聞啼鳥。"] * 20
    assert list(rejoin(verse)) == verse
    assert next(rejoin(["a" * 60, "b" * 58, "c"] * 3)) == "a" * 60 + " " + "b" * 58 + " c"


def test_parquet_row_groups_are_ranges(tmp_path: Path) -> None:
    file = tmp_path / "f.parquet"
    texts = [f"第{number}行" for number in range(2500)]
    pq.write_table(pa.table({"text": texts, "n": range(2500), "skip": [None] * 2500}), file, row_group_size=1000)
    size = file.stat().st_size
    for cut in (0, 4, size // 2, size - 9):
        found = [read(file, "parquet", a, b) for a, b in pairwise(sorted({0, cut, size}))]
        assert [d.text for piece in found for d in documents(piece)] == texts
    assert documents(read(file, "parquet"))[2001] == Document("2001", "第2001行", {"n": "2001"})
    file.write_bytes(file.read_bytes()[:-9])
    assert reasons(read(file, "parquet")) == ["file"]


def test_tables_with_a_header(tmp_path: Path) -> None:
    rows = "content\tlabel\n一\t甲\n二\n".encode() + b"\xe4\xb8\x89\t\xe4\xb9\x99\n"
    items = read_small(tmp_path, "csv", "f.tsv", rows)
    assert documents(items) == [Document("1", "一", {"label": "甲"}), Document("3", "三", {"label": "乙"})]
    assert reasons(items) == ["record"]
    quoted = read_small(tmp_path, "csv", "f.csv", 'text,title\n"一\n""二""",题\n'.encode())
    assert quoted == [Document("1", '一\n"二"', {"title": "题"})]


def test_the_text_may_stand_under_another_name(tmp_path: Path) -> None:
    for format_, name, data in (
        ("jsonl", "f.jsonl", '{"text":"摘要","body":"一","n":1}\n{"text":"二"}\n'.encode()),
        ("csv", "f.csv", "text,body\n摘要,一\n二,\n".encode()),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        items = list(load_reader(format_, column="body")(file, 0, len(data)))
        assert documents(items)[0].text == "一"
        assert documents(items)[0].meta["text"] == "摘要"
        assert reasons(items) == ["record"]
    table = tmp_path / "f.parquet"
    pq.write_table(pa.table({"text": ["摘要"], "body": ["一"]}), table)
    items = list(load_reader("parquet", column="body")(table, 0, table.stat().st_size))
    assert items == [Document("0", "一", {"text": "摘要"})]
    with pytest.raises(RecipeError, match="only csv, jsonl, parquet"):
        load_reader("clue", column="body")


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    payload = f"HTTP/1.1 {status}\r\n".encode() + "".join(f"{line}\r\n" for line in headers).encode() + b"\r\n" + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload + b"\r\n\r\n"


PAGE = "<html><head><title>题 目</title><script>x()</script></head><body><nav>首页</nav><p>一&amp;二<p>三</body>"


def test_pages_of_a_web_archive(tmp_path: Path) -> None:
    html = "Content-Type: text/html; charset=gb2312"
    chunked = b"5\r\n<p>ab\r\n3\r\ncde\r\n0\r\n\r\n"
    data = b"".join(
        [
            response(PAGE.encode("gb18030"), html),
            response(gzip.compress(PAGE.encode()), "Content-Type: text/html", "Content-Encoding: gzip"),
            response(chunked, "Content-Type: text/html", "Transfer-Encoding: chunked"),
            response(b"x", "Content-Type: image/png"),
            response(b"<p>gone", "Content-Type: text/html", status="404 Not Found"),
        ]
    )
    items = read_small(tmp_path, "warc", "f.warc", data)
    assert [d.text for d in documents(items)] == ["一&二\n三", "一&二\n三", "abcde"]
    assert documents(items)[0].meta == {"title": "题 目", "url": "http://a/"}
    assert reasons(items) == ["no_page", "no_page"]
    cut = read_small(tmp_path, "warc", "f.warc.gz", gzip.compress(data[:-30]))
    assert reasons(cut) == ["no_page", "record"]


def test_a_line_without_end_is_one_record_and_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siku_corpus.sources.lines.MAX_LINE_BYTES", 100)
    for format_ in ("lines", "jsonl"):
        items = read_small(tmp_path, format_, "f", b'{"text":"' + b"x" * 1000 + b'"}\n{"text":"a"}\n')
        bad = items[0]
        assert isinstance(bad, Bad)
        assert (bad.reason, bad.length, bad.offset) == ("size", 1012, 0)
        assert len(documents(items)) == 1


REAL = [
    ("cnews", "cnews/cnews.val.txt", 700, 0),
    ("thucnews-titles", "thucnews_titles/*.txt", 10_000, 1),
    ("wikipedia-extracted", "wiki_zh_extracted/AA/wiki_00", 215, 7),
    ("clue", "clue_fewclue/**/*.json", 57_655, 7_585),
    ("csl", "csl_benchmark/**/*.tsv", 12_000, 0),
    ("coig", "coig_cqia/**/*.jsonl", 7_209, 0),
    ("coig", "firefly/sft_dummy_data.jsonl", 33, 0),
    ("jsonl", "firefly/dummy_data.jsonl", 50, 0),
    ("pairs", "tatoeba_cmn_eng/cmn.txt", 15_303, 0),
    ("prose", "prose_luxun/*.txt", 10, 0),
    ("jsonl", "english_web/*json*.gz", 20, 0),
    ("warc", "english_web/*.warc.gz", 22, 26),
]


@pytest.mark.parametrize(("format_", "pattern", "texts", "refused"), REAL)
def test_real_bytes(shared_data: Path, format_: str, pattern: str, texts: int, refused: int) -> None:
    items = [item for file in sorted(shared_data.glob(pattern)) for item in read(file, format_)]
    assert not [item for item in items if isinstance(item, Bad)]
    assert (len(documents(items)), len(reasons(items))) == (texts, refused)
    assert balanced(items)


def test_real_classical_text_is_read_once(shared_data: Path) -> None:
    folder = shared_data / "classical_modern/双语数据/论语"
    chapters = sorted(folder.rglob("*.txt"))
    items = [item for file in chapters for item in read(file, "classical-modern")]
    pairs = [d for d in documents(items) if "\n" in d.text]
    assert len(pairs) > 400
    assert all(d.meta["book"] for d in pairs)
    assert not [item for item in items if isinstance(item, Bad)]
    assert {item.reason for item in items if isinstance(item, Refused)} >= {"copy", "no_text"}


def test_real_prose_has_few_sentences_broken_by_a_line(shared_data: Path) -> None:
    (book,) = documents(read(shared_data / "prose_luxun/坟.txt", "prose"))
    assert "知道的朋友便问我：“你以为那边怎样？”" in book.text
    lines = [line for line in book.text.split("\n") if len(line.strip()) > 30]
    assert sum(line[-1] in "。！？”’》〕）：；…—.-－" for line in lines) > 0.93 * len(lines)
