"""Junk of the kinds that fill the web, planted among good texts: it goes for the right reason, and they stay."""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from siku_corpus.containers import Part, iterate_parts, read_part
from siku_corpus.filters import judge
from siku_corpus.mojibake import mend
from siku_corpus.normalize import normalize
from siku_corpus.profiles import behaviour
from siku_corpus.records import Document
from siku_corpus.sources import FORMATS, load_reader
from siku_manifests.sections import Filter, Normalize, Profile

VARIANTS = 12
NOISE = random.Random(11)
CHARACTERS = "".join(chr(code) for code in range(0x4E00, 0x9FA6) if chr(code).encode("gb2312", "ignore"))
NAMES = [
    "首页",
    "新闻",
    "体育",
    "财经",
    "房产",
    "汽车",
    "教育",
    "论坛",
    "娱乐",
    "科技",
    "军事",
    "健康",
    "旅游",
    "图片",
    "视频",
    "博客",
    "微博",
    "游戏",
    "招聘",
    "邮箱",
]
GOODS = [
    "手机",
    "电脑",
    "衣服",
    "减肥药",
    "化妆品",
    "保健品",
    "家具",
    "二手车",
    "租房",
    "培训",
    "贷款",
    "装修",
    "月饼",
    "茶叶",
    "机票",
]
SHOUTS = ["加微信abc123领取优惠", "点击购买立减五十元", "限时特价仅此一天", "免费咨询送大礼包", "扫码关注领红包",
          "咨询热线：400-800-1234", "长按识别二维码进群", "欢迎来电洽谈合作", "关注微信公众号看全文"]  # fmt: skip
FRAME = ["版权所有 2010 某某公司", "京ICP备12345678号", "责任编辑：王某", "上一篇：没有了", "下一篇：会议通知",
         "返回顶部", "关闭窗口", "打印本页", "未经授权不得转载", "分享到：空间 微博"]  # fmt: skip
JAPANESE = [
    "これはとても面白い小説ですから、ぜひ読んでみてください。",
    "東京の天気は今日も晴れです。",
    "電車に乗って学校へ行きました。",
]
KOREAN = ["안녕하세요 오늘은 날씨가 좋습니다.", "서울에서 기차를 탔습니다.", "이 책은 아주 재미있어요."]
ENGLISH = ["The weather in the north was cold and wet all week.", "Nobody knew where the old man had gone.",
           "She opened the letter and read it twice before she spoke."]  # fmt: skip
TAGS = [
    '<div class="a">',
    '<span style="color:red">',
    '<a href="/x.html">',
    "</td></tr>",
    '<img src="a.gif" alt="图">',
    "<br/>",
]


def sentence(length: int = 24) -> str:
    return "".join(NOISE.choice(CHARACTERS) for _ in range(length)) + "。"


def some(parts: Sequence[str], least: int, most: int, between: str) -> str:
    return between.join(NOISE.choice(parts) for _ in range(NOISE.randint(least, most)))


def mojibake() -> str:
    text = "".join(sentence(20) for _ in range(12)).encode()
    lost = "锟斤拷" * 30 + sentence(60)
    wrong = text[: len(text) - NOISE.randint(1, 2)].decode("gbk", "replace") + "\ufffd"
    return NOISE.choice([lost, "烫烫烫" * 40 + lost, wrong])


def digits(parts: int) -> str:
    return "\t".join(f"{NOISE.uniform(0, 9999):.2f}" for _ in range(parts))


def blob() -> str:
    data = NOISE.randbytes(NOISE.randint(400, 3000))
    return NOISE.choice([base64.b64encode(data).decode(), data.hex(), base64.encodebytes(data).decode()])


GRAMS = {"top_2_gram", "top_3_gram", "top_4_gram", "duplicate_5_grams", "duplicate_10_grams"}
LINES = {"duplicate_lines", "duplicate_line_characters"}
Kinds = dict[str, tuple[Callable[[], str], set[str]]]
KINDS: Kinds = {
    "a menu of lines": (lambda: some(NAMES, 90, 150, "\n"), {"short_lines", *LINES, *GRAMS, "no_punctuation"}),
    "a menu on a line": (lambda: some(NAMES, 110, 200, NOISE.choice([" | ", "｜", " » "])), {"symbols"}),
    "keyword stuffing": (
        lambda: NOISE.choice([f"{word}哪里买{word}价格{word}排行{word}" * 25 for word in GOODS]),
        GRAMS | {"no_punctuation"},
    ),
    "repeated lines": (lambda: "\n".join([sentence(30), sentence(40)] * NOISE.randint(5, 20)), LINES | GRAMS),
    "mojibake": (mojibake, {"mojibake"}),
    "truncated markup": (lambda: some(TAGS, 20, 60, NOISE.choice(["", "标题", " "])) + '<a href="/y', {"markup"}),
    "advertisements": (lambda: some(SHOUTS, 20, 40, "\n"), {"empty", "too_short"}),
    "Japanese": (lambda: some(JAPANESE, 12, 30, ""), {"japanese"}),
    "English": (lambda: some(ENGLISH, 8, 20, " "), {"few_han"}),
    "Korean": (lambda: some(KOREAN, 14, 30, " "), {"korean"}),
    "a table of numbers": (lambda: "\n".join(digits(NOISE.randint(3, 6)) for _ in range(40)), {"numbers"}),
    "a flood of emoji": (
        lambda: some(["好开心", *"😀😂🤣👍❤🎉🔥✨"], 200, 400, ""), {"symbols", "few_letters"},
    ),
    "nothing but a page's frame": (lambda: some(FRAME, 10, 40, "\n"), {"empty", "too_short"}),
    "an encoded blob": (blob, {"blobs"}),
    "a list of links": (
        lambda: "\n".join(f"链接 http://www.example.com/{NOISE.randrange(9**9)}/a.html" for _ in range(40)), {"links"},
    ),
}  # fmt: skip
IN_TALKS = {"mojibake", "truncated markup", "Japanese", "Korean", "an encoded blob", "a list of links",
         "nothing but a page's frame", "advertisements", "a table of numbers", "a flood of emoji"}  # fmt: skip


