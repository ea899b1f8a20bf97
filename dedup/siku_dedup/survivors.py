"""Which document of a cluster stays, and whether it goes to training or validation.

The survivor is decided by the documents alone: the source of highest priority, then most Han characters, then
the smallest id. Who came first never matters.
"""

from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

TRAIN, VALIDATION, EXACT, NEAR, CONTAMINATED, REPEATED, KNOWN = range(7)
"""What becomes of a document; from `EXACT` on it is dropped."""


class Ids(Protocol):
    """Where ids are looked up."""

    def id_column(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        """Ids of some documents."""


class Verdicts(NamedTuple):
    """What becomes of D documents."""

    fate: NDArray[np.int8]
    """Shape (D,), one of the first four above."""
    survivor: NDArray[np.int64]
    """Shape (D,): the row that stays of its cluster."""


def decide(
    label: NDArray[np.int64],
    *,
    hashes: NDArray[np.uint64],
    priority: NDArray[np.int64],
    han: NDArray[np.int64],
    ids: Ids,
    validation: tuple[float, int],
) -> Verdicts:
    """Choose survivors and their split.

    Args:
        label: shape (D,), equal for the documents of one cluster.
        hashes: of the keys, shape (D, 2).
        priority: of each document's source, shape (D,).
        han: Han characters, shape (D,).
        ids: read where priority and length do not decide.
        validation: share of clusters for validation, and the seed.
    """
    _, place, sizes = np.unique(label, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[place] > 1)
    # Ids are long and seldom decide, so only those of documents alike in priority and length are read.
    rows, heads = _best_of(place, (priority, han), rows)
    best = rows[(priority[rows] == priority[heads]) & (han[rows] == han[heads])]
    survivor = np.arange(len(label), dtype=np.int64)
    survivor[rows] = np.repeat(_of_least_id(place[best], best, ids), sizes[np.unique(place[rows])])
    fate = np.full(len(label), TRAIN, np.int8)
    stays = survivor == np.arange(len(label))
    equal = (hashes == hashes[survivor]).all(axis=1)
    fate[~stays & equal], fate[~stays & ~equal] = EXACT, NEAR
    chosen = _chosen(_cluster_hashes(place, hashes), *validation)
    fate[stays & chosen[place]] = VALIDATION
    return Verdicts(fate, survivor)


def _best_of(
    place: NDArray[np.int64], measures: tuple[NDArray[np.int64], NDArray[np.int64]], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The documents `rows` by cluster, and for each one the row of its cluster that comes first by the measures."""
    first, second = measures
    rows = rows[np.lexsort((rows, -second[rows], -first[rows], place[rows]))]
    heads = np.flatnonzero(np.diff(place[rows], prepend=-1))
    return rows, np.repeat(rows[heads], np.diff(np.append(heads, len(rows))))


def _of_least_id(place: NDArray[np.int64], rows: NDArray[np.int64], ids: Ids) -> NDArray[np.int64]:
    """Of each cluster, ascending, the row with the smallest id; of equal ids the first row."""
    names = ids.id_column(rows)
    least = pa.table({"place": place, "id": names}).group_by("place").aggregate([("id", "min")]).sort_by("place")
    _, cluster = np.unique(place, return_inverse=True)
    smallest = np.asarray(pc.equal(names, least["id_min"].combine_chunks().take(pa.array(cluster))))
    _, first = np.unique(cluster[smallest], return_index=True)
    chosen: NDArray[np.int64] = rows[smallest][first]
    return chosen


def _cluster_hashes(place: NDArray[np.int64], hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A cluster is named by its smallest key hash: by its texts, not by where they were found. Shape (clusters, 2)."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0], place))
    return hashes[order[np.flatnonzero(np.diff(place[order], prepend=-1))]]


def _chosen(hashes: NDArray[np.uint64], share: float, seed: int) -> NDArray[np.bool_]:
    """Whether each cluster goes to validation: equal texts always answer alike, in any corpus with this seed."""
    limit = int(share * 2**64)
    raw = hashes.astype(">u8").tobytes()
    digest = xxhash.xxh3_64_intdigest
    return np.array([digest(raw[at : at + 16], seed) < limit for at in range(0, len(raw), 16)], np.bool_)
