"""Normalization: named rules in a fixed order, each with a count and an example.

The texts of a batch are joined by a character that none of them holds, each rule runs once over the whole,
and the result is cut again: a rule costs one call per 4 MB instead of one per poem. A rule may therefore
never match across SEPARATOR; every pattern here is built from classes that leave it out.

Running the rules again changes nothing. That decides their order: what removes characters, maps them or
makes new ones comes first, what looks at neighbours comes after.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from siku_corpus.private_use import PRIVATE_USE
from siku_corpus.script import to_simplified

SEPARATOR = "\x1e"
"""RECORD SEPARATOR: a control character, so it would not survive the rules in a text of its own."""

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_CONTROLS = (
    "\x00-\x08\x0e-\x1d\x1f\x7f-\x84\x86-\x9f"  # C0 and C1 but for tab, line ends and the separator
    "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\ufe00-\ufe0f\U000e0000-\U000e01ef"  # variation selectors and tags
)


class Applied(NamedTuple):
    """What a rule did to a joined batch."""

    text: str
    changes: int
    example: tuple[str, str] = ("", "")
    """A stretch of text before and after; empty if nothing was found."""


class Normalized(NamedTuple):
    """What all rules did to a batch."""

    texts: list[str]
    counts: dict[str, int]
    """Places changed, by rule; documents for `compose` and `script`."""
    examples: dict[str, tuple[str, str]]


def normalize(texts: Sequence[str], rules: Iterable[str]) -> Normalized:
    """Apply rules in the order of RULES.

    Args:
        texts: any strings without lone surrogates.
        rules: names from RULES; the order given does not matter.

    Example:
        normalize(["Ｂ５　纸 张"], RULES) -> ["B5 纸张"], {"width": 2, "spaces": 1, "gaps": 1}
    """
    chosen = set(rules)
    counts: dict[str, int] = {}
    examples: dict[str, tuple[str, str]] = {}
    joined = SEPARATOR.join(texts)
    if joined.count(SEPARATOR) >= max(1, len(texts)):
        joined = SEPARATOR.join(text.replace(SEPARATOR, "") for text in texts)
    for name, rule in RULES.items():
        if name not in chosen:
            continue
        applied = rule(joined)
        if name == "entities" and applied.changes:
            applied = _after_entities(applied, [RULES[early] for early in _BEFORE_ENTITIES if early in chosen])
        if applied.changes:
            counts[name] = applied.changes
            examples[name] = applied.example
        joined = applied.text
    result = joined.split(SEPARATOR) if texts else []
    return Normalized(result, counts, examples)


Rule = Callable[[str], Applied]


def _substitute(pattern: str, replacement: str | Callable[[re.Match[str]], str], *, gate: str = "") -> Rule:
    """A rule that replaces a pattern; `gate` is a substring without which it cannot match (a fast look)."""
    compiled = re.compile(pattern)

    def rule(text: str) -> Applied:
        if gate and gate not in text:
            return Applied(text, 0)
        first = compiled.search(text)
        if first is None:
            return Applied(text, 0)
        changed, count = compiled.subn(replacement, text)
        return Applied(changed, count, _example(compiled, replacement, first))

    return rule


def _example(
    pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], found: re.Match[str]
) -> tuple[str, str]:
    text = found.string
    start = max(found.start() - 12, text.rfind(SEPARATOR, 0, found.start()) + 1)
    end = text.find(SEPARATOR, found.end())
    before = text[start : min(found.end() + 12, end if end >= 0 else len(text))]
    return before, pattern.sub(replacement, before)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def _to_half(match: re.Match[str]) -> str:
    return match[0].translate(_HALF_WIDTH)


def _compose(text: str) -> Applied:
    """Unicode NFC, never NFKC, which would take ，（）：；？！ for their ASCII look-alikes.

    It maps the 1,002 CJK compatibility ideographs (豈 U+F900) to the unified ones that Unicode declares equal:
    else one poem in two encodings would be two poems. It is the only rule, with `private_use`, that changes a
    Han character in poetry and classical text.
    """
    if unicodedata.is_normalized("NFC", text):
        return Applied(text, 0)
    count, example, documents = 0, ("", ""), []
    for document in text.split(SEPARATOR):
        composed = unicodedata.normalize("NFC", document)
        if composed != document:
            count += 1
            example = example if count > 1 else _difference(document, composed)
        documents.append(composed)
    return Applied(SEPARATOR.join(documents), count, example)


def _script(text: str) -> Applied:
    documents = text.split(SEPARATOR)
    simplified, count = to_simplified(documents, SEPARATOR)
    if not count:
        return Applied(text, 0)
    changed = next(pair for pair in zip(documents, simplified, strict=True) if pair[0] != pair[1])
    return Applied(SEPARATOR.join(simplified), count, _difference(*changed))


def _difference(before: str, after: str) -> tuple[str, str]:
    """The first 40 characters around the place where two texts part."""
    place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, place - 12)
    return before[start : start + 40], after[start : start + 40]


_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_AMPERSANDS = re.compile(r"&(?:amp;)+")
_ENTITY_ROUNDS = 4
_unescape = _substitute(_ENTITY, lambda entity: html.unescape(entity[0]).replace(SEPARATOR, ""), gate="&")


def _entities(text: str) -> Applied:
    """HTML entities with their semicolon, so that `?a=1&copy=2` stays an address; also escaped twice."""
    count, example = 0, ("", "")
    for _ in range(_ENTITY_ROUNDS):
        applied = _unescape(_AMPERSANDS.sub("&amp;", text) if "&amp;amp;" in text else text)
        example = example if count else applied.example
        if applied.text == text:
            break
        count += applied.changes
        text = applied.text
    return Applied(text, count, example)


_BEFORE_ENTITIES = ("line_ends", "controls", "private_use", "width", "compose", "symbols")


def _after_entities(applied: Applied, early: Sequence[Rule]) -> Applied:
    """Entities may spell any character, so the rules before them look again at what came out."""
    text = applied.text
    for _ in range(_ENTITY_ROUNDS):
        before = text
        for rule in early:
            text = rule(text).text
        text = _entities(text).text
        if text == before:
            break
    return applied._replace(text=text)


_LINE_STARTS = ("\n", SEPARATOR)
_PUNCTUATION = dict(zip(",?!:;", "，？！：；", strict=True))
_DOTS = re.compile(rf"(?<=[{HAN}”’」』！？])\.{{3,}}")
_STOPS = re.compile("。。。+")


def _one_space(run: re.Match[str]) -> str:
    return run[0][0] if run[0][0] in _LINE_STARTS else " "


def _ellipsis(text: str) -> Applied:
    """Three dots or more after Han, and three full stops or more, are one ……."""
    count, example = 0, ("", "")
    for pattern, gate in ((_DOTS, "..."), (_STOPS, "。。。")):
        first = pattern.search(text) if gate in text else None
        if first is not None:
            example = example if count else _example(pattern, "……", first)
            text, found = pattern.subn("……", text)
            count += found
    return Applied(text, count, example)


_BOILERPLATE = re.compile(
    r"责任编辑[:：]|版权所有|未经授权|ICP备\d|ICP证\d|京公网安备|转载请注明|上一篇[:：]|下一篇[:：]"
    r"|点击进入|关闭窗口|返回顶部|分享到[:：]|扫描二维码|免责声明[:：]|相关链接[:：]|打印本页"
)
_BOILERPLATE_CHARACTERS = 60


def _boilerplate(text: str) -> Applied:
    """Lines of a page's frame: a line of at most 60 characters with one of its stock phrases goes."""
    pieces, example, kept_to, count = [], ("", ""), 0, 0
    for found in _BOILERPLATE.finditer(text):
        if found.start() < kept_to:
            continue
        start = max(text.rfind(border, kept_to, found.start()) for border in _LINE_STARTS) + 1 or kept_to
        ends = [end for border in _LINE_STARTS if (end := text.find(border, found.end())) >= 0]
        end = min(ends, default=len(text))
        if end - start > _BOILERPLATE_CHARACTERS:
            continue
        pieces.append(text[kept_to:start])
        kept_to, count = end, count + 1
        example = example if count > 1 else (text[start:end], "")
    return Applied("".join([*pieces, text[kept_to:]]), count, example)


