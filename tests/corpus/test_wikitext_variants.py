"""Language rules, held against what MediaWiki's documentation and code say that a reader sees.

Sources: https://www.mediawiki.org/wiki/Language_Converter/Advanced_syntax (flags, fallbacks, one-way rules);
MediaWiki, includes/language/ConverterRule.php (order of flags, what is no rule) and ZhConverter.php (fallbacks,
manual levels); includes/parser/Preprocessor_Hash.php for `-{{`. The sentences are our own.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.wikitext import to_text
from siku_corpus.wikitext.variants import FALLBACKS, Variant

BOTH = "-{zh-hans:计算机; zh-hant:電腦;}-"
REGIONS = "-{zh-cn:博客; zh-hk:網誌; zh-tw:部落格;}-"

SHOWN: list[tuple[str, Variant, str]] = [
    # bidirectional: every variant finds its word, by itself or by its fallbacks
    (BOTH, "zh-hans", "计算机"),
    (BOTH, "zh-cn", "计算机"),
    (BOTH, "zh-sg", "计算机"),
    (BOTH, "zh-my", "计算机"),
    (BOTH, "zh", "计算机"),
    (BOTH, "zh-hant", "電腦"),
    (BOTH, "zh-tw", "電腦"),
    (BOTH, "zh-hk", "電腦"),
    (BOTH, "zh-mo", "電腦"),
    (REGIONS, "zh-sg", "博客"),
    (REGIONS, "zh-mo", "網誌"),
    (REGIONS, "zh-hant", "部落格"),
    (REGIONS, "zh-hans", "博客"),
    # a fallback of one's own before a fallback of another
    ("-{zh-hans:甲;zh-sg:乙}-", "zh-cn", "甲"),
    ("-{zh-hans:甲;zh-sg:乙}-", "zh-my", "乙"),
    # no word for the variant: `zh`, else the first
    ("-{zh:原;zh-hant:繁}-", "zh-cn", "原"),
    ("-{zh-tw:資訊;zh-hk:訊息}-", "zh-cn", "資訊"),
    # spelling
    ("-{ zh-hans : 计算机 ;\n zh-hant : 電腦 }-", "zh-cn", "计算机"),
    ("-{zh-Hans:计算机;zh-Hant:電腦}-", "zh-cn", "计算机"),
    ("-{zh-hans:甲;乙;zh-hant:丙}-", "zh-cn", "甲;乙"),
    ("-{zh-hans:a&amp;b;zh-hant:c}-", "zh-cn", "a&b"),
    ("-{zh-hans:http://a.cn/;zh-hant:http://a.tw/}-", "zh-tw", "http://a.tw/"),
    # raw
    ("-{乾}-隆", "zh-cn", "乾隆"),
    ("-{R|zh-hans:甲;zh-hant:乙}-", "zh-cn", "zh-hans:甲;zh-hant:乙"),
    ("北-{}-京", "zh-cn", "北京"),
    ("比例为-{1:2}-", "zh-cn", "比例为1:2"),
    ("-{时间：zh:00}-", "zh-cn", "时间：zh:00"),
    ("-{zh-hans;zh-hant|乾}-", "zh-cn", "乾"),
    # N names a variant, D describes a rule, an unknown flag counts for nothing
    ("-{N|zh-tw}-", "zh-cn", "臺灣"),
    ("-{N|zh-xx}-。", "zh-cn", "。"),
    ("-{D|zh-hans:甲;zh-hant:乙}-", "zh-cn", "简体：甲；繁體：乙；"),
    ("-{D|丙=>zh-cn:甲}-", "zh-cn", "丙⇒大陆：甲；"),
    ("-{W|zh-hans:甲;zh-hant:乙}-", "zh-cn", "甲"),
    ("-{S|zh-hans:甲;zh-hant:乙}-", "zh-tw", "乙"),
    # A shows and replaces from here on, H only replaces, - stops replacing
    ("網誌。-{A|zh-cn:博客;zh-tw:網誌}-與網誌", "zh-cn", "網誌。博客與博客"),
    ("-{H|zh-cn:博客;zh-hk:網誌;zh-tw:部落格}-博客、網誌、部落格", "zh-cn", "博客、博客、博客"),
    ("-{H|zh-cn:博客;zh-hk:網誌;zh-tw:部落格}-博客、網誌、部落格", "zh-mo", "網誌、網誌、網誌"),
    ("-{H|zh-cn:博客;zh-hk:網誌;zh-tw:部落格}-博客、網誌、部落格", "zh-hans", "博客、網誌、部落格"),
    ("-{+|zh-cn:博客;zh-tw:網誌}-網誌", "zh-cn", "博客"),
    ("-{H|zh-cn:博客;zh-tw:網誌}-網誌-{-|zh-cn:博客;zh-tw:網誌}-網誌", "zh-cn", "博客網誌"),
    ("-{A|網誌}--{H|zh-cn:博客;zh-tw:誌}-網誌、誌", "zh-cn", "網誌網誌、博客"),
    ("-{A;H|zh-cn:博客;zh-tw:網誌}-網誌", "zh-cn", "博客"),
    ("-{H;D|zh-cn:博客;zh-tw:網誌}-", "zh-cn", "大陆：博客；臺灣：網誌；"),
    # unidirectional: one variant only, no fallback
    ("-{H|巨集=>zh-cn:宏}-用巨集", "zh-cn", "用宏"),
    ("-{H|巨集=>zh-cn:宏}-用巨集", "zh-sg", "用巨集"),
    ("-{H|巨集=>zh-hans:宏}-用巨集", "zh-hans", "用宏"),
    ("-{H|巨集=>zh-hans:宏}-用巨集", "zh-cn", "用巨集"),
    ("-{H|巨集=&gt;zh-cn:宏}-用巨集", "zh-cn", "用宏"),
    ("-{H|巨=>zh-cn:大;巨集=>zh-cn:宏}-巨集與巨", "zh-cn", "宏與大"),
    ("-{H|甲=>zh-cn:乙;乙=>zh-cn:丙}-甲乙", "zh-cn", "乙丙"),
    ("-{A|甲=>zh-cn:乙}-", "zh-cn", "乙"),
    # what a rule shows, and what is kept as it is, is not replaced
    ("-{H|zh-cn:博客;zh-tw:網誌}--{網誌}-與<nowiki>網誌</nowiki>", "zh-cn", "網誌與網誌"),
    # nesting
    ("-{zh-hans:-{zh-cn:甲;zh-sg:乙}-丙;zh-hant:丁}-", "zh-sg", "乙丙"),
    ("-{A|zh-cn:-{内}-存;zh-tw:記憶體}-即記憶體", "zh-cn", "内存即内存"),
    # around and inside other markup
    ("[[-{zh-hans:计算机;zh-hant:電腦}-]]", "zh-tw", "電腦"),
    ("-{[[电脑|计算机]]}-", "zh-cn", "计算机"),
    ("-{zh-hans:'''粗'''<ref>注</ref>;zh-hant:細}-", "zh-cn", "粗"),
    ("== -{zh-hans:历史;zh-hant:歷史}- ==\n文", "zh-cn", "历史\n文"),
    ("-{{lang|en|X}}-", "zh-cn", "-X-"),
    ("-{{{lang|en|X}}}-", "zh-cn", "X"),
    ("未完-{zh-hans:甲", "zh-cn", "未完zh-hans:甲"),
    ("a}-b", "zh-cn", "a}-b"),
    # the template that carries a page's rules
    ("{{noteTA|1=zh-cn:博客; zh-tw:網誌|2=巨集=>zh-cn:宏|G1=IT}}\n網誌與巨集", "zh-cn", "博客與宏"),
    ("{{NoteTA|zh-cn:博客; zh-tw:網誌}}網誌", "zh-cn", "博客"),
    # a rule in something that vanishes holds all the same
    ("{{Infobox|名=-{A|zh-cn:博客;zh-tw:網誌}-}}網誌", "zh-cn", "博客"),
]


@pytest.mark.parametrize(("markup", "variant", "text"), SHOWN)
def test_a_reader_sees_the_word_of_their_variant(markup: str, variant: Variant, text: str) -> None:
    assert to_text(markup, variant=variant).text == text


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("-{T|zh-cn:标题;zh-tw:標題}-文", "标题"),
        ("-{A;T|zh-cn:标题;zh-tw:標題}-文", "标题"),
        ("-{T|原题}-文", "原题"),
        ("{{noteTA|T=zh-cn:标题;zh-tw:標題}}文", "标题"),
        ("-{H|zh-cn:标题;zh-tw:標題}-文", None),
    ],
)
def test_a_rule_may_name_the_page(markup: str, title: str | None) -> None:
    assert to_text(markup).title == title


def test_a_wiki_without_rules_keeps_the_signs() -> None:
    assert to_text("{a-{b}-c}", variant=None).text == "{a-{b}-c}"


@given(
    words=st.dictionaries(st.sampled_from(sorted(FALLBACKS)), st.text("甲乙丙丁ab ", min_size=1).filter(str.strip)),
    variant=st.sampled_from(sorted(FALLBACKS)),
)
def test_some_word_of_the_rule_is_shown(words: dict[str, str], variant: Variant) -> None:
    rule = ";".join(f"{name}:{word}" for name, word in words.items())
    shown = to_text(f"-{{{rule}}}-", variant=variant).text
    expected = {word.strip() for word in words.values()} or {""}
    assert shown in expected
    if variant in words:
        assert shown == words[variant].strip()
