"""Filters at their boundaries; good text passes, junk goes for the right reason."""

from __future__ import annotations

import pyarrow as pa
import pytest

from siku_corpus.filters import FILTERS, REASONS, judge
from siku_corpus.measure import Measures
from siku_corpus.profiles import THRESHOLDS, Behaviour, behaviour
from siku_manifests.errors import RecipeError
from siku_manifests.sections import Filter, Normalize

GOOD = (
    "四库全书分经、史、子、集四部，故名四库，收书三千四百余种。\n"
    "它由清代学者历时多年编成，先后抄写七部，分藏各地。\n今天我们还能读到其中的大部分。"
)


def reason(text: str, profile: str, **thresholds: float) -> str:
    settings = Filter(thresholds={profile: thresholds})  # type: ignore[dict-item]
    verdicts = judge(pa.array([text]), behaviour(profile, Normalize(), settings))  # type: ignore[arg-type]
    return verdicts.objections[0].reason if verdicts.objections else ""


LOOSE = {"min_characters": 1, "min_mean_line": 1, "min_lines_ended": 0, "max_duplicate_line_characters": 1}
A_LINK = "http://a.cn/" + "b" * 28
MANY = "".join(chr(code) for code in range(0x4E00, 0x4F00))
OTHERS: dict[str, float] = {
    "min_characters": 1, "min_mean_line": 1, "min_han_share": 0, "min_punctuation": 0,
    "max_links": 1, "max_blobs": 1, "max_digits": 1, "max_duplicate_lines": 1, "max_duplicate_line_characters": 1,
    "max_top_2_gram": 1, "max_top_3_gram": 1, "max_top_4_gram": 1,
    "max_duplicate_5_grams": 1, "max_duplicate_10_grams": 1,
}  # fmt: skip
"""All other filters of running text wide open."""
HEAVEN = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往"


@pytest.mark.parametrize(
    ("profile", "threshold", "passes", "fails", "why"),
    [
        ("poetry", {}, "春眠不覺曉", "春眠不覺", "too_short"),
        ("bitext", {}, "a\n好 ", "abcd", "no_han"),
        ("modern", {**LOOSE, "min_han_share": 0.5}, "天地ab", "天地abc", "few_han"),
        ("modern", {**LOOSE, "min_mean_line": 3}, "天地玄\n天地玄黄", "天地\n玄", "short_lines"),
        ("web", {**LOOSE, "min_lines_ended": 0.5}, "天。\n地", "天。\n地\n人", "unfinished_lines"),
        ("web", {**LOOSE, "max_symbols": 0.25}, "天地人●", "天地●", "symbols"),
        ("english", {**LOOSE, "min_latin_share": 0.5}, "ab12", "ab123", "few_latin"),
        ("dialogue", {}, HEAVEN + "の", "天地玄の", "japanese"),
        ("dialogue", {}, HEAVEN + "한", "天地玄한", "korean"),
        ("modern", {**LOOSE, "max_duplicate_lines": 0.5}, "天\n天", "天\n天\n天", "duplicate_lines"),
        ("classical", {}, "□□天地人和", "□□□□天地", "few_han"),
        ("dialogue", {"min_letters_share": 0.5}, "天a12", "天a123", "few_letters"),
        ("modern", {**LOOSE, "max_tags": 0.5}, "天地玄黄<b/>", "天地玄<b/>", "markup"),
        ("modern", {**OTHERS, "max_links": 0.5}, MANY[:40] + A_LINK, MANY[:39] + A_LINK, "links"),
        ("modern", {**OTHERS, "max_blobs": 0.5}, MANY[:40] + "a1" * 20, MANY[:39] + "a1" * 20, "blobs"),
        ("modern", {**OTHERS, "max_digits": 0.5}, MANY[:25] + "9" * 25, MANY[:25] + "9" * 26, "numbers"),
        ("modern", {**OTHERS, "min_punctuation": 0.01}, MANY[:198] + "，。", MANY[:199] + "，", "no_punctuation"),
        ("modern", {**OTHERS, "max_duplicate_line_characters": 0.3}, "天地玄\n天地\n天地玄", "天地\n天地",
         "duplicate_line_characters"),
        ("modern", {**OTHERS, "max_top_2_gram": 0.5}, MANY[:48] + "哈哈" * 8, "哈哈" * 30, "top_2_gram"),
        ("modern", {**OTHERS, "max_top_3_gram": 0.5}, MANY[:60], "天地玄" * 20, "top_3_gram"),
        ("modern", {**OTHERS, "max_top_4_gram": 0.5}, MANY[:60], "天地玄黄" * 20, "top_4_gram"),
        ("modern", {**OTHERS, "max_duplicate_5_grams": 0.5}, MANY[:50] * 2, MANY[:50] * 3, "duplicate_5_grams"),
        ("modern", {**OTHERS, "max_duplicate_10_grams": 0.5}, MANY[:50] * 2, MANY[:50] * 3, "duplicate_10_grams"),
    ],
)  # fmt: skip
def test_each_threshold_keeps_what_reaches_it(
    profile: str, threshold: dict[str, float], passes: str, fails: str, why: str
) -> None:
    assert reason(passes, profile, **threshold) == ""  # the first is at the threshold, the second beyond it
    assert reason(fails, profile, **threshold) == why