_PASTED_CHARACTERS = 50
"""A shorter repetition at a text's end may be a refrain."""
_TAIL_CHARACTERS = 32


def _pasted_twice(text: str) -> Applied:
    """A body that a copying hand put in twice, letter by letter: the second goes.

    The last characters of a text stand at the end of both bodies, so one search finds where the first one ends.
    """
    count, example, documents = 0, ("", ""), text.split(SEPARATOR)
    for index, document in enumerate(documents):
        whole = document.rstrip(" \t\n")
        single = _single_body(whole)
        if single != whole:
            count += 1
            example = example if count > 1 else (document[len(single) - 20 : len(single) + 20], single[-20:])
            documents[index] = single
    return Applied(SEPARATOR.join(documents) if count else text, count, example)


def _single_body(document: str) -> str:
    """The document up to the end of its first body, as long as it ends in two equal ones."""
    tail = document[-_TAIL_CHARACTERS:]
    end = len(document) // 2
    while (place := document.find(tail, end - _TAIL_CHARACTERS)) >= 0:
        end = place + _TAIL_CHARACTERS
        if (length := len(document) - end) < _PASTED_CHARACTERS:
            break
        if document[end - length : end] == document[end:]:
            return _single_body(document[:end])
        end += 1
    return document


_LINE_TAILS = re.compile("[ \t]+\n")
_BLANK_LINES = re.compile("\n{3,}")


