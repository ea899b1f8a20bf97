"""Mojibake: text decoded with the wrong table. Mended if the way back is exact, else set aside.

Most text has none, so a cheap expression looks first, once over a whole batch; only documents that it names
are tried. A repair counts only if encoding with the wrong table and decoding with the right one loses
nothing: the bytes must have been exactly these.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from siku_corpus.normalize import SEPARATOR

_SIGNS = ("\ufffd", "锟", "烫烫烫", "屯屯屯", "锛", "銆", "鈥", "鐨")
"""Mojibake of a few sentences has one of these: in UTF-8 read as GBK they are ，。“ and 的."""
_LATIN = re.compile("[\u00b0-\u00f7][\u0080-\u00fe]")
_SUSPECT = re.compile(
    "锟斤拷|锟斤|斤拷|烫烫烫|屯屯屯|\ufffd{2}"  # replacement characters and fresh memory, read as GBK
    "|(?:[澶鐨涓鍦鎴鏄锛銆鈥闂]+[^\\s\x1e]?){3}"  # UTF-8 read as GBK
    "|(?:[\u00c3-\u00ef][\u0080-\u00bf]{1,2}){2}"  # UTF-8 read as Latin-1
    "|(?:[\u00b0-\u00f7][\u00a1-\u00fe]){4}"  # GBK read as Latin-1
)
_LOST = re.compile("锟斤拷|锟斤|斤拷|烫烫烫|屯屯屯|\ufffd+")
_LOST_SHARE = 0.02
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
    """Repair the documents that are mojibake through and through; name those that cannot be.

    Example:
        mend(["浣犲ソ锛屼笘鐣屻€傚洓搴撳叏涔�"]) finds it; mend([the same, unbroken]) -> ["你好，世界。四库全书"]
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
        elif sum(len(lost) for lost in _LOST.findall(text)) > len(text) * _LOST_SHARE:
            hopeless.append(index)
    return Mended(result, repaired, example, hopeless)


def _suspects(texts: Sequence[str]) -> list[int]:
    """Positions of the texts that _SUSPECT matches, found in their join; most batches end at the signs."""
    joined = SEPARATOR.join(texts)
    if not any(sign in joined for sign in _SIGNS) and not _LATIN.search(joined):
        return []
    ends = list(accumulate(len(text) + 1 for text in texts))
    return sorted({bisect_right(ends, found.start()) for found in _SUSPECT.finditer(joined)})


def _repair(text: str) -> str | None:
    for wrong, right in _ROUTES:
        try:
            better = text.encode(wrong).decode(right)
        except UnicodeError:
            continue
        if better != text and len(better) < len(text) and not _SUSPECT.search(better):
            return better
    return None
