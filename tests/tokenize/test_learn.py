"""Candidates: what the trainer is shown, and that it gives the same again."""

from __future__ import annotations

import pyarrow as pa

from siku_tokenize.learn import LINE_CHARACTERS, han_lines, learn_candidates


def test_runs_of_han_only() -> None:
    texts = pa.array(["白日, 依山尽。a黄b", "〇々𠀀人", "hello", "かな", ""], pa.large_string())
    assert list(han_lines(texts)) == ["白日", "依山尽", "〇々𠀀人"]


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