def fate(texts: list[str], profile: Profile) -> list[str]:
    """The reason for which each text goes, or nothing."""
    chosen = behaviour(profile, Normalize(), Filter())
    mended = mend(texts)
    found = judge(pa.array(normalize(mended.texts, chosen.rules).texts, pa.string()), chosen).objections
    hopeless = set(mended.hopeless)
    return ["mojibake" if row in hopeless else found[row].reason if row in found else "" for row in range(len(texts))]


def kinds_for(profile: Profile) -> Kinds:
    """What is junk in a source of a profile: a title or an answer may be short, and in either language."""
    if profile == "dialogue":
        return {name: kind for name, kind in KINDS.items() if name in IN_TALKS}
    return KINDS if profile in {"modern", "web", "encyclopedia"} else {}


def good_texts() -> list[str]:
    return ["\n".join(sentence(NOISE.randrange(15, 60)) for _ in range(12)) for _ in range(120)]


@pytest.mark.parametrize("profile", ["modern", "web", "encyclopedia", "dialogue"])
def test_junk_among_good_texts_goes_for_the_right_reason(profile: Profile) -> None:
    kinds = kinds_for(profile)
    planted = [(kind, make()) for kind, (make, _) in kinds.items() for _ in range(VARIANTS)]
    good = good_texts()
    mixed = [("", text) for text in good] + planted
    NOISE.shuffle(mixed)
    reasons = fate([text for _, text in mixed], profile)
    wrong = [
        (kind, why, text[:60])
        for (kind, text), why in zip(mixed, reasons, strict=True)
        if kind and why not in kinds[kind][1]
    ]
    assert len(kinds) >= (12 if profile != "dialogue" else 10)
    assert len(wrong) <= 0.05 * len(planted), wrong
    assert (
        Counter(kind for kind, *_ in wrong).most_common(1)[:1] == []
        or max(Counter(kind for kind, *_ in wrong).values()) < VARIANTS
    ), "a kind is never found"
    assert not [text[:60] for (kind, text), why in zip(mixed, reasons, strict=True) if not kind and why]


GOOD_SOURCES: list[tuple[str, str, Profile]] = [
    ("cnews", "cnews/*.txt", "modern"),
    ("thucnews", "thucnews_layout_derived/*.zip", "modern"),
    ("prose", "prose_luxun/*.txt", "modern"),
    ("jsonl", "firefly/dummy_data.jsonl", "modern"),
    ("wikipedia-extracted", "wiki_zh_extracted/AA/wiki_00", "encyclopedia"),
    ("coig", "coig_cqia/**/*.jsonl", "dialogue"),
    ("coig", "firefly/sft_dummy_data.jsonl", "dialogue"),
    ("clue", "clue_fewclue/**/*.json", "dialogue"),
    ("csl", "csl_benchmark/**/*.tsv", "dialogue"),
    ("thucnews-titles", "thucnews_titles/*.txt", "dialogue"),
    ("chinese-poetry", "chinese_poetry/**/*.json", "poetry"),
    ("classical-modern", "classical_modern/古文原文/**/text.txt", "classical"),
    ("classical-modern", "classical_modern/双语数据/**/bitext.txt", "bitext"),
    ("pairs", "tatoeba_cmn_eng/*.txt", "bitext"),
    ("wikipedia-dump", "wiki_xml_en/*.bz2", "english"),
    ("jsonl", "english_web/*json*.gz", "english"),
    ("warc", "english_web/*.warc.gz", "english"),
]


def documents(folder: Path, format_: str, pattern: str) -> list[str]:
    reader = load_reader(format_)
    parts = [
        part
        for file in sorted(folder.glob(pattern))
        for part in iterate_parts(file, 0, file.stat().st_size, format_=FORMATS[format_])
        if isinstance(part, Part)
    ]
    return [item.text for part in parts for item in read_part(reader, part) if isinstance(item, Document)]


@pytest.mark.slow
@pytest.mark.parametrize(("format_", "pattern", "profile"), GOOD_SOURCES)
def test_junk_among_real_texts(shared_data: Path, format_: str, pattern: str, profile: Profile) -> None:
    good = documents(shared_data, format_, pattern)
    kinds = kinds_for(profile)
    planted = [(kind, make()) for kind, (make, _) in kinds.items() for _ in range(VARIANTS)]
    reasons = fate(good + [text for _, text in planted], profile)
    lost = [why for why in reasons[: len(good)] if why]
    assert len(lost) < 0.01 * len(good), Counter(lost)
    right = [why in kinds[kind][1] for (kind, _), why in zip(planted, reasons[len(good) :], strict=True)]
    assert sum(right) >= 0.95 * len(right)
