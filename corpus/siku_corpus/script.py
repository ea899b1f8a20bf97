"""Traditional to simplified characters, by OpenCC's `t2s`, document by document and without undoing itself.

OpenCC keeps a traditional character where a phrase demands it: 乾隆 keeps 乾, 樊於期 keeps 於. In text that is
simplified already those phrases are spelled with simplified neighbours, which OpenCC does not know: it would
make 干县 of 乾县, a county's right name, and would not be idempotent (乾縣 → 乾县 → 干县). So a document is
converted only if it holds characters that no conversion leaves behind, which is what makes it traditional.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache

import opencc

KEPT_IN_PHRASES = frozenset("乾剋劄吒徵扞於昇氾濛祕脩苧蒐薹袷計谿釐陞麽")
"""Characters that t2s changes when they stand alone and leaves inside some phrase; of OpenCC 1.4.2's
TSPhrases. A test finds them anew in the installed dictionaries."""

TELLING_WINDOW = 400
CHARACTERS_FOR_EACH = 50


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")  # one a process: loading the dictionaries takes longer than a batch


@cache
def _telling() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Two classes of the characters that only traditional text holds: t2s changes them and never leaves them.

    The second has those beyond the Basic Multilingual Plane. Apart, the first is one table look-up for each
    character; together they would be a list to go through (3 MB/s instead of 200).
    """
    every = [chr(code) for code in range(0x3400, sys.maxunicode + 1) if _is_ideograph(code)]
    simplified = _converter().convert("\n".join(every)).split("\n")
    left_behind = set("".join(simplified)) | KEPT_IN_PHRASES
    telling = [a for a, b in zip(every, simplified, strict=True) if a != b and a not in left_behind]
    basic, beyond = (
        re.compile(f"[{''.join(character for character in telling if (ord(character) > 0xFFFF) is astral)}]")
        for astral in (False, True)
    )
    return basic, beyond


_BEYOND_BASIC = re.compile("[\U00020000-\U000323af]")


def is_traditional(text: str) -> bool:
    """Whether the text holds enough different characters that only traditional text has.

    One in a short text, up to eight in one of 400 characters or more, where truly traditional text has sixty.
    Not a single one: 三塚 and 朱文榘 are names in simplified articles, and OpenCC would write 三冢 and 朱文矩.
    """
    basic, beyond = _telling()
    found = set(basic.findall(text))
    if _BEYOND_BASIC.search(text):
        found.update(beyond.findall(text))
    return len(found) >= max(1, min(len(text), TELLING_WINDOW) // CHARACTERS_FOR_EACH)


def _is_ideograph(code: int) -> bool:
    return code < 0xA000 or 0xF900 <= code < 0xFB00 or 0x20000 <= code < 0x33480


def to_simplified(texts: Sequence[str], separator: str) -> tuple[list[str], int]:
    """Convert the documents that are in traditional script; also how many these were.

    Args:
        texts: none may hold `separator`, with which they are joined so that OpenCC is called once.
        separator: one character that OpenCC leaves alone.

    Example:
        to_simplified(["後宮佳麗三千人", "乾县"], SEPARATOR) -> (["后宫佳丽三千人", "乾县"], 1)
    """
    chosen = [index for index, text in enumerate(texts) if is_traditional(text)]
    if not chosen:
        return list(texts), 0
    converted = _converter().convert(separator.join(texts[index] for index in chosen)).split(separator)
    result = list(texts)
    for index, text in zip(chosen, converted, strict=True):
        result[index] = text
    return result, len(chosen)
