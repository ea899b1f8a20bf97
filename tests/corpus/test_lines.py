"""Line formats: whatever the cut, every line is read once; and encodings are found."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.decoding import decode, find_encoding
from siku_corpus.records import Bad, Document, Item
from siku_corpus.sources.lines import iterate_lines, read_json_lines, read_lines, read_text


@given(
    st.lists(st.sampled_from(["", " ", "甲", "乙丙", "x" * 9, "\r"]), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.lists(st.integers(0, 80), max_size=4),
)
def test_ranges_side_by_side_give_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ending: str, final: bool, cuts: list[int]
) -> None:
    data = (ending.join(lines) + ending * final).encode()
    file = tmp_path_factory.mktemp("lines") / "f"
    file.write_bytes(data)
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found = [line for a, b in pairwise(borders) for line in iterate_lines(file, a, b)]
    expected = [line.rstrip(b"\r\n") for line in data.split(b"\n") if line.strip()]
    assert [line.data for line in found] == expected
    assert all(data[line.offset :].startswith(line.data) for line in found)


def read(reader: object, file: Path) -> list[Item]:
    return list(reader(file, 0, file.stat().st_size))  # type: ignore[operator]


def test_a_line_is_a_document_at_its_offset(tmp_path: Path) -> None:
    file = tmp_path / "reviews.txt"
    file.write_bytes("\ufeff很好\n\n 不好 \n".encode())
    assert read(read_lines, file) == [Document("0", "很好"), Document("11", " 不好 ")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    text = "四库全书，经史子集。𠀀" if encoding != "gbk" else "四库全书，经史子集。"
    assert decode(text.encode(encoding)) == text
    if not encoding.startswith("utf-16"):
        file = tmp_path / "f"
        file.write_bytes(f"{text}\n{text}".encode(encoding))
        assert [item.text for item in read(read_lines, file)] == [text, text]


def test_a_character_cut_at_the_samples_end_is_no_reason_to_leave_utf_8() -> None:
    assert find_encoding("四库".encode()[:-1]) == "utf-8"
    assert find_encoding("四库".encode("gb18030")) == "gb18030"


def test_a_broken_line_is_quarantined_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"\xe5\xa5\xbd\n" * 30_000 + b"\xff\xfe\xff\n")
    *good, broken = read(read_lines, file)
    assert len(good) == 30_000
    assert isinstance(broken, Bad)
    assert (broken.reason, broken.offset, broken.data) == ("encoding", 120_000, b"\xff\xfe\xff")


def test_json_lines_take_the_text_and_keep_the_rest_as_metadata(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    rows = [
        json.dumps({"text": "正文", "title": "题", "year": 1998, "tags": ["a"], "ok": True}, ensure_ascii=False),
        json.dumps({"content": "内容", "text": 3}),
        "{broken",
        json.dumps({"title": "只有题"}),
        json.dumps(["no object"]),
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    first, second, broken, without, no_object = read(read_json_lines, file)
    assert first == Document("0", "正文", {"title": "题", "year": "1998"})
    assert isinstance(second, Document)
    assert second.text == "内容"
    assert [item.reason for item in (broken, without, no_object) if isinstance(item, Bad)] == ["json", "record", "json"]
    assert isinstance(broken, Bad)
    assert file.read_bytes()[broken.offset :].startswith(b"{broken")


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes("一\r\n二".encode("gb18030"))
    assert read(read_text, tmp_path / "book.txt") == [Document("0", "一\r\n二")]
    (tmp_path / "broken").write_bytes(b"\xef\xbb\xbf\xff\xff")
    (bad,) = read(read_text, tmp_path / "broken")
    assert isinstance(bad, Bad)
