"""What a rule of normalization is: a function from text to text that says how often it changed something, and where.

The texts of a batch are joined by SEPARATOR, which none of them holds, and a rule runs once over the whole: it costs
one call a batch instead of one a poem. A rule may therefore never match across SEPARATOR; every pattern is built from
classes that leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from siku_corpus.survey import SEPARATOR

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
LINE_STARTS = ("\n", SEPARATOR)
_AROUND = 12


class Applied(NamedTuple):
    """What a rule did to a joined batch."""

    text: str
    changes: int
    example: tuple[str, str] = ("", "")
    """A stretch of text before and after; empty if nothing was found."""


Rule = Callable[[str], Applied]
Replacement = str | Callable[[re.Match[str]], str]


def substitute(pattern: str, replacement: Replacement, *, gate: str = "") -> Rule:
    """A rule that replaces a pattern; `gate` is a substring without which it cannot match (a fast look)."""
    compiled = re.compile(pattern)

    def rule(text: str) -> Applied:
        if gate and gate not in text:
            return Applied(text, 0)
        first = compiled.search(text)
        if first is None:
            return Applied(text, 0)
        changed, count = compiled.subn(replacement, text)
        before = stretch(first.string, first.start(), first.end())
        return Applied(changed, count, (before, compiled.sub(replacement, before)))

    return rule


def stretch(text: str, start: int, end: int) -> str:
    """The characters from `start` to `end` with some around them, of the same document."""
    first = max(start - _AROUND, text.rfind(SEPARATOR, 0, start) + 1)
    border = text.find(SEPARATOR, end)
    return text[first : min(end + _AROUND, border if border >= 0 else len(text))]


def difference(before: str, after: str) -> tuple[str, str]:
    """The first 40 characters around the place where two texts part."""
    place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, place - _AROUND)
    return before[start : start + 40], after[start : start + 40]
