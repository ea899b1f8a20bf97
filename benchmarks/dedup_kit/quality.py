"""Whether what is found is right: recall of planted copies, error of estimates, removal beside brute force.

Similarities are computed by Python's own sets, independent of the kernels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siku_dedup.bands import band_keys, choose_bands
from siku_dedup.clusters import cluster
from siku_dedup.parts import SignedParts, write_part
from siku_dedup.points import column_points
from siku_dedup.signing import SignedBatch, Signer, sign_points

N = 5
THRESHOLD = 0.8
BAR_RECALL = 0.995
BAR_REMOVED = 0.01
BRUTE_FORCE_DOCUMENTS = 4000


class Claim(NamedTuple):
    """One line of the result."""

    text: str
    held: bool


def grams(text: str) -> set[str]:
    """The shingles of a text, by Python."""
    return {text[i : i + N] for i in range(max(1, len(text) - N + 1))}


def jaccard(left: str, right: str) -> float:
    """Similarity by Python's sets, independent of the kernels."""
    a, b = grams(left), grams(right)
    return len(a & b) / len(a | b)


def signed_keys(keys: pa.Array, permutations: int, folder: Path) -> SignedParts:
    """Key texts, signed and written as one part."""
    signer = Signer("fss1", permutations, choose_bands(permutations, threshold=THRESHOLD), N)
    points = column_points(keys)
    signatures = sign_points(points, signer)
    batch = SignedBatch(
        points=points,
        hashes=np.arange(2 * len(keys), dtype=np.uint64).reshape(-1, 2),
        signatures=signatures,
        bands=band_keys(signatures, signer.bands, salt=N),
        han=np.diff(points.starts),
    )
    folder.mkdir()
    write_part(folder, pa.chunked_array([pa.array([str(row) for row in range(len(keys))])]), [batch], signer)
    return SignedParts([folder])


def quality_claims(text: Path, scratch: Path) -> Iterator[Claim]:
    """Recall of planted pairs, error of estimates, and removal beside brute force."""
    table = pq.read_table(text)
    keys = table["key"].combine_chunks()
    copies = np.flatnonzero(table["copy_of"].to_numpy() >= 0)
    originals = table["copy_of"].to_numpy()[copies]
    exact = np.array(
        [jaccard(keys[int(a)].as_py(), keys[int(b)].as_py()) for a, b in zip(originals, copies, strict=True)]
    )
    for permutations in (128, 256):
        signed = signed_keys(keys, permutations, scratch / f"whole-{permutations}")
        root = cluster(signed, np.arange(len(keys)), threshold=THRESHOLD).root
        alike = exact >= THRESHOLD
        recall = float((root[originals] == root[copies])[alike].mean())
        of = f"{alike.sum():,} planted pairs with J >= {THRESHOLD}"
        line = f"recall, K={permutations}: {recall:.4f} of {of}, bar {BAR_RECALL}"
        yield Claim(line, recall >= BAR_RECALL)
        estimate = (signed.signatures(originals) == signed.signatures(copies)).mean(axis=1)
        error = float(np.sqrt(((estimate - exact) ** 2).mean()))
        theory = float(np.sqrt((exact * (1 - exact)).mean() / permutations))
        line = f"signature error, K={permutations}: {error:.4f}, theory sqrt(J(1-J)/K) {theory:.4f}"
        yield Claim(line, error <= 1.02 * theory)
    some = keys.slice(0, BRUTE_FORCE_DOCUMENTS)
    signed = signed_keys(some, 128, scratch / "some")
    removed = len(some) - len(np.unique(cluster(signed, np.arange(len(some)), threshold=THRESHOLD).root))
    expected = len(some) - components(some.to_pylist())
    line = f"removed of {len(some):,} documents: {removed}, by brute force {expected}, bar {BAR_REMOVED:.0%} apart"
    yield Claim(line, abs(removed - expected) <= BAR_REMOVED * expected)


def components(texts: Sequence[str]) -> int:
    """Components of the graph of all pairs with J at or above the threshold, by an inverted index."""
    sets = [grams(text) for text in texts]
    holders: dict[str, list[int]] = {}
    label = list(range(len(texts)))

    def root(row: int) -> int:
        while label[row] != row:
            row = label[row]
        return row

    for row, own in enumerate(sets):
        common: Counter[int] = Counter()
        for gram in own:
            rows = holders.setdefault(gram, [])
            common.update(rows)
            rows.append(row)
        for other, shared in common.items():
            if shared >= THRESHOLD * (len(own) + len(sets[other]) - shared):
                label[root(row)] = root(other)
    return len({root(row) for row in range(len(texts))})