@pytest.mark.parametrize("profile", ["modern", "web", "encyclopedia", "dialogue"])
def test_repetition_is_found_and_short_texts_may_repeat_themselves(profile: str) -> None:
    assert reason("哈哈哈哈", profile, min_characters=1, min_mean_line=1, min_lines_ended=0) == ""
    assert reason("哈哈哈哈" * 20 + "。", profile, min_characters=1, max_duplicate_lines=1) == "top_2_gram"


JUNK = {
    "": "empty",
    "首页\n新闻\n体育\n娱乐\n财经\n科技\n汽车\n房产\n游戏\n教育\n旅游\n论坛\n博客": "short_lines",
    "买手机卖手机二手手机手机报价" * 20 + "。": "top_2_gram",
    "恭喜发财红包拿来福到运到好事都到身体健康万事如意步步高升" * 6 + "。": "duplicate_5_grams",
    "这一行是一个很长很长的句子，占了不少地方。\n" * 8 + "完了。": "duplicate_lines",
    "1998 1999 2000 12.5 13.5 14.5 " * 10 + "合计": "numbers",
    "これは日本語の文章です。漢字も使いますが、かなが多いのですぐに分かります。新聞記事の一部でした。": "japanese",
    "이것은 한국어 문장입니다. 한글이 많으니 금방 알 수 있습니다. 신문 기사의 일부입니다. 정말 그렇습니다.": "korean",
    "The quick brown fox jumps over the lazy dog and runs away from the hunter into the woods.": "few_han",
    "aHR0cHM6Ly9leGFtcGxlLm9yZy9hYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==QUJDREVGR0hJSktMTU5PUFFS": "blobs",
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), JUNK.items(), ids=JUNK.values())
def test_junk_goes_for_the_right_reason(text: str, why: str) -> None:
    assert reason(text, "modern", min_characters=20) == why


def test_good_text_passes_every_chinese_profile() -> None:
    for profile in ("modern", "web", "encyclopedia", "dialogue"):
        assert reason(GOOD, profile, min_characters=50) == ""


def test_every_threshold_has_a_filter_and_every_filter_a_measure() -> None:
    names = {filter_.threshold for filter_ in FILTERS}
    assert {name for thresholds in THRESHOLDS.values() for name in thresholds} <= names
    assert {filter_.measure for filter_ in FILTERS} <= set(Measures._fields)
    assert len(REASONS) == len(FILTERS) + 1


def test_every_filter_has_a_case_at_its_boundary() -> None:
    (cases,) = [
        mark.args[1]
        for mark in test_each_threshold_keeps_what_reaches_it.pytestmark
        if mark.name == "parametrize"  # type: ignore[attr-defined]
    ]
    assert {filter_.reason for filter_ in FILTERS} == {why for *_, why in cases}


def test_an_unknown_threshold_is_named() -> None:
    with pytest.raises(RecipeError, match="min_charcters"):
        behaviour("web", Normalize(), Filter(thresholds={"web": {"min_charcters": 3}}))


def test_the_recipe_may_change_a_profiles_script() -> None:
    def rules(settings: Normalize) -> Behaviour:
        return behaviour("poetry", settings, Filter())

    assert "script" not in rules(Normalize()).rules
    assert "script" in rules(Normalize(script={"poetry": "simplified"})).rules
    assert "script" not in behaviour("web", Normalize(script={"web": "keep"}), Filter()).rules
