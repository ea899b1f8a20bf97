"""Markup to text: each construct by itself, real pages under a scan of our own, and hostile pages."""

from __future__ import annotations

import bz2
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siku_corpus.wikitext import MarkupError, to_text
from siku_corpus.wikitext.templates import is_disambiguation

CASES = {
    "bold": ("'''粗'''、''斜''、'''''兩者'''''、L''''a'''", "粗、斜、兩者、L'a"),
    "link": ("[[月球]]與[[地球|母星]]、[[:分类:卫星]]、[[:en:Moon|Moon]]", "月球與母星、分类:卫星、Moon"),
    "link_language": ("文[[fr:Lune]]\n[[zh-min-nan:Goe̍h]]", "文"),
    "category": ("文\n[[Category:卫星]]\n[[分类:卫星|月]]\n[[分類:衛星]]", "文"),
    "file": ("[[File:a.jpg|thumb|说明[[月球]]{{x}}]]文[[檔案:b.png]]字[[圖像:c.svg|20px]]", "文字"),
    "file_paragraphs": ("[[文件:a.jpg|thumb|第一段\n\n第二段]]文", "文"),
    "external": (
        "[https://a.cn 链接]、[https://a.cn]、https://a.cn/、[//a.cn [sic] 名]",
        "链接、、https://a.cn/、[sic] 名",
    ),
    "reference": ("文<ref>注{{cite|a}}</ref>字<ref name=a />后<references />", "文字后"),
    "reference_open": ("文<ref>注<ref>又</ref>字", "文字"),
    "comment": ("文<!-- 注\n\n{{ -->字\n<!-- 独行 -->\n后<!-- 未完", "文字\n后"),
    "table": ('前\n{| class="a"\n|-\n! 甲 !! 乙\n|-\n| [[丙]] || {{丁|戊}}\n{|\n| 内\n|}\n|}\n后', "前\n后"),
    "table_indented": ("前\n:: {|\n| 甲\n|}\n后", "前\n后"),
    "table_in_template": ("{{Infobox\n|甲={|\n|乙\n|}\n|}}文", "文"),
    "template_last_empty": ("{{Infobox\n|甲=乙\n|}}文", "文"),
    "rows_of_a_broken_table": ("前\n| 甲 || 乙\n|-\n|}\n后", "前\n后"),
    "formula": ("<math>f''(x)=a_{{{1}}} &lt; b</math>", "$f''(x)=a_{{{1}}} < b$"),
    "formula_display": ('<math display="block">\nx^2\n</math>', "$$x^2$$"),
    "chemistry": ("<chem>H2O</chem>、H<sub>2</sub>O、10<sup>-3</sup>、1<sup>st</sup>", r"$\ce{H2O}$、H₂O、10⁻³、1st"),
    "nowiki": ("<nowiki>[[a]] {{b}} ''c'' &lt;</nowiki>", "[[a]] {{b}} ''c'' <"),
    "code": ("<syntaxhighlight lang=c>\nif (a[b[1]]) {{\n  x;\n</syntaxhighlight>", "if (a[b[1]]) {{\n  x;"),
    "indices": ("a[b[1]]", "a[b[1]]"),
    "html": ('甲<br/>乙<span style="color:red">丙</span><small>丁</small>', "甲\n乙丙丁"),
    "html_unknown": ("a < b、<foo>、1<2", "a < b、<foo>、1<2"),
    "ruby": ("<ruby>漢<rp>(</rp><rt>ㄏㄢˋ</rt><rp>)</rp></ruby>字", "漢字"),
    "poem": ("<poem>\n床前明月光\n疑是地上霜\n</poem>", "床前明月光\n疑是地上霜"),
    "gallery": ("文<gallery>\nFile:a.jpg|甲\n</gallery>字", "文字"),
    "entities": ("a&nbsp;b&amp;c&amp;lt;&#x4e2d;&notathing;", "a\xa0b&c&lt;中&notathing;"),
    "magic": ("__NOTOC__文__無目錄__", "文"),
    "headings": ("文\n== 甲 ==\n一\n=== 乙 ===\n二\n== 丙 ==\n三", "文\n\n甲\n一\n\n乙\n二\n\n丙\n三"),
    "headings_empty": ("文\n== 甲 ==\n=== 乙 ===\n== 丙 ==\n=== 丁 ===\n四", "文\n\n丙\n\n丁\n四"),
    "apparatus": (
        "文\n== 参考文献 ==\n* 甲\n=== 書籍 ===\n* 乙\n== 外部連結 ==\n* 丙\n== 影響 ==\n丁",
        "文\n\n影響\n丁",
    ),
    "list": ("* 甲\n** 乙\n* 丙", "- 甲\n  - 乙\n- 丙"),
    "list_numbers": ("# 甲\n# 乙\n## 丙\n## 丁\n# 戊\n文\n# 己", "1. 甲\n2. 乙\n  1. 丙\n  2. 丁\n3. 戊\n文\n1. 己"),
    "list_terms": ("; 名\n: 义\n:: 深\n* {{x}}", "名\n义\n深"),
    "holes": ("月（{{a}}，意为卫星；{{b}}）是（{{c}}）[{{d}}]星{{e}}。", "月（意为卫星）是星。"),
    "holes_blanks": ("the {{a}} moon {{b}}, and (see {{c}}) it", "the moon, and (see) it"),
    "holes_only_where_something_was": ("f( )与（，）", "f( )与（，）"),
    "language_templates": (
        "{{lang|fr|Lune}}、{{lang-en|Moon}}、{{le|月食|Lunar eclipse|食}}、{{tsl|en|A|甲}}",
        "Lune、Moon、食、甲",
    ),
    "text_templates": ("{{nowrap|甲}}{{CJK-New-Char|乙}}{{link-en|丙|C}}{{!}}{{color|red|丁}}", "甲乙丙|丁"),
    "more_templates": (
        "{{convert|10|to|20|km|mi}}、{{bd|1893年|12月26日|1976年|9月9日}}、{{frac|1|2}}",
        "10 to 20 km、1893年12月26日－1976年9月9日、1/2",
    ),
    "template_nested": ("{{nowrap|{{lang|en|[[a|b]]}}<ref>c</ref>}}。", "b。"),
    "template_named": ("{{lang|2=甲|1=fr}}{{quote|text=引}}", "甲\n引"),
    "parser_functions": ("{{formatnum:1234}}{{#if:a|b}}{{PAGENAME}}人", "1234人"),
    "parameter": ("{{{1|默认}}}", "默认"),
    "template_open": ("{{Infobox\n| 甲 = 乙\n\n'''月球'''是卫星。", "月球是卫星。"),
    "link_open": ("[[月球是卫星。\n\n又[[地球]]", "月球是卫星。\n\n又地球"),
    "braces_stray": ("文}}字", "文字"),
    "control_characters": ("甲\x010\x02\x03乙", "甲0乙"),
    "empty": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize(("markup", "text"), CASES.values(), ids=CASES.keys())
def test_a_construct_becomes_text(markup: str, text: str) -> None:
    assert to_text(markup).text == text


@pytest.mark.parametrize(
    ("title", "markup", "expected"),
    [
        ("長安 (消歧義)", "", True),
        ("Ada (disambiguation)", "", True),
        ("長安", "可以指：\n{{消歧义}}", True),
        ("Ada", "{{disambiguation|geo|surname}}", True),
        ("Ada", "{{Disambig-cleanup}}", True),
        ("張", "{{人名消歧義页}}", True),
        ("Ada", "__DISAMBIG__", True),
        ("月球", "{{About|卫星|其他|月球 (消歧义)}}'''月球'''", False),
        ("Ada", "{{disambiguation needed}}", True),
        ("Ada", "{{Other uses}} a disambiguation page", False),
    ],
)
def test_a_disambiguation_page_is_known(title: str, markup: str, expected: bool) -> None:
    assert is_disambiguation(title, markup) is expected


LEFT_OVER = re.compile(
    r"""
      \{\{|\}\}|\[\[|\]\]|^\{\||^\|[-}+]?|^!                          # brackets, tables
    | '{2,}|^=+.*=+\s*$|^[*\#:;]|^----|^\s*\|                             # quotes, headings, lists, rules
    | <!--|-->|</?(?:ref|references|math|nowiki|pre|br|small|sup|sub|div|span|gallery|table|code|tt|center|font|p|i|b|u
        |blockquote|poem|syntaxhighlight|source|noinclude|includeonly|onlyinclude|ol|ul|li)\b[^>]*>
    | \[(?:https?:)?//|__[A-Z]+__|&(?:nbsp|lt|gt|amp|quot|ndash|mdash|\#\d+);  # links, magic words, entities
    | \b(?:thumb|left|right|frame)\||(?:File|Image|Category|Template):\S|-\{|\}-
    | \(\s*[,;]?\s*\)|（[\s，]*）|[\x00-\x08\x0b-\x1f]|^(?:align|style|class|colspan|rowspan)=
    """,
    re.M | re.X | re.I,
)
FORMULA = re.compile(r"\${1,2}[^$]*\${1,2}")


def pages(folder: Path) -> list[str]:
    (file,) = (folder / "wiki_xml_en").glob("*.bz2")
    data = bz2.decompress(file.read_bytes())
    root = ElementTree.fromstring(data)
    space = root.tag.removesuffix("mediawiki")
    return [text.text or "" for text in root.iter(f"{space}text")]


def test_real_pages_hold_no_left_over_markup(shared_data: Path) -> None:
    """The scan knows nothing of the scanner; formulae are markup of their own, and set aside."""
    found = []
    articles = [markup for markup in pages(shared_data) if not markup.lstrip().lower().startswith("#redirect")]
    for markup in articles:
        text = FORMULA.sub("x", to_text(markup, variant=None).text)
        if match := LEFT_OVER.search(text):
            found.append(text[max(0, match.start() - 40) : match.end() + 40])
    assert len(articles) == 106
    assert len(found) <= 0.005 * len(articles), found


def test_real_pages_keep_their_prose(shared_data: Path) -> None:
    """Sentences of running text that hold no markup at all come through unchanged."""
    sentence = re.compile(r"(?<=[.] )[A-Z][^][{}<>|'&=_(\n]{40,400}?[.](?= [A-Z])")
    apparatus = re.compile(r"^==\s*(?:References|Notes|See also|External|Further|Sources)", re.M)
    checked = lost = 0
    for markup in pages(shared_data):
        text = to_text(markup, variant=None).text
        for line in apparatus.split(markup)[0].split("\n"):
            if line[:1].isalpha():
                sentences = sentence.findall(re.sub(r"<!--.*?-->|<ref.*?(?:/>|</ref>)|\{\{.*?\}\}", "<>", line))
                checked += len(sentences)
                lost += sum(found not in text for found in sentences)
    assert checked > 1500
    assert lost <= checked // 500


BOMBS = ["{{a|", "[[", "[[a|", "{|\n", "<ref>", "<math>", "-{", "{{lang|zh|", "{{{", "<!--", "'''", "[http://a ",
         "(\x03", "-{H|zh-cn:a;zh-tw:b}-x", "-{A|zh-cn:aab;zh-tw:aac}-a", "{{x}}（",
         "<div>", "== =", "#*", "|}\n", "}}",
         "]]", "[[File:a|", "{{noteTA|1=", "<ref name=a", "（，", "&amp", "__A", "<sup>"]  # fmt: skip


def count_calls(markup: str) -> int:
    """Calls of Python and C functions while a page is read: work, in a unit that no load on the machine changes."""
    calls = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        to_text(markup)
    except MarkupError:
        pass
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("unit", BOMBS)
@pytest.mark.parametrize("tail", ["", "}}]]|}</ref>}-"])
def test_work_grows_no_faster_than_the_page(unit: str, tail: str) -> None:
    small, large = (count_calls(unit * count + tail * count) for count in (500, 2000))
    assert large <= 4.2 * small + 500


@pytest.mark.parametrize("unit", ["{{a|", "[[a|", "{|\n", "-{", "{{lang|zh|"])
def test_what_is_nested_too_deep_is_refused(unit: str) -> None:
    with pytest.raises(MarkupError, match="nested more than 100 deep"):
        to_text(unit * 5000)


def test_nesting_as_deep_as_real_pages_is_read() -> None:
    assert to_text("{{nowrap|" * 90 + "月" + "}}" * 90).text == "月"


MARKUP = st.lists(
    st.sampled_from(
        ["{{", "}}", "{{{", "}}}", "[[", "]]", "{|", "|}", "|", "\n", "\n\n", "==", "*", "#", ":", ";", "'''", "-{",
         "}-", "<ref>", "</ref>", "<ref/>", "<math>", "</math>", "<nowiki>", "</nowiki>", "<!--", "-->", "<br>",
         "File:", "分类:",
         "lang|", "zh-cn:", "H|", "=", "(", ")", "（", "）", "，", "[http://a ", "]", "&lt;", "月", "a", " ", "__TOC__"]
    )
)  # fmt: skip


@settings(max_examples=300)
@given(MARKUP.map("".join))
@example("[[-{File:\n}-")
def test_any_page_is_read_or_refused(markup: str) -> None:
    try:
        article = to_text(markup)
    except MarkupError:
        return
    assert not re.search(r"[\x00-\x08]", article.text)
    assert article.text == article.text.strip()


@given(st.text("月球是地球的卫星。，、（）abc 123", max_size=80))
def test_plain_text_is_itself(text: str) -> None:
    text = re.sub(" {2,}", " ", text).strip()
    assert to_text(text).text == text
