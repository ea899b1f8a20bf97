"""Language rules `-{flags|zh-hans:…;zh-hant:…}-` of Chinese wikis.

    -{zh-hans:计算机;zh-hant:電腦}-   shows the reader's word
    -{A|zh-cn:博客;zh-tw:網誌}-       shows it, and replaces the other words from here on
    -{H|巨集=>zh-cn:宏}-              replaces one way, shows nothing
    -{乾}-                            keeps the text from conversion

Source: MediaWiki, includes/language/ConverterRule.php and ZhConverter.php (flags, fallbacks, manual levels);
https://www.mediawiki.org/wiki/Language_Converter/Advanced_syntax. Where MediaWiki shows an error message
because no text is given for the variant, this shows `zh`, else the first text: a corpus wants the word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from siku_corpus.wikitext.marks import OPAQUE, RULE, RULE_END, SHIELD, SHIELD_END

Variant = Literal["zh", "zh-hans", "zh-hant", "zh-cn", "zh-hk", "zh-mo", "zh-my", "zh-sg", "zh-tw"]

FALLBACKS: dict[str, tuple[str, ...]] = {
    "zh": ("zh-hans", "zh-hant", "zh-cn", "zh-tw", "zh-hk", "zh-sg", "zh-mo", "zh-my"),
    "zh-hans": ("zh-cn", "zh-sg", "zh-my"),
    "zh-hant": ("zh-tw", "zh-hk", "zh-mo"),
    "zh-cn": ("zh-hans", "zh-sg", "zh-my"),
    "zh-hk": ("zh-mo", "zh-hant", "zh-tw"),
    "zh-mo": ("zh-hk", "zh-hant", "zh-tw"),
    "zh-my": ("zh-sg", "zh-hans", "zh-cn"),
    "zh-sg": ("zh-my", "zh-hans", "zh-cn"),
    "zh-tw": ("zh-hant", "zh-hk", "zh-mo"),
}
NAMES = {
    "zh": "原文",
    "zh-hans": "简体",
    "zh-hant": "繁體",
    "zh-cn": "大陆",
    "zh-hk": "香港",
    "zh-mo": "澳門",
    "zh-my": "大马",
    "zh-sg": "新加坡",
    "zh-tw": "臺灣",
}
_ONE_WAY_ONLY = frozenset({"zh-hans", "zh-hant"})
_FLAGS = frozenset("ATRDHN-+S") | FALLBACKS.keys()
_SEPARATOR = re.compile(rf";\s*+(?=(?:[^;]*?=>\s*+)?(?:{'|'.join(sorted(NAMES, reverse=True))})\s*+:|$)", re.I)
_ENTITY = re.compile(r"(&[#a-zA-Z0-9]++);")
_KEPT_SEMICOLON = "\x00"
KEY_CHARACTERS = 32
"""A replacement with a longer left side is not applied; with this bound, work is linear in the text."""


class Rule(NamedTuple):
    """What one `-{…}-` does."""

    shown: str
    title: str | None = None
    add: Mapping[str, str] = MappingProxyType({})
    """Replacements from here on, for one variant."""
    remove: frozenset[str] = frozenset()
    """Left sides that are replaced no longer."""


class _Table(NamedTuple):
    both_ways: dict[str, str]
    one_way: dict[str, dict[str, str]]


def parse_rule(content: str, variant: Variant) -> Rule:
    """Resolve what stands between `-{` and `}-`.

    Example:
        ("zh-hans:计算机;zh-hant:電腦", "zh-cn") -> shown 计算机
    """
    head, bar, body = content.partition("|")
    if not bar:
        head, body = "", content
    flags = _read_flags(head)
    if flags.keys() & FALLBACKS.keys() or "R" in flags:
        return Rule(body)
    if "N" in flags:
        return Rule(NAMES.get(body.strip().lower(), ""))
    table = _read_table(body)
    if not table.both_ways and not table.one_way:
        if not flags.keys() & {"+", "-", "T"}:
            return Rule(body)
        if flags.keys() & {"+", "-"}:
            table = _Table(dict.fromkeys(NAMES, body), {})
    return _apply(flags, table, body, variant)


def _read_flags(head: str) -> dict[str, bool]:
    """The flags in force, in the order in which each decides what is shown; the last one wins."""
    flags = {flag: True for flag in (part.strip() for part in head.split(";")) if flag in _FLAGS}
    if not flags:
        return {"S": True}
    for alone in ("R", "N", "-"):
        if alone in flags:
            return {alone: True}
    if set(flags) == {"T"}:
        return {"T": True, "H": True}
    if "H" in flags:
        return {"+": True, "H": True} | {flag: True for flag in ("T", "D") if flag in flags}
    if "A" in flags:
        flags |= {"+": True, "S": True}
    if "D" in flags:
        flags.pop("S", None)
    return flags


def _read_table(body: str) -> _Table:
    both_ways: dict[str, str] = {}
    one_way: dict[str, dict[str, str]] = {}
    protected = _ENTITY.sub(rf"\1{_KEPT_SEMICOLON}", body.replace("=&gt;", "=>"))
    for choice in _SEPARATOR.split(protected):
        left, colon, right = choice.replace(_KEPT_SEMICOLON, ";").partition(":")
        if not colon:
            continue
        source, arrow, name = left.rpartition("=>")
        name, text = name.strip().lower(), right.strip()
        if name not in NAMES:
            return _Table({}, {})  # not a rule at all: a text with a colon in it
        if arrow and source.strip():
            one_way.setdefault(name, {})[source.strip()] = text
        elif not arrow and text:
            both_ways[name] = text
    return _Table(both_ways, one_way)


def _apply(flags: dict[str, bool], table: _Table, body: str, variant: Variant) -> Rule:
    shown = ""
    title = None
    for flag in flags:
        if flag == "S":
            shown = _choose(table, body, variant)
        elif flag == "D":
            shown = _describe(table)
        elif flag == "T":
            shown, title = "", _choose(table, body, variant)
        elif flag in "H+-":
            shown = ""
    replacements = _replacements(table, variant)
    add = replacements if "+" in flags else {}
    return Rule(shown, title, add, frozenset(replacements) if "-" in flags else frozenset())


def _choose(table: _Table, body: str, variant: Variant) -> str:
    if not table.both_ways and not table.one_way:
        return body
    for name in (variant, *FALLBACKS[variant]):
        if name in table.both_ways:
            return table.both_ways[name]
    if variant in table.one_way:
        return next(iter(table.one_way[variant].values()))
    if table.both_ways:
        return table.both_ways.get("zh", next(iter(table.both_ways.values())))
    return next(iter(next(iter(table.one_way.values())).values()))


def _describe(table: _Table) -> str:
    both = [f"{NAMES[name]}：{text}；" for name, text in table.both_ways.items()]
    one = [
        f"{source}⇒{NAMES[name]}：{text}；" for name, pairs in table.one_way.items() for source, text in pairs.items()
    ]
    return "".join(both + one)


def _replacements(table: _Table, variant: Variant) -> dict[str, str]:
    """What a rule makes of the text for one variant: the other variants' words become this one's."""
    result: dict[str, str] = {}
    own = next((table.both_ways[n] for n in (variant, *FALLBACKS[variant]) if n in table.both_ways), None)
    if own is not None and variant != "zh" and variant not in _ONE_WAY_ONLY:
        result = dict.fromkeys(table.both_ways.values(), own)
    if variant != "zh":
        result |= table.one_way.get(variant, {})
    return result


_MARKS = re.compile(f"({SHIELD}[^{SHIELD_END}]*{SHIELD_END}|{RULE}[0-9]+{RULE_END}|{OPAQUE}[0-9]+\x02)")


def convert(text: str, rules: list[Rule]) -> str:
    """Apply each rule to the text after its mark, and take the marks away.

    What rules show is left as it is. Of several left sides that fit at a place the longest counts, and what was
    put in is not looked at again, as in PHP's strtr.
    """
    if not any(rule.add for rule in rules):
        return _MARKS.sub(_unmark, text)
    table = _Replacer()
    pieces = []
    for index, piece in enumerate(_MARKS.split(text)):
        if index % 2 == 0:
            pieces.append(table.replace(piece))
        elif piece[0] == RULE:
            table.change(rules[int(piece[1:-1])])
        else:
            pieces.append(piece.strip(SHIELD + SHIELD_END))
    return "".join(pieces)


def _unmark(match: re.Match[str]) -> str:
    piece = match[0]
    if piece[0] == OPAQUE:
        return piece
    return "" if piece[0] == RULE else piece[1:-1]


class _Replacer:
    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._lengths: dict[str, list[int]] = {}
        """Of the words that begin with a character, the longest first."""
        self._beginning: re.Pattern[str] | None = None
        """Any of those characters: to look at these alone is five times faster than at all."""

    def change(self, rule: Rule) -> None:
        for word in rule.remove:
            self._words.pop(word, None)
        for word, other in rule.add.items():
            if 0 < len(word) <= KEY_CHARACTERS:
                self._words[word] = other
                lengths = self._lengths.setdefault(word[0], [])
                if len(word) not in lengths:
                    lengths.append(len(word))
                    lengths.sort(reverse=True)
                    self._beginning = None

    def replace(self, text: str) -> str:
        if not self._words or not text:
            return text
        if self._beginning is None:
            self._beginning = re.compile(f"[{re.escape(''.join(sorted(self._lengths)))}]")
        pieces: list[str] = []
        start = position = 0
        while found := self._beginning.search(text, position):
            position = found.start() + 1
            for length in self._lengths[found[0]]:
                other = self._words.get(text[found.start() : found.start() + length])
                if other is not None:
                    pieces += (text[start : found.start()], other)
                    start = position = found.start() + length
                    break
        pieces.append(text[start:])
        return "".join(pieces)
