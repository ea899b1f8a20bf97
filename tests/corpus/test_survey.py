"""What a survey finds is what a search of every text finds."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.normalize import normalize
from siku_corpus.rules import RULES, WAITS_FOR, awaited
from siku_corpus.survey import NUMBERS, SEPARATOR, Survey, code_points, count_different

CLASSES = {name: set(characters) for name, characters in awaited().items()}
SURVEY = Survey(CLASSES)
letters = st.one_of(
    st.sampled_from("aA0９Ａ％＆&@\r\x0b\u2028\u200b\ufeff\u3000\u00a0\u0301\uf900\ue78d한\u1161乾後 ."),
    st.characters(exclude_categories=["Cs"], exclude_characters=SEPARATOR),
)
texts = st.lists(st.text(letters, max_size=12), max_size=6)


@given(texts)
def test_classes_are_found_where_their_characters_are(batch: list[str]) -> None:
    found = SURVEY.find(batch)
    for name, members in CLASSES.items():
        assert found[name].tolist() == [bool(members & set(text)) for text in batch]


@given(texts)
def test_a_rule_changes_nothing_where_its_class_is_not_found(batch: list[str]) -> None:
    found = SURVEY.find(batch)
    for name, awaited_class in WAITS_FOR.items():
        for row, text in enumerate(batch):
            if not found[awaited_class][row]:
                assert RULES[name](text).text == text


def test_what_is_composed_is_what_unicode_calls_composed() -> None:
    flagged = CLASSES["compose"]
    for code in [*range(0xD800), *range(0xE000, 0x30000)]:
        character = chr(code)
        if character not in flagged:
            assert unicodedata.is_normalized("NFC", character)
            assert not unicodedata.combining(character)
    assert {"\u0301", "\u1161", "\u11a8", "\uf900", "\u0344", "\u09be"} <= flagged


@given(st.lists(st.text("0123456789. -a", max_size=40), max_size=4))
def test_numbers_are_found_wherever_one_may_be(batch: list[str]) -> None:
    found = Survey({}).find(batch)[NUMBERS]
    for row, text in enumerate(batch):
        if re.search(r"\d(?:[ -]?\d){10}|\d+\.\d+\.\d+\.\d+", text):
            assert found[row]


@given(texts)
def test_different_characters_are_counted(batch: list[str]) -> None:
    table = np.zeros(0x3000, dtype=np.bool_)
    table[ord("A") : ord("z")] = True
    different, characters = count_different(code_points(batch), table, len(batch))
    assert characters.tolist() == [len(text) for text in batch]
    assert different.tolist() == [len({letter for letter in text if "A" <= letter < "z"}) for text in batch]


def test_no_text_holds_nothing() -> None:
    assert Survey({"a": "a"}).find([])["a"].tolist() == []
    assert normalize([], RULES).texts == []
