"""Which document of a cluster stays, and whether it goes to training or validation.

The survivor is decided by the documents alone: the source of highest priority, then most Han characters, then
the smallest id. Who came first never matters.
"""

from typing import NamedTuple, Protocol

import numpy as np
import xxhash
from numpy.typing import NDArray

TRAIN, VALIDATION, EXACT, NEAR, CONTAMINATED, REPEATED = range(6)
"""What becomes of a document; from `EXACT` on it is dropped."""


class Ids(Protocol):
    """Where ids are looked up."""

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
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
        ids: read for the documents of clusters only.
        validation: share of clusters for validation, and the seed.
    """
    survivor = np.arange(len(label), dtype=np.int64)
    _, place, sizes = np.unique(label, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[place] > 1)
    if len(rows):
        names = np.array(ids.ids(rows), dtype=object)
        # lexsort cannot order objects, so ids go in as their rank.
        rank = np.empty(len(rows), np.int64)
        rank[np.argsort(names, kind="stable")] = np.arange(len(rows))
        order = np.lexsort((rank, -han[rows], -priority[rows], place[rows]))
        rows = rows[order]
        firsts = np.flatnonzero(np.diff(place[rows], prepend=-1))
        survivor[rows] = np.repeat(rows[firsts], np.diff(np.append(firsts, len(rows))))
    fate = np.full(len(label), TRAIN, np.int8)
    stays = survivor == np.arange(len(label))
    equal = (hashes == hashes[survivor]).all(axis=1)
    fate[~stays & equal], fate[~stays & ~equal] = EXACT, NEAR
    chosen = _chosen(_cluster_hashes(place, hashes), *validation)
    fate[stays & chosen[place]] = VALIDATION
    return Verdicts(fate, survivor)


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
