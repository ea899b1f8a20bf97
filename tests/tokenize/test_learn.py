"""Candidates: what the trainer is shown, and that it gives the same again."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_tokenize.learn import LINE_CHARACTERS, han_lines, learn_candidates
from siku_tokenize.prove import CHINESE


def test_runs_of_han_only() -> None:
    texts = pa.array(["白日, 依山尽。a黄b", "〇々𠀀人", "hello", "かな", ""], pa.large_string())
    assert list(han_lines(texts)) == ["白日", "依山尽", "〇々𠀀人"]


@pytest.mark.parametrize(
    ("joined", "lines"),
    [
        ((), ["他说", "来了"]),
        (("punctuation",), ["日：“", "“他说。”", "—来了！", "好…"]),
        (("digits",), ["第3卷", "2月3", "1日", "他说", "来了"]),
        (("digits", "punctuation"), ["第3卷", "2月3", "1日：“", "“他说。”", "—来了！", "好…"]),
    ],
)
def test_what_may_be_joined(joined: tuple[str, ...], lines: list[str]) -> None:
    """Between two characters that English has too, a run is cut."""
    texts = pa.array(["第3卷, 12月31日：“", "“他说。”", "——来了！", "《》 2008 好……"])
    assert list(han_lines(texts, joined=joined)) == lines


@given(st.lists(st.text(alphabet="山水，。“”…—·《09a \n", max_size=30)))
def test_every_pair_that_the_trainer_sees_is_chinese(texts: list[str]) -> None:
    """So a piece, however it grows, holds a character that occurs in Chinese only."""
    for line in han_lines(pa.array(texts, pa.string()), joined=("digits", "punctuation")):
        assert all(CHINESE.search(line[i : i + 2]) for i in range(len(line) - 1))


def test_long_runs_are_cut_below_the_trainers_limit() -> None:
    lines = list(han_lines(pa.array(["山" * (2 * LINE_CHARACTERS + 1)])))
    assert [len(line) for line in lines] == [LINE_CHARACTERS, LINE_CHARACTERS]
    assert len("𠀀".encode()) * LINE_CHARACTERS < 4192


def test_the_most_frequent_pair_comes_first(texts: pa.Array) -> None:
    candidates = learn_candidates(texts, count=60)
    assert len(candidates) == 60
    assert candidates[0] == "明月"
    assert "人民共和" in candidates
    assert all(len(piece) > 1 for piece in candidates)


def test_the_same_text_gives_the_same_candidates(texts: pa.Array) -> None:
    assert learn_candidates(texts, count=60) == learn_candidates(texts, count=60)


def test_nothing_to_learn() -> None:
    assert learn_candidates(pa.array(["no Chinese here", ""]), count=10) == []
    assert learn_candidates(pa.array(["山"]), count=10) == []


def test_unigram_candidates_come_from_the_same_runs(texts: pa.Array) -> None:
    candidates = learn_candidates(texts, count=60, algorithm="unigram")
    assert "人民共和国" in candidates
    assert all(len(piece) > 1 and all(CHINESE.match(c) for c in piece) for piece in candidates)
    assert learn_candidates(texts, count=60, algorithm="unigram") == candidates


def test_joined_candidates(texts: pa.Array) -> None:
    joined = learn_candidates(texts, count=60, joined=("punctuation",))
    assert any("，" in piece for piece in joined)
    assert not any("，" in piece for piece in learn_candidates(texts, count=60))
