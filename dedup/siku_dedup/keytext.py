r"""The key text of a document: what is left of it when script, width, case and punctuation do not count.

Two documents with the same key text are the same document. The key of a text is its NFKC form, casefolded, of
which letters, marks and digits stay (`\p{L}\p{M}\p{N}`), each in its simplified shape:

    後宮佳麗三千人，  ->  后宫佳丽三千人      the two scripts and any punctuation give one key
    １９９８年　　　　->  1998年             and digits count: 1998 is not 1999
    ……　　　　　　　　->  ……                 nothing is left, so the text itself is the key; it is not ！！

Script is folded character by character, on purpose not by OpenCC's phrases: a phrase may reach across
punctuation that another edition sets differently (乾。隆 against 乾隆), and a simplified text may itself hold a
phrase that is kept (乾隆). Single characters give a context-free fold, hence a true equivalence: a key depends
on nothing but the characters that stay, and folding a key changes nothing.

Being context-free, the fold is one table lookup per code point. Only texts with characters that NFKC joins or
takes apart (combining marks, Hangul jamo, ㎡) are normalized by Python first.

Shape legend: D documents.
"""

import functools
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import opencc
import pyarrow as pa
import pyarrow.compute as pc
import regex
from numpy.typing import NDArray

from siku_dedup.points import Points, column_points
from siku_manifests.kernels import kernel

_SPECIAL = np.uint32(1 << 31)
_HAN = np.uint32(1 << 30)
_POINT = np.uint32(0x1FFFFF)
_CODE_POINTS = 0x110000
_ASSIGNED = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))
"""Where letters, marks and digits may be: the rest is surrogates, unassigned or for private use."""
_KEPT = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_STRETCH = 64
_JAMO = ((0x1100, 0x1200), (0xA960, 0xA980), (0xD7B0, 0xD800))


class Keys(NamedTuple):
    """Key texts of a batch, as code points."""

    points: Points
    han: NDArray[np.int64]
    """Shape (D,): Han characters in the text, the measure of which copy is the fuller one."""


def key_text(text: str) -> str:
    """The key of one text, for people and as the definition that the batch kernel is tested against.

    Example:
        "後宮佳麗三千人，" -> "后宫佳丽三千人"
    """
    points = np.frombuffer(_settled(text).encode("utf-32-le"), np.uint32)
    values = _fold_table()[points] & _POINT
    return values[values > 0].tobytes().decode("utf-32-le") or text


def _settled(text: str) -> str:
    """NFKC, casefold, and letters, marks and digits only, until that changes nothing more.

    Once is enough but for oddities: of "U¯" the compatibility form is U, space and a combining macron, which
    become one letter when the space has gone.
    """
    while (folded := "".join(_KEPT.findall(unicodedata.normalize("NFKC", text).casefold()))) != text:
        text = folded
    return text


def key_points(column: pa.StringArray | pa.LargeStringArray) -> Keys:
    """The keys of a column of texts.

    Args:
        column: D texts without nulls.

    Raises:
        InputError: the column has nulls or holds no text.
    """
    texts = column_points(column)
    special, han = np.zeros(len(column), np.bool_), np.zeros(len(column), np.int64)
    keys = _folded(texts, special, han)
    if special.any():
        # Such rows are rare (0.1 % of poems, 1 % of web pages), so the batch is simply folded again.
        found = column.filter(pa.array(special)).to_pylist()
        mended = pa.array([_settled(text) for text in found], column.type)
        whole = column_points(pc.replace_with_mask(column, pa.array(special), mended))
        keys = _folded(whole, special, han.copy())
    empty = np.diff(keys.starts) == 0
    return Keys(_with_texts(keys, texts, empty) if empty.any() else keys, han)


def _folded(texts: Points, special: NDArray[np.bool_], han: NDArray[np.int64]) -> Points:
    keys = Points(np.empty_like(texts.values), np.empty_like(texts.starts))
    fold(texts, _fold_table(), keys, special, han)
    return Points(keys.values[: keys.starts[-1]], keys.starts)


