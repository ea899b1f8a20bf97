"""Numbers about documents on which filters decide, compiled, from a batch's Arrow buffers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_corpus import counting, grams


class Measures(NamedTuple):
    """One row per document, float64; shares are of the characters that are no spaces, unless said otherwise."""

    bytes: NDArray[np.float64]
    """Of UTF-8."""
    characters: NDArray[np.float64]
    han: NDArray[np.float64]
    """Han characters."""
    han_share: NDArray[np.float64]
    kana_share: NDArray[np.float64]
    hangul_share: NDArray[np.float64]
    latin_share: NDArray[np.float64]
    letters_share: NDArray[np.float64]
    """Han and Latin together."""
    symbols: NDArray[np.float64]
    """`#`, bars, bullets, dingbats and emoji."""
    digits: NDArray[np.float64]
    punctuation: NDArray[np.float64]
    """Marks that end or divide sentences, Chinese and ASCII, and line ends."""
    links: NDArray[np.float64]
    """Characters of addresses: runs of ASCII with `://` in them, or that begin with `www.`."""
    blobs: NDArray[np.float64]
    """Characters of runs of 40 or more letters and digits without a space, as base64 has them."""
    tags: NDArray[np.float64]
    """Characters of HTML tags, the last one also if it was cut."""
    mean_line: NDArray[np.float64]
    """Characters of a line that is not blank, spaces around it left off."""
    lines_ended: NDArray[np.float64]
    """Share of lines whose last character ends a sentence."""
    duplicate_lines: NDArray[np.float64]
    """Share of lines that stood before in the same document."""
    duplicate_line_characters: NDArray[np.float64]
    """Of all the document's characters."""
    top_2_gram: NDArray[np.float64]
    """Share of the tokens' characters that the most frequent n-gram takes; 0 if none comes twice."""
    top_3_gram: NDArray[np.float64]
    top_4_gram: NDArray[np.float64]
    duplicate_5_grams: NDArray[np.float64]
    """Share of the tokens' characters in n-grams that stood before, counted without overlap."""
    duplicate_10_grams: NDArray[np.float64]


def measure(texts: pa.StringArray, *, words: bool = False) -> Measures:
    """Measure every document of a batch.

    Args:
        texts: shape (D,), no nulls.
        words: n-grams of words instead of characters.

    Source: the repetition measures are those of Rae et al. 2021 (Gopher), table A1, as datatrove counts them.
    """
    offsets, data = _buffers(texts)
    points, starts = counting.decode(offsets, data)
    column = counting.count(points, starts).astype(np.float64).T
    visible = np.maximum(column[counting.CHARACTERS] - column[counting.SPACES], 1)
    lines = np.maximum(column[counting.LINES], 1)
    # n-grams overlap: in 哈哈哈哈 the top one takes six of four
    gram = np.minimum(grams.count_grams(points, starts, words).T / visible, 1)
    return Measures(
        bytes=np.diff(offsets).astype(np.float64),
        characters=column[counting.CHARACTERS],
        han=column[counting.HAN],
        han_share=column[counting.HAN] / visible,
        kana_share=column[counting.KANA] / visible,
        hangul_share=column[counting.HANGUL] / visible,
        latin_share=column[counting.LATIN] / visible,
        letters_share=(column[counting.HAN] + column[counting.LATIN]) / visible,
        symbols=column[counting.SYMBOLS] / visible,
        digits=column[counting.DIGITS] / visible,
        punctuation=column[counting.PUNCTUATION] / visible,
        links=column[counting.IN_LINKS] / visible,
        blobs=column[counting.IN_BLOBS] / visible,
        tags=column[counting.IN_TAGS] / visible,
        mean_line=column[counting.CHARACTERS] / lines,
        lines_ended=column[counting.LINES_ENDED] / lines,
        duplicate_lines=column[counting.DUPLICATE_LINES] / lines,
        duplicate_line_characters=column[counting.DUPLICATE_LINE_CHARACTERS]
        / np.maximum(column[counting.CHARACTERS], 1),
        top_2_gram=gram[grams.TOP_2],
        top_3_gram=gram[grams.TOP_3],
        top_4_gram=gram[grams.TOP_4],
        duplicate_5_grams=gram[grams.REPEATED_5],
        duplicate_10_grams=gram[grams.REPEATED_10],
    )


def _buffers(texts: pa.StringArray) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    _, offset_buffer, data_buffer = texts.buffers()
    first = texts.offset
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[first : first + len(texts) + 1].astype(np.int64)
    return offsets, np.frombuffer(data_buffer or b"", dtype=np.uint8)
