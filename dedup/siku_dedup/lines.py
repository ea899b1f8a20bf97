"""Lines that many documents of a source share: mastheads, notices, "read more", a forum's rules.

A line is what stands between two line breaks. Two lines are equal if their key texts are (`keytext.py`), so that
【责任编辑：王芳】 and 责任编辑:王芳 count as one line. A line counts once for a document. A document of which nothing
would be left stays as it is: whether it is one too many is decided on whole documents. Source: Wenzek et al.,
CCNet, 2020, who drop a paragraph's copies by hash; here no copy stays, since what everyone repeats is furniture.

Shape legend: D documents, L lines, R different lines.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from siku_dedup.exact import hash_keys
from siku_dedup.keytext import key_points


class Lines(NamedTuple):
    """The lines of D documents."""

    texts: pa.Array
    """Shape (L,)."""
    documents: NDArray[np.int64]
    """Shape (L,), ascending: whose line it is."""
    hashes: NDArray[np.uint64]
    """Shape (L,): 64 bits of the key's hash; 0 for a blank line, which is nobody's."""


def split_lines(column: pa.StringArray | pa.LargeStringArray) -> Lines:
    """Lines of a column of texts without nulls."""
    lists = pc.split_pattern(column, "\n")
    texts = lists.flatten()
    hashes = hash_keys(key_points(texts).points)[:, 0]
    blank = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(texts)), 0).to_numpy(zero_copy_only=False)
    sizes = pc.list_value_length(lists).to_numpy()
    return Lines(texts, np.repeat(np.arange(len(column)), sizes), np.where(blank, np.uint64(0), hashes))


class LineCounts(NamedTuple):
    """R different lines, by ascending hash."""

    hashes: NDArray[np.uint64]
    documents: NDArray[np.int64]
    """In how many each stands."""
    texts: pa.Array
    """One spelling of each, the first that was met."""


def count_lines(column: pa.StringArray | pa.LargeStringArray) -> LineCounts:
    """In how many documents of a column each line stands."""
    lines = split_lines(column)
    filled = np.flatnonzero(lines.hashes)
    order = filled[np.lexsort((lines.documents[filled], lines.hashes[filled]))]
    hashes, documents = lines.hashes[order], lines.documents[order]
    new_line = np.diff(hashes, prepend=np.uint64(0)) != 0
    counted = new_line | (np.diff(documents, prepend=-1) != 0)
    heads = np.flatnonzero(new_line)
    counts = np.add.reduceat(counted.astype(np.int64), heads) if len(heads) else np.zeros(0, np.int64)
    return LineCounts(hashes[heads], counts, lines.texts.take(pa.array(order[heads])))


def without_lines(column: pa.StringArray, repeated: NDArray[np.uint64]) -> pa.StringArray:
    r"""The texts without the lines of these hashes, shape (R,) ascending; what has none of them is not touched.

    Example:
        "首页\n\n正文\n版权所有", hashes of 首页 and 版权所有 -> "正文"
    """
    lines = split_lines(column)
    goes = np.isin(lines.hashes, repeated)
    filled = np.bincount(lines.documents[(lines.hashes != 0) & ~goes], minlength=len(column))
    changed = (np.bincount(lines.documents[goes], minlength=len(column)) > 0) & (filled > 0)
    if not changed.any():
        return column
    stays = ~goes & changed[lines.documents]
    sizes = np.bincount(lines.documents[stays], minlength=len(column))[changed]
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, lines.texts.filter(pa.array(stays))), "\n")
    # The blank lines around what went would pile up.
    mended = pc.utf8_trim(pc.replace_substring_regex(joined, r"\n{3,}", "\n\n"), "\n")
    return pc.replace_with_mask(column, pa.array(changed), mended)