def _with_texts(keys: Points, texts: Points, empty: NDArray[np.bool_]) -> Points:
    """Put the text itself where nothing is left of it."""
    lengths = np.where(empty, np.diff(texts.starts), np.diff(keys.starts))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    values = np.empty(starts[-1], np.uint32)
    from_text = np.repeat(empty, lengths)
    values[~from_text] = keys.values
    values[from_text] = texts.values[np.repeat(empty, np.diff(texts.starts))]
    return Points(values, starts)


@kernel
def fold(  # pragma: no cover
    texts: Points, table: NDArray[np.uint32], keys: Points, special: NDArray[np.bool_], han: NDArray[np.int64]
) -> None:
    """Fold each code point by the table.

    Args:
        texts: D texts.
        table: shape (0x110000,), see `_fold_table`.
        keys: out, with as much room as `texts`.
        special: out, shape (D,), whether Python must normalize the text first.
        han: out, shape (D,), Han characters of each text.
    """
    out = np.uint64(0)
    keys.starts[0] = 0
    for doc in range(len(special)):
        flags = np.uint32(0)
        count = np.uint32(0)
        text = texts.values[texts.starts[doc] : texts.starts[doc + 1]]
        for i in range(len(text)):
            folded = table[text[i]]
            flags |= folded
            count += (folded >> np.uint32(30)) & np.uint32(1)
            point = folded & _POINT
            keys.values[out] = point
            # No branch: punctuation comes every seven characters and would be mispredicted each time.
            out += np.uint64(point != 0)
        special[doc] = (flags & _SPECIAL) != 0
        han[doc] = count
        keys.starts[doc + 1] = out


@functools.cache
def _fold_table() -> NDArray[np.uint32]:
    """What becomes of each code point: 0 if it goes, else what it turns into; bits mark Han, and work for Python.

    Shape (0x110000,). 0.1 s to build, once in a process.
    """
    everything = np.concatenate([np.arange(run.start, run.stop, dtype=np.uint32) for run in _ASSIGNED])
    text = _decoded(everything)
    folds = np.zeros(_CODE_POINTS, np.uint32)
    for run in _KEPT.finditer(text):
        points = everything[slice(*run.span())]
        folds[points] = points
    several = []
    for char in _changing(text):
        if (folded := unicodedata.normalize("NFKC", char).casefold()) != char:
            kept = "".join(_KEPT.findall(folded))
            folds[ord(char)] = ord(kept) if len(kept) == 1 else 0
            if len(kept) > 1:
                several.append(ord(char))
    han = np.concatenate([everything[slice(*run.span())] for run in regex.finditer(r"\p{Han}+", text)])
    table: NDArray[np.uint32] = _simplified(han)[folds]
    joined = np.zeros(_CODE_POINTS, np.bool_)
    joined[[ord(char) for char in regex.findall(r"\p{M}", text) if unicodedata.category(char)[0] == "M"]] = True
    for low, high in _JAMO:
        joined[low:high] = True
    # What folds into several characters, or is joined with its neighbours by NFKC, is work for Python.
    table[several] |= _SPECIAL
    table[joined[folds]] |= _SPECIAL
    table[han] |= _HAN
    table.setflags(write=False)
    return table


def _changing(text: str) -> Iterator[str]:
    """Characters among which are all that NFKC or casefolding changes; a stretch without any is passed over."""
    for low in range(0, len(text), _STRETCH):
        stretch = text[low : low + _STRETCH]
        if not unicodedata.is_normalized("NFKC", stretch) or stretch.casefold() != stretch:
            yield from stretch


def _simplified(han: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The simplified shape of each code point, itself for most, followed to the end: 薴 -> 苧 -> 苎 are of one kind.

    Shape (0x110000,). Each character is converted on a line of its own, so that no phrase has a say.
    """
    lines = np.full((len(han), 2), ord("\n"), np.uint32)
    lines[:, 0] = han
    converted = np.frombuffer(opencc.OpenCC("t2s").convert(_decoded(lines)).encode("utf-32-le"), np.uint32)
    simple = np.arange(_CODE_POINTS, dtype=np.uint32)
    simple[han] = converted.reshape(-1, 2)[:, 0]
    while (simple[simple[han]] != simple[han]).any():
        simple[han] = simple[simple[han]]
    return simple


def _decoded(points: NDArray[np.uint32]) -> str:
    return points.tobytes().decode("utf-32-le")
