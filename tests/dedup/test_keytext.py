"""The key text against its definition in plain Python, and the examples that define it for people."""

from __future__ import annotations

import functools
import unicodedata

import opencc
import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.keytext import key_points, key_text

CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("後后髮发乾干隆薴苧苎豈餘余，。！？…「」１９98ＡaßﬃｶﾞÀ㎡½①Ⅷé한ᄒ\u0301\u1161\u200b\ufe0f\u0345İ　"),
)
TEXTS = st.text(CHARACTERS, max_size=30)


@functools.cache
def simplified(char: str) -> str:
    converter = opencc.OpenCC("t2s")
    while (other := converter.convert(char)) != char:
        char = other
    return char


def reference_key(text: str) -> str:
    folded = text
    for _ in range(4):
        folded = "".join(regex.findall(r"[\p{L}\p{M}\p{N}]", unicodedata.normalize("NFKC", folded).casefold()))
    return "".join(simplified(char) for char in folded) or text


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=8))
def test_a_batch_has_the_keys_of_its_texts(texts: list[str]) -> None:
    keys = key_points(pa.array(texts, pa.string()))
    expected = [reference_key(text) for text in texts]
    assert [keys.points.text(row) for row in range(len(texts))] == expected
    assert [key_text(text) for text in texts] == expected
    assert keys.han.tolist() == [len(regex.findall(r"\p{Han}", text)) for text in texts]


@settings(deadline=None)
@given(TEXTS)
def test_folding_a_key_changes_nothing(text: str) -> None:
    once = key_text(text)
    assert key_text(once) == once


@settings(deadline=None)
@given(st.text(st.sampled_from("床前明月光疑是地上霜乾隆餘年1998"), max_size=20), st.data())
def test_punctuation_and_space_anywhere_do_not_count(text: str, data: st.DataObject) -> None:
    marks = st.sampled_from(["，", "。", " ", "　", "\n", "……", "—", "·", "「", "!"])
    broken = "".join(char + (data.draw(marks) if data.draw(st.booleans()) else "") for char in text)
    assert key_text(broken) == key_text(text) or not key_text(text)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("後宮佳麗三千人，三千寵愛在一身。", "后宫佳丽三千人。三千宠爱在一身", True),
        ("乾隆年間", "乾隆年间", True),
        ("ＡＢＣ １９９８", "abc1998", True),
        ("申花2比1胜国安", "申花2比3胜国安", False),
        ("1998", "1999", False),
        ("……", "！！", False),
        ("", "。", False),
        ("㎡", "m2", True),
    ],
)
def test_what_is_the_same_document(left: str, right: str, equal: bool) -> None:
    assert (key_text(left) == key_text(right)) is equal


def test_the_two_composed_forms_are_one() -> None:
    assert key_text("cafe\u0301") == key_text("café") == "café"
    assert key_text("\u1112\u1161\u11ab") == key_text("한")


def test_nothing_that_stays_lies_outside_the_table() -> None:
    outside = "".join(map(chr, [*range(0x40000, 0xE0000), *range(0xE1000, 0x110000)]))
    assert regex.search(r"[\p{L}\p{M}\p{N}]", outside) is None
    assert unicodedata.normalize("NFKC", outside) == outside == outside.casefold()
