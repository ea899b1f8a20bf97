"""Junk of the kinds that fill the web, each dropped for a reason that fits it; and good texts that stay."""

from __future__ import annotations

import base64
import random

import pyarrow as pa
import pytest

from siku_corpus.filters import judge
from siku_corpus.mojibake import mend
from siku_corpus.normalize import normalize
from siku_corpus.profiles import behaviour
from siku_manifests.sections import Filter, Normalize

NOISE = random.Random(11)
CHARACTERS = [chr(NOISE.randrange(0x4E00, 0x8000)) for _ in range(2500)]


def sentence(length: int = 24) -> str:
    return "".join(NOISE.choice(CHARACTERS) for _ in range(length)) + "。"


GRAMS = {"top_2_gram", "top_3_gram", "top_4_gram", "duplicate_5_grams"}
JAPANESE = "これはとても面白い小説ですから、ぜひ読んでみてください。" * 2 + "東京の天気は今日も晴れです。" * 12
FRAME = "\n".join(["版权所有 2010 某某公司", "京ICP备12345678号", "责任编辑：王某"] * 8)
JUNK: dict[str, tuple[str, set[str]]] = {
    "a menu": ("\n".join(["首页", "新闻", "体育", "财经", "房产", "汽车", "教育", "论坛"] * 15), {"short_lines"}),
    "keyword stuffing": ("减肥药减肥药排行榜减肥药哪种好" * 40 + "。", GRAMS),
    "repeated lines": ("\n".join([sentence(30)] * 20), {"duplicate_lines"}),
    "mojibake": ("锟斤拷锟斤拷烫烫烫" * 60, {"mojibake"}),
    "truncated markup": ('<div class="a"><span style="color:red"><a href="/x.html">' * 20 + "标题", {"few_han"}),
    "advertisement tails": ("\n".join(["加微信领取优惠", "点击购买", "限时特价", "免费咨询"] * 20), {"short_lines"}),
    "another language": (JAPANESE, {"japanese"}),
    "a table of numbers": ("\n".join(f"{n}\t{n * 37}\t{n / 7:.3f}\t{n * n}" for n in range(100)), {"few_han"}),
    "a flood of emoji": ("好开心😀😂🤣👍❤🎉。" * 80, {"few_han", "symbols", *GRAMS}),
    "nothing but a page's frame": (FRAME, {"empty"}),
    "an encoded blob": (base64.b64encode(NOISE.randbytes(2000)).decode(), {"few_han"}),
    "a list of links": ("\n".join(f"链接 http://example.com/{n}/a.html" for n in range(60)), {"few_han"}),
    "Korean": ("안녕하세요 오늘은 날씨가 좋습니다 " * 20, {"korean"}),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_goes_for_a_reason_that_fits(kind: str) -> None:
    text, expected = JUNK[kind]
    web = behaviour("web", Normalize(), Filter())
    mended = mend([text])
    if mended.hopeless:
        assert "mojibake" in expected
        return
    (clean,) = normalize(mended.texts, web.rules).texts
    objections = judge(pa.array([clean], pa.string()), web).objections
    assert 0 in objections, clean[:80]
    assert objections[0].reason in expected


def test_good_text_stays() -> None:
    web = behaviour("web", Normalize(), Filter())
    texts = ["\n".join(sentence(NOISE.randrange(15, 60)) for _ in range(12)) for _ in range(200)]
    assert not judge(pa.array(normalize(texts, web.rules).texts, pa.string()), web).objections
