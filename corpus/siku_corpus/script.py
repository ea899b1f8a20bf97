"""Traditional to simplified characters, by OpenCC's `t2s`, document by document and without undoing itself.

OpenCC keeps a traditional character where a phrase demands it: 乾隆 keeps 乾, 樊於期 keeps 於. In text that is
simplified already those phrases are spelled with simplified neighbours, which OpenCC does not know: it would
make 干县 of 乾县, a county's right name, and would not be idempotent (乾縣 → 乾县 → 干县). So a document is
converted only if it holds characters that no conversion leaves behind, which is what makes it traditional.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import opencc
from numpy.typing import NDArray

from siku_corpus.survey import SEPARATOR, code_points, count_different

KEPT_IN_PHRASES = frozenset("乾剋劄吒徵扞於昇氾濛祕脩苧蒐薹袷計谿釐陞麽")
"""Characters that t2s changes when they stand alone and leaves inside some phrase; of OpenCC 1.4.2's
TSPhrases. A test finds them anew in the installed dictionaries."""

TELLING_WINDOW = 400
CHARACTERS_FOR_EACH = 50
_LAST_IDEOGRAPH = 0x33480


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")  # one a process: loading the dictionaries takes longer than a batch


@cache
def _telling() -> NDArray[np.bool_]:
    """For each code point whether only traditional text holds it: t2s changes it, and never leaves it behind."""
    every = [chr(code) for code in range(0x3400, _LAST_IDEOGRAPH) if _is_ideograph(code)]
    simplified = _converter().convert("\n".join(every)).split("\n")
    left_behind = set("".join(simplified)) | KEPT_IN_PHRASES
    telling = np.zeros(_LAST_IDEOGRAPH, dtype=np.bool_)
    for before, after in zip(every, simplified, strict=True):
        telling[ord(before)] = before != after and before not in left_behind
    return telling


def find_traditional(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each text holds enough different characters that only traditional text has.

    One in a short text, up to eight in one of 400 characters or more, where truly traditional text has sixty.
    Not a single one: 三塚 and 朱文榘 are names in simplified articles, and OpenCC would write 三冢 and 朱文矩.

    Args:
        texts: D documents without SEPARATOR.

    Returns:
        Shape (D,).
    """
    different, characters = count_different(code_points(texts), _telling(), len(texts))
    needed: NDArray[np.int64] = np.maximum(1, np.minimum(characters, TELLING_WINDOW) // CHARACTERS_FOR_EACH)
    traditional: NDArray[np.bool_] = different >= needed
    return traditional


def _is_ideograph(code: int) -> bool:
    return code < 0xA000 or 0xF900 <= code < 0xFB00 or 0x20000 <= code < _LAST_IDEOGRAPH


def to_simplified(texts: Sequence[str]) -> tuple[list[str], int]:
    """Convert the documents that are in traditional script; also how many these were.

    Args:
        texts: none may hold SEPARATOR, by which they are joined so that OpenCC is called once.

    Example:
        to_simplified(["後宮佳麗三千人", "乾县"]) -> (["后宫佳丽三千人", "乾县"], 1)
    """
    chosen = np.flatnonzero(find_traditional(texts)).tolist()
    if not chosen:
        return list(texts), 0
    converted = _converter().convert(SEPARATOR.join(texts[index] for index in chosen)).split(SEPARATOR)
    result = list(texts)
    for index, text in zip(chosen, converted, strict=True):
        result[index] = text
    return result, len(chosen)
