"""Encodings: declared ones, found ones, and the two Chinese ones that look alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.containers import Part, can_be_cut, iterate_parts, read_part
from siku_corpus.decoding import check_encoding, decode, find_encoding
from siku_corpus.records import Document
from siku_corpus.sources import FORMATS, load_reader
from siku_manifests.errors import RecipeError

TRADITIONAL = "紅樓夢是中國古典小說，作者曹雪芹；書中寫賈、史、王、薛四大家族的興衰。"
SIMPLIFIED = "红楼梦是中国古典小说，作者曹雪芹；书中写贾、史、王、薛四大家族的兴衰。"


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (TRADITIONAL, "big5", "big5hkscs"),
        (TRADITIONAL, "cp950", "big5hkscs"),
        (TRADITIONAL, "gbk", "gb18030"),
        (TRADITIONAL, "utf-8", "utf-8"),
        (SIMPLIFIED, "gb2312", "gb18030"),
        (SIMPLIFIED, "utf-8-sig", "utf-8"),
        (SIMPLIFIED, "utf-16", "utf-16-le"),
        ("plain", "ascii", "utf-8"),
        ("", "ascii", "utf-8"),
    ],
)
def test_an_encoding_is_found(text: str, encoding: str, found: str) -> None:
    data = text.encode(encoding)
    assert find_encoding(data) == found
    assert decode(data) == text


gb2312 = st.sampled_from([bytes((lead, trail)) for lead in range(0xB0, 0xF8) for trail in range(0xA1, 0xFE)])
BIG5_TRAILS = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
BIG5 = [bytes((lead, trail)) for lead in range(0xA4, 0xC6) for trail in BIG5_TRAILS]


@given(st.lists(gb2312, min_size=1, max_size=200).map(b"".join))
def test_simplified_bytes_are_never_taken_for_big5(data: bytes) -> None:
    assert find_encoding(data) in {"gb18030", "utf-8"}


@given(st.randoms(use_true_random=False))
def test_a_page_of_big5_is_found(random: object) -> None:
    data = b"".join(random.choice(BIG5) for _ in range(400))  # type: ignore[attr-defined]
    assert find_encoding(data) == "big5hkscs"


def test_a_sample_may_end_in_the_middle_of_a_character() -> None:
    for encoding, found in (("big5", "big5hkscs"), ("gbk", "gb18030"), ("utf-8", "utf-8")):
        assert find_encoding(TRADITIONAL.encode(encoding)[:-1]) == found


@pytest.mark.parametrize("encoding", ["big5", "utf-16", "utf-16-be", "gbk", "latin-1"])
def test_any_format_reads_a_declared_encoding(tmp_path: Path, encoding: str) -> None:
    text = "caf\u00e9" if encoding == "latin-1" else TRADITIONAL
    file = tmp_path / "a.jsonl"
    file.write_bytes(f'{{"text": "{text}"}}\n{{"text": "{text}一"}}\n'.encode(encoding, "ignore"))
    format_ = FORMATS["jsonl"]
    assert not can_be_cut(file.name, format_, encoding=encoding)
    parts = [part for part in iterate_parts(file, 0, 1, format_=format_, encoding=encoding) if isinstance(part, Part)]
    items = [item for part in parts for item in read_part(load_reader("jsonl"), part)]
    assert next(item.text for item in items if isinstance(item, Document)) == text
    assert len(items) == 2


def test_bytes_that_are_no_text_of_the_declared_encoding_are_seen_as_lost(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xa4@\xff\xff\xa4@\n")
    (part,) = iterate_parts(file, 0, 7, format_=FORMATS["lines"], encoding="big5")
    assert isinstance(part, Part)
    (item,) = read_part(load_reader("lines"), part)
    assert isinstance(item, Document)
    assert item.text.count("\ufffd") == 2
    assert item.text.startswith("一")


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(RecipeError, match="utf-9"):
        check_encoding("utf-9")
