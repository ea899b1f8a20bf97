"""The compiled measures against the same definitions written slowly in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_corpus.measure import measure

SPACES = " \n\t\u3000\u00a0"
ENDS = set('。！？…”」』；.!?";')


def top_gram(tokens: Sequence[str], n: int) -> int:
    grams = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    best, taken = 1, 0
    for i in range(len(tokens) - n + 1):  # of equally frequent ones, the first to get there
        seen = sum(tuple(tokens[j : j + n]) == tuple(tokens[i : i + n]) for j in range(i + 1))
        if seen > best:
            best, taken = seen, seen * sum(map(len, tokens[i : i + n]))
    assert best == max(grams.values(), default=1)
    return taken


def repeated(tokens: Sequence[str], n: int) -> int:
    seen: set[tuple[str, ...]] = set()
    at = total = 0
    while at <= len(tokens) - n:
        gram = tuple(tokens[at : at + n])
        if gram in seen:
            total += sum(map(len, gram))
            at += n
        else:
            seen.add(gram)
            at += 1
    return total


def is_blob(run: str) -> bool:
    link = "://" in run or run.lower().startswith("www.")
    return len(run) >= 40 and bool(regex.fullmatch(r"[A-Za-z0-9+/=_%\\-]*[0-9][A-Za-z0-9+/=_%\\-]*", run)) and not link


def slow(text: str, words: bool) -> dict[str, float]:
    visible = [character for character in text if character not in SPACES]
    tokens = [word for word in regex.split(f"[{SPACES}]+", text) if word] if words else visible
    runs = [run for run in regex.findall("[!-~]+", text) if len(run) >= 8]
    lines = [line.strip(SPACES) for line in text.split("\n") if line.strip(SPACES)]
    seen = Counter[str]()
    again = []
    for line in lines:
        again += [line] if seen[line] else []
        seen[line] += 1
    shown, count, characters = max(len(visible), 1), max(len(lines), 1), max(len(text), 1)
    return {
        "bytes": len(text.encode()),
        "characters": len(text),
        "han": len(regex.findall(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]", text)),
        "kana_share": len(regex.findall(r"[\u3041-\u30fa\u30fc-\u30ff]", text)) / shown,
        "hangul_share": len(regex.findall(r"[\uac00-\ud7a3\u1100-\u11ff]", text)) / shown,
        "letters_share": len(regex.findall(r"[A-Za-zÀ-ɏ\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff𠀀-𲎯]", text))
        / shown,
        "digits": len(regex.findall("[0-9]", text)) / shown,
        "punctuation": len(regex.findall("[，。！？；：、…～,.!?;:~\n]", text)) / shown,
        "symbols": len(regex.findall("[#|｜•»›\u25a0-\u27bf\U0001f300-\U0001faff]", text)) / shown,
        "links": sum(len(run) for run in runs if "://" in run or run.lower().startswith("www.")) / shown,
        "blobs": sum(len(run) for run in runs if is_blob(run)) / shown,
        "mean_line": len(text) / count,
        "lines_ended": sum(line[-1] in ENDS for line in lines) / count,
        "duplicate_lines": len(again) / count,
        "duplicate_line_characters": sum(map(len, again)) / characters,
        "top_2_gram": min(1, top_gram(tokens, 2) / shown),
        "top_3_gram": min(1, top_gram(tokens, 3) / shown),
        "top_4_gram": min(1, top_gram(tokens, 4) / shown),
        "duplicate_5_grams": repeated(tokens, 5) / shown,
        "duplicate_10_grams": repeated(tokens, 10) / shown,
    }


pieces = st.sampled_from(["http://a.cn/b", "www.a.cn", "a1" * 20, "a1" * 19 + "b", "x" * 45, "+/=_-%\\1" * 6])
texts = st.lists(
    st.lists(pieces, max_size=2).map(" ".join)
    | st.text(
        st.one_of(st.sampled_from("ab哈。\n 　#1|:/w.😀"), st.characters(exclude_categories=["Cs"])), max_size=40
    ),
    max_size=6,
)


@given(texts, st.booleans(), st.integers(0, 2))
@settings(max_examples=150)
def test_the_compiled_measures_are_the_slow_ones(batch: list[str], words: bool, offset: int) -> None:
    array = pa.array(["skipped"] * offset + batch, pa.string()).slice(offset)
    found = measure(array, words=words)
    for row, text in enumerate(batch):
        for name, value in slow(text, words).items():
            np.testing.assert_allclose(getattr(found, name)[row], value, err_msg=name)


def test_han_and_latin_shares_leave_spaces_out() -> None:
    found = measure(pa.array(["天地 ab。\n", "東京ですと", "한국어"]))
    np.testing.assert_allclose(found.han_share, [2 / 5, 2 / 5, 0])
    np.testing.assert_allclose(found.latin_share, [2 / 5, 0, 0])
    np.testing.assert_allclose(found.kana_share, [0, 3 / 5, 0])
    np.testing.assert_allclose(found.hangul_share, [0, 0, 1])


def test_a_long_document_of_one_line_is_measured() -> None:
    found = measure(pa.array(["天地玄黄" * 50_000, "", "短"]))
    assert found.characters.tolist() == [200_000, 0, 1]
    assert found.duplicate_10_grams[0] > 0.99
    assert found.top_2_gram[2] == 0


@pytest.mark.parametrize(
    ("text", "in_tags"),
    [
        ("<p>一</p>", 7),
        ('<img src="a" alt="图">一<br/>', 21 + 5),
        ("a<b，c>d 1<2 <3 好<", 0),
        ("10<Z<135 text:<El País援引>", 0),
        ("一<a href='/x", 11),
        ("<h1\nid=a>题</h1>", 9 + 5),
        ("<" + "a" * 300 + ">", 0),
        ("<!DOCTYPE html>", 15),
    ],
)
def test_tags_are_those_of_html(text: str, in_tags: int) -> None:
    visible = len(regex.sub(r"\s", "", text))
    np.testing.assert_allclose(measure(pa.array([text])).tags[0] * visible, in_tags)
