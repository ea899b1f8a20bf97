"""Mojibake: text decoded with the wrong table. Mended if the way back is exact, else set aside.

Most text has none, so a cheap expression looks first, once over a whole batch; only documents that it names
are tried. A repair counts only if encoding with the wrong table and decoding with the right one loses
nothing: the bytes must have been exactly these.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from siku_corpus.survey import SEPARATOR, Survey


def _utf8_read_as_gbk() -> str:
    """The characters that GBK makes of E4-E9 80-A0, bytes that UTF-8 Chinese is full of.

    They lie outside GB2312, so simplified text has none, and a traditional poem one now and then.
    """
    return b"".join(bytes((lead, trail)) for lead in range(0xE4, 0xEA) for trail in range(0x80, 0xA1)).decode("gbk")


_RARE = re.compile(f"[{_utf8_read_as_gbk()}]")
_PATTERNS = {
    "lost": re.compile("锟斤拷|锟斤|斤拷|烫烫烫|屯屯屯|\ufffd\ufffd"),
    "utf-8 as gbk": re.compile(rf"{_RARE.pattern}(?:[^\n\x1e]{{0,9}}{_RARE.pattern}){{2}}"),
    "utf-8 as gbk, by its commonest": re.compile("[锛銆鈥鐨][^\n\x1e]{0,40}[锛銆鈥鐨]"),
    "utf-8 as latin-1": re.compile("[\xc3-\xef][\x80-\xbf]{1,2}[\xc3-\xef][\x80-\xbf]"),
    "gbk as latin-1": re.compile("[\xb0-\xf7][\xa1-\xfe](?:[\xb0-\xf7][\xa1-\xfe]){3}"),
}
"""What each kind of damage looks like. Each begins with one class of rare characters, and not with a repeated
group: then `re` jumps from candidate to candidate, five times as fast."""
_LOST = re.compile("锟斤拷|锟斤|斤拷|烫烫烫|屯屯屯|\ufffd+")
_LOST_SHARE = 0.02
_RARE_SHARE = 0.08
_COMMON_WRONG = re.compile("[锛銆鈥鐨\ufffd]")
"""What the first two bytes of ，。“ and the first of 的 become in GBK; three of them, lost characters
counted, do not meet by chance."""
_ROUTES = (("gb18030", "utf-8"), ("latin-1", "utf-8"), ("cp1252", "utf-8"), ("latin-1", "gb18030"))
"""(the table it was read with, the one it was written in)."""


class Mended(NamedTuple):
    """What came of a batch."""

    texts: list[str]
    repaired: int
    example: tuple[str, str]
    hopeless: list[int]
    """Positions of documents with more than two lost characters in a hundred."""


def mend(texts: Sequence[str]) -> Mended:
    r"""Repair the documents that are mojibake through and through; name those that cannot be.

    Example:
        mend(["æ\u0098¥ç\u009c\xa0"]).texts -> ["春眠"]
    """
    result = list(texts)
    repaired, example, hopeless = 0, ("", ""), []
    for index in _suspects(texts):
        text = texts[index]
        better = _repair(text)
        if better is not None:
            result[index] = better
            repaired += 1
            example = example if repaired > 1 else (text[:40], better[:40])
        elif _is_hopeless(text):
            hopeless.append(index)
    return Mended(result, repaired, example, hopeless)


@cache
def _survey() -> Survey:
    letters = map(chr, range(0xB0, 0xF8))
    return Survey({"wrong": {*"锟拷烫屯\ufffd锛銆鈥鐨", *_RARE.pattern[1:-1], *letters}})


def _suspects(texts: Sequence[str]) -> list[int]:
    """Positions of the texts that look damaged, found in the join of those that have a character of a pattern."""
    rows = np.flatnonzero(_survey().find(texts)["wrong"]).tolist()
    joined = SEPARATOR.join(texts[row] for row in rows)
    places = [found.start() for pattern in _PATTERNS.values() for found in pattern.finditer(joined)]
    if not places:
        return []
    ends = list(accumulate(len(texts[row]) + 1 for row in rows))
    return sorted({rows[bisect_right(ends, place)] for place in places})


def _is_hopeless(text: str) -> bool:
    lost = sum(len(found) for found in _LOST.findall(text))
    if lost > len(text) * _LOST_SHARE:
        return True
    return len(_COMMON_WRONG.findall(text)) > 2 and len(_RARE.findall(text)) > len(text) * _RARE_SHARE


def _repair(text: str) -> str | None:
    for wrong, right in _ROUTES:
        try:
            better = text.encode(wrong).decode(right)
        except UnicodeError:
            continue
        if len(better) < len(text) and not any(pattern.search(better) for pattern in _PATTERNS.values()):
            return better
    return None
