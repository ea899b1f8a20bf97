"""Normalization: each rule at its boundary, and what must hold for any text."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from siku_corpus.normalize import normalize
from siku_corpus.private import PRIVATE
from siku_corpus.private_use import PRIVATE_USE
from siku_corpus.profiles import RULES as PROFILE_RULES
from siku_corpus.rules import RULES
from siku_corpus.script import find_traditional
from siku_corpus.survey import SEPARATOR

HAN = regex.compile(r"\p{Han}")


def apply(text: str, *rules: str) -> str:
    return normalize([text], rules).texts[0]


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("line_ends", "一\r\n二\r三\u2028四\x85五\x0b六", "一\n二\n三\n四\n五\n六"),
        ("controls", "\ufeff一\x00二\u200b三\u00ad四\u202e五\ufe0f六\U000e0100\t七\n", "一二三四五六\t七\n"),
        ("private_use", "\ue78d\ue816\ue81e\ue817\ue864\ue000", "︐𠂇龴𠂉龻\ue000"),
        ("width", "ＡｚＺ０９，！：％", "AzZ09，！：％"),
        ("symbols", "3％5，1＋1，a＝b，％，5％。，中＋A", "3%5，1+1，a=b，％，5％。，中＋A"),
        ("symbols", "2．1亿，U．S．A．，１．一、", "2.1亿，U.S.A．，１．一、"),
        ("compose", "e\u0301 \uf900\ufa0e，！①㎡", "\u00e9 \u8c48\ufa0e，！①㎡"),
        ("entities", "&nbsp;&#183;&#x4e00;&lt;b&gt; &amp;amp;nbsp;", "\u00a0·一<b> \u00a0"),
        ("entities", "?a=1&copy=2 &unknown; & ;", "?a=1&copy=2 &unknown; & ;"),
        ("spaces", "一\u3000二\u00a0三\u2003四 五\t六", "一 二 三 四 五\t六"),
        ("runs", "  一  二\t三\n \t四 五", " 一 二 三\n四 五"),
        ("gaps", "一 二 三 abc 四 ，五", "一二三 abc 四 ，五"),
        ("punctuation", "好,好?好!好:好;好,3,a,好, 好,", "好，好？好！好：好；好,3,a,好, 好,"),
        ("ellipsis", "好...好....。。。。a...b ...... 。。", "好……好…………a...b ...... 。。"),
        ("script", "後宮佳麗三千人", "后宫佳丽三千人"),
        ("trim", "\n 一 \n\n\n\n二\t\n三\n\n", "一\n\n二\n三"),
    ],
)
def test_a_rule_at_its_boundary(rule: str, before: str, after: str) -> None:
    assert apply(before, rule) == after


def test_every_rule_has_a_case_at_its_boundary() -> None:
    marks = [mark for mark in test_a_rule_at_its_boundary.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    elsewhere = {*PRIVATE, "boilerplate", "pasted_twice"}
    assert {rule for rule, *_ in marks[0].args[1]} | elsewhere == set(RULES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("正文。\n责任编辑：某某\n下文。", "正文。\n\n下文。"),
        ("版权所有", ""),
        ("正文" * 40 + "责任编辑：某某", "正文" * 40 + "责任编辑：某某"),
        ("上一篇：甲\n下一篇：乙\n正文", "\n\n正文"),
        ("他说版权所有者是谁", ""),
    ],
)
def test_boilerplate_takes_short_lines_only(before: str, after: str) -> None:
    assert apply(before, "boilerplate") == after


def test_counts_and_examples_say_what_happened() -> None:
    found = normalize(["１０天，怎么还没到", "没有", "Ｂ"], ["width", "gaps"])
    assert found.counts == {"width": 2}
    assert found.examples == {"width": ("１０天，怎么还没到", "10天，怎么还没到")}


def test_no_text_no_rule() -> None:
    assert normalize([], RULES).texts == []
    assert normalize(["", ""], RULES).texts == ["", ""]


# Characters that rules look at, and their neighbours; weighted so that rules meet in one text.
alphabet = st.one_of(
    st.sampled_from("一二乾於後著发發餘计0aA ,.?!:;&#x;nbsp。，…\n\r\t"),
    st.sampled_from(
        "\u3000\u00a0\u200b\ufeff\ufe0f\u0301\u0338\u2028\x85\x1e\x00\ue78d\ue816\uf900\U0002f800\U000e0100"
    ),
    st.sampled_from("０Ａｚ％＋＝＜＆；"),
    st.characters(exclude_categories=["Cs"]),
)
texts = st.text(alphabet, max_size=30)
pieces = st.sampled_from(
    ["&amp;", "&lt;", "&#12288;", "&amp;amp;", "...", "。。。", "责任编辑：", "\n\n\n", "  ", "乾縣"]
)
hostile = st.lists(st.one_of(texts, pieces), max_size=6).map("".join)


@pytest.mark.parametrize("profile", PROFILE_RULES)
@given(hostile)
@example("&ａmp;lt;")
@example("中 \u200b 文")
@example("Ａ\u0301Ｋ\u212a＋B")
@example("&#x200b;&#xe816;&#65;\u0301")
def test_normalizing_again_changes_nothing(profile: str, text: str) -> None:
    once = normalize([text], PROFILE_RULES[profile]).texts
    assert normalize(once, PROFILE_RULES[profile]).texts == once


@pytest.mark.parametrize("profile", PROFILE_RULES)
@given(st.lists(hostile, max_size=5))
def test_a_batch_is_its_documents(profile: str, batch: list[str]) -> None:
    rules = PROFILE_RULES[profile]
    assert normalize(batch, rules).texts == [normalize([text], rules).texts[0] for text in batch]


@pytest.mark.parametrize("profile", ["poetry", "classical"])
@given(texts)
def test_poems_keep_their_characters(profile: str, text: str) -> None:
    mapped = text.replace(SEPARATOR, "").translate({ord(a): b for a, b in PRIVATE_USE.items()})
    expected = HAN.findall(unicodedata.normalize("NFC", mapped))
    assert HAN.findall(normalize([text], PROFILE_RULES[profile]).texts[0]) == expected


def test_a_poem_keeps_its_pauses_and_its_script() -> None:
    poem = "弟子規 聖人訓 首孝弟 次謹信\n餘生,幾何?"
    assert normalize([poem], PROFILE_RULES["poetry"]).texts == [poem]


def test_code_in_documentation_keeps_its_indentation() -> None:
    page = "Say::\n\n    def f(x):\n        return x  # ...\n\tdone"
    assert normalize([page], PROFILE_RULES["english"]).texts == [page]


def test_a_page_of_news_as_people_have_it() -> None:
    page = "　　新浪讯  北京时间１月８日消息,火箭 队以１０５：９８获胜......\r\n\r\n\r\n　　责任编辑:某某\r\n　　（完）"
    assert normalize([page], PROFILE_RULES["modern"]).texts == [
        "新浪讯北京时间1月8日消息，火箭队以105：98获胜……\n\n（完）"
    ]


def test_private_use_maps_to_what_gb18030_says() -> None:
    for private, public in PRIVATE_USE.items():
        assert 0xE000 <= ord(private) < 0xF900
        assert unicodedata.category(public) not in {"Co", "Cn"}
    assert len(set(PRIVATE_USE.values())) == len(PRIVATE_USE) == 92


@given(st.text("甲乙丙。", max_size=30), st.integers(0, 120), st.integers(1, 4))
def test_a_body_pasted_more_than_once_is_kept_once(title: str, length: int, copies: int) -> None:
    body = "".join(chr(0x4E00 + number) for number in range(length))
    (found,) = normalize([title + body * copies], ["pasted_twice"]).texts
    assert found == title + body * (1 if length >= 50 else copies) or length < 50
    assert normalize([found], ["pasted_twice"]).texts == [found]


def test_what_differs_in_one_letter_was_not_pasted() -> None:
    body = "".join(chr(0x4E00 + number) for number in range(100))
    text = body + body[:30] + "异" + body[31:]
    assert normalize([text], ["pasted_twice"]).texts == [text]
    assert normalize(["题" + body[:49] * 2], ["pasted_twice"]).counts == {}
    assert normalize(["题" + body[:50] * 2, body], ["pasted_twice"]).counts == {"pasted_twice": 1}
    simplified = "".join(chr(code) for code in range(0x5929, 0x5A00) if not find_traditional([chr(code)])[0])
    assert normalize(["题" + simplified * 2 + " "], PROFILE_RULES["modern"]).texts == ["题" + simplified]
