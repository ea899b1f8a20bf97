"""New documents against an index: which of them an earlier corpus holds already.

Bands of the index are in ascending order, so new keys are looked up without a table. A signature gate and the exact
similarity decide as inside a corpus. A document that was found is not looked for again in later bands. In a band,
a document is compared with at most `MOST` documents of a generation, so that boiler-plate costs no more than that.

Shape legend: D old documents, N new ones, P pairs.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup.clusters import GATE, VERIFY_POINTS
from siku_dedup.groups import HALF, partition
from siku_dedup.index import Generation, Index
from siku_dedup.jaccard import jaccard
from siku_dedup.parts import SignedParts
from siku_dedup.points import Points, row_cuts
from siku_manifests.kernels import kernel

MOST = 64
_PARTITION = 64


class Matches(NamedTuple):
    """Of N new documents, what the index has that is the same or nearly so."""

    known: NDArray[np.int64]
    """Shape (N,): row of the old document, counted through all generations; -1 for none."""
    similarity: NDArray[np.float64]
    """Shape (N,): 1 for equal keys, 0 for none."""

    def ids(self, index: Index) -> list[str]:
        """Ids of the old documents, "" for none."""
        out = np.full(len(self.known), "", object)
        base = 0
        for generation in index.generations:
            here = np.flatnonzero((self.known >= base) & (self.known < base + len(generation.signed)))
            out[here] = generation.signed.ids(self.known[here] - base)
            base += len(generation.signed)
        return [str(each) for each in out]


def match(index: Index, signed: SignedParts, rows: NDArray[np.int64], *, threshold: float) -> Matches:
    """Find the documents `rows` of `signed` in an index: equal keys first, then near-duplicates.

    Nothing depends on the order of the new documents. Memory: 24 bytes a new document and one band of them.
    """
    found = Matches(np.full(len(rows), -1, np.int64), np.zeros(len(rows)))
    base = 0
    for generation in index.generations:
        _match_equal(generation, signed.hashes[rows], found, base)
        base += len(generation.signed)
    base = 0
    for generation in index.generations:
        for number in range(signed.band_count):
            wanted = np.flatnonzero(found.known < 0)
            new, old = equal_in_sorted(*generation.sorted_band(number), signed.band(number)[rows[wanted]])
            new = wanted[new]
            best = _decided(generation, signed, (rows, new, old), threshold)
            found.known[best[0]], found.similarity[best[0]] = base + best[1], best[2]
        base += len(generation.signed)
    return found


def spread(matches: Matches, root: NDArray[np.int64]) -> Matches:
    """Let a whole cluster be known if one of it is: a member without a match of its own gets the closest of another.

    Args:
        matches: of N documents.
        root: shape (N,), equal for the documents of one cluster. Their own similarity stays, 0 where there is none.
    """
    order = np.lexsort((matches.known, -matches.similarity, root))
    heads = order[np.flatnonzero(np.diff(root[order], prepend=-1))]
    closest = matches.known[heads][np.searchsorted(root[heads], root)]
    return Matches(np.where(matches.known >= 0, matches.known, closest), matches.similarity)


def known_table(index: Index, signed: SignedParts, rows: NDArray[np.int64], matches: Matches) -> pa.Table:
    """The documents `rows` that an index knows, and as what; similarity 0: through others of its cluster."""
    found = np.flatnonzero(matches.known >= 0)
    ids = np.array(matches.ids(index), object)[found]
    return pa.table(
        {
            "row": pa.array(rows[found], pa.int64()),
            "id": signed.id_column(rows[found]),
            "known_as": pa.array(ids, pa.string()),
            "similarity": pa.array(matches.similarity[found], pa.float64()),
        }
    )


def equal_in_sorted(
    keys: NDArray[np.uint64], rows: NDArray[np.int32], new: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (new document, old document) of equal keys, at most `MOST` for each new one.

    New documents are partitioned by the top bits of their keys, so that the old ones among which one partition is
    looked for stay in the cache; sorting the new ones would take as long as all the rest.

    Args:
        keys: shape (D,), ascending.
        rows: shape (D,), the document of each key.
        new: shape (N,), in any order.
    """
    bits = int(len(new) // _PARTITION).bit_length()
    packed = np.empty(len(new), np.uint64)
    bounds = partition(new, bits, packed)
    begins, counts = np.empty(len(new), np.int64), np.empty(len(new), np.int64)
    join(keys, new, (bounds, packed), begins, counts)
    counts = np.minimum(counts, MOST)
    places = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return np.repeat(np.arange(len(new)), counts), rows[places].astype(np.int64)


def _match_equal(generation: Generation, hashes: NDArray[np.uint64], found: Matches, base: int) -> None:
    keys, rows = generation.sorted_hashes()
    new, old = equal_in_sorted(np.ascontiguousarray(keys[:, 0]), rows, hashes[:, 0])
    whole = (hashes[new] == generation.signed.hashes[old]).all(axis=1)
    found.known[new[whole]], found.similarity[new[whole]] = base + old[whole], 1.0


def _decided(
    generation: Generation,
    signed: SignedParts,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Of candidates (all rows, new position, old row) the most similar old one of each new, where similar enough."""
    rows, new, old = pairs
    estimates = [np.zeros(0)]
    for low in range(0, len(new), 1 << 14):
        part = slice(low, low + (1 << 14))
        estimates.append((signed.signatures(rows[new[part]]) == generation.signed.signatures(old[part])).mean(axis=1))
    passed = np.concatenate(estimates) >= threshold - GATE
    new, old = new[passed], old[passed]
    lengths = signed.lengths[rows[new]] + generation.signed.lengths[old]
    exact = [np.zeros(0)]
    for low, high in row_cuts(np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]), VERIFY_POINTS):
        exact.append(similarities(signed, rows[new[low:high]], generation.signed, old[low:high]))
    scores = np.concatenate(exact)
    order = np.lexsort((old, -scores, new))
    order = order[scores[order] >= threshold]
    first = order[np.flatnonzero(np.diff(new[order], prepend=-1))]
    return new[first], old[first], scores[first]


def similarities(
    signed: SignedParts, rows: NDArray[np.int64], others: SignedParts, other_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Exact similarity of P pairs of documents of two places, shape (P,)."""
    left, right = signed.points(rows), others.points(other_rows)
    starts = np.concatenate([left.starts, left.starts[-1] + right.starts[1:]])
    both = Points(np.concatenate([left.values, right.values]), starts)
    first = np.arange(len(rows))
    return jaccard(both, first, first + len(rows), n=signed.n[rows])


@kernel
def join(  # pragma: no cover
    keys: NDArray[np.uint64],
    new: NDArray[np.uint64],
    partitions: tuple[NDArray[np.int64], NDArray[np.uint64]],
    begins: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Where each of N new keys, given in partitions, stands among D ascending keys, and how often; out, shape (N,)."""
    bounds, packed = partitions
    high = 0
    for p in range(len(bounds) - 1):
        part = packed[bounds[p] : bounds[p + 1]]
        if len(part) == 0:
            continue
        largest = new[part[0] & HALF]
        smallest = largest
        for word in part:
            largest, smallest = max(largest, new[word & HALF]), min(smallest, new[word & HALF])
        low = _first_at_least(keys, high, len(keys), smallest)
        high = _first_at_least(keys, low, len(keys), largest)
        for word in part:
            row = word & HALF
            key = new[row]
            at = _first_at_least(keys, low, high, key)
            begins[row] = at
            end = at
            while end < len(keys) and keys[end] == key:
                end += 1
            counts[row] = end - at


@kernel
def _first_at_least(keys: NDArray[np.uint64], low: int, high: int, key: np.uint64) -> int:  # pragma: no cover
    """The first place from `low` on whose key is not smaller; `high` if there is none before."""
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low