def _trim(text: str) -> Applied:
    """No space at a line's end, at most one empty line, nothing empty around a document."""
    text, tails = _LINE_TAILS.subn("\n", text) if " \n" in text or "\t\n" in text else (text, 0)
    text, blanks = _BLANK_LINES.subn("\n\n", text) if "\n\n\n" in text else (text, 0)
    documents = text.split(SEPARATOR)
    trimmed = [document.strip(" \t\n") for document in documents]
    edges = sum(map(str.__ne__, documents, trimmed))
    return Applied(SEPARATOR.join(trimmed) if edges else text, tails + blanks + edges)


RULES: dict[str, Rule] = {
    "line_ends": _substitute("\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n"),
    "controls": _substitute(f"[{_CONTROLS}]+", ""),
    "private_use": _substitute(f"[{''.join(PRIVATE_USE)}]", lambda found: PRIVATE_USE[found[0]]),
    "width": _substitute("[０-９Ａ-Ｚａ-ｚ]+", _to_half),
    "compose": _compose,
    "symbols": _substitute("[％＋＝＜＞＠＆](?=[0-9A-Za-z])(?<=[0-9A-Za-z].)", _to_half),
    "entities": _entities,
    "spaces": _substitute("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]", " "),
    "runs": _substitute(" [ \t]+|\t[ \t]*|\n[ \t]+|\x1e[ \t]+", _one_space),
    "gaps": _substitute(f" (?=[{HAN}])(?<=[{HAN}] )", "", gate=" "),
    "punctuation": _substitute(f"[,?!:;](?=[{HAN}])(?<=[{HAN}].)", lambda found: _PUNCTUATION[found[0]]),
    "ellipsis": _ellipsis,
    "boilerplate": _boilerplate,
    "script": _script,
    "pasted_twice": _pasted_twice,
    "trim": _trim,
}
"""Every rule in the order in which it runs."""
