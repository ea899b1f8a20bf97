"""From candidates to clusters: a signature gate, then the exact similarity decides, then verified edges are united.

What is guaranteed. Two documents end in one cluster only through a chain of pairs whose exact similarity reaches
the threshold. Every pair that shares a band and passes the gate is either verified or already in one cluster,
as long as the band's group has at most `GROUP` documents. In a larger group (a boiler-plate page with another
date, a hundred thousand times) every document is compared with one representative of each of the first
`LEADERS` clusters of the group; the groups where clusters are left after that are counted and reported.
Nothing depends on the order in which documents, shards or bands come.

Shape legend: D documents, P pairs, G groups.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from siku_dedup.groups import Groups, equal_keys
from siku_dedup.jaccard import jaccard
from siku_dedup.points import Points, row_cuts
from siku_dedup.unionfind import all_pairs, find, leader_pairs, roots, singletons, unite

GATE = 0.10
"""Candidates whose signatures estimate less than threshold - GATE are not verified: 2.8 standard errors at K = 128."""
SMALL = 16
"""All pairs of a group of at most this size are verified, so that similarities above the threshold are complete."""
GROUP = 1024
LEADERS = 64
_GATE_PAIRS = 16_384
VERIFY_POINTS = 1 << 24
"""Code points of the texts that are compared at once."""


class Signed(Protocol):
    """Signed documents, wherever they lie; rows count from 0."""

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """Hashes of the keys, shape (D, 2)."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Code points of the keys, shape (D,)."""

    @property
    def n(self) -> NDArray[np.int64]:
        """Characters in a shingle, shape (D,)."""

    @property
    def band_count(self) -> int:
        """Bands of a signature."""

    def band(self, number: int) -> NDArray[np.uint64]:
        """Keys of one band, shape (D,)."""

    def signatures(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Signatures of some documents, shape (len(rows), K)."""

    def points(self, rows: NDArray[np.int64]) -> Points:
        """Key texts of some documents."""


class Verified(NamedTuple):
    """Pairs that passed the gate; P rows, each pair once, in the order of (left, right)."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    estimate: NDArray[np.float32]
    """Share of equal values in the two signatures."""
    exact: NDArray[np.float32]
    """Jaccard similarity of the two sets of shingles."""


class Clusters(NamedTuple):
    """Near-duplicates among documents with different keys."""

    root: NDArray[np.int64]
    """Shape (D,): the row that stands for the document's cluster; its own where it is alone."""
    verified: Verified
    candidates: int
    """Pairs that came to the gate, counted once a band."""
    unfinished_groups: int
    """Groups above `GROUP` that `LEADERS` did not exhaust."""


def cluster(signed: Signed, rows: NDArray[np.int64], *, threshold: float, workers: int = 1) -> Clusters:
    """Cluster documents of pairwise different keys.

    Args:
        signed: all D documents.
        rows: those to cluster, ascending, each key once.
        threshold: Jaccard similarity from which two documents are duplicates.
        workers: threads that verify pairs; the kernels leave the interpreter free, and texts are mapped, not sent.

    Memory: 40 bytes a document beside one band, 16 bytes a verified pair, and 64 MB of texts, or one pair a worker
    where that is more.
    """
    with ThreadPoolExecutor(workers) as threads:
        linker = _Linker(signed, rows, threshold, _Verifier(signed, rows, threads, workers))
        for number in range(signed.band_count):
            linker.link(equal_keys(signed.band(number)[rows]))
    root = np.arange(len(signed.lengths), dtype=np.int64)
    root[rows] = rows[roots(linker.parent)]
    return Clusters(root, linker.verified(), linker.candidates, linker.unfinished)


class _Linker:
    """Union-find over `rows` and the pairs verified so far; pairs are positions in `rows`."""

    def __init__(self, signed: Signed, rows: NDArray[np.int64], threshold: float, verifier: "_Verifier") -> None:
        self.parent = singletons(len(rows))
        self.candidates = 0
        self.unfinished = 0
        self._signed = signed
        self._rows = rows
        self._threshold = threshold
        self._verifier = verifier
        self._keys = np.zeros(0, np.uint64)  # left << 32 | right of verified pairs, ascending
        self._scores = np.zeros((0, 2), np.float32)
        self._new: list[tuple[NDArray[np.uint64], NDArray[np.float32]]] = []

    def link(self, groups: Groups) -> None:
        """Verify and unite what one band proposes."""
        sizes = np.diff(groups.starts)
        for small in _slices(groups, sizes <= SMALL):
            self._offer(*self._unknown(*all_pairs(small.members, small.starts)))
        for g in np.flatnonzero(sizes > SMALL):
            self._link_large(groups.members[groups.starts[g] : groups.starts[g + 1]])

    def _link_large(self, members: NDArray[np.int32]) -> None:
        """Compare by leaders: one round unites what is alike, so only different documents cost more rounds."""
        if len(members) > GROUP:
            self._link_huge(members)
            return
        position, width = 0, 1
        while position < len(members) - 1:
            batch = range(position, min(position + width, len(members) - 1))
            pairs = [leader_pairs(members, leader, self.parent) for leader in batch]
            pairs = list(takewhile(lambda pair: len(pair[0]) > 0, pairs))
            if pairs:
                self._offer(np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]))
            if len(pairs) < len(batch):
                break  # a leader without pairs: all after it are in its component
            position += width
            width *= 2

    def _link_huge(self, members: NDArray[np.int32]) -> None:
        # Leaders must not depend on the order of shards: take them in the order of their keys' hashes.
        hashes = self._signed.hashes[self._rows[members]]
        members = members[np.lexsort((hashes[:, 1], hashes[:, 0]))]
        led: list[int] = []
        for position in range(len(members) - 1):
            if find(self.parent, members[position]) in {find(self.parent, leader) for leader in led}:
                continue
            if len(led) == LEADERS:
                self.unfinished += 1
                break
            left, right = leader_pairs(members, position, self.parent)
            if not len(left):
                break
            self._offer(left, right)
            led.append(members[position])

    def _offer(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> None:
        """Gate, verify and unite pairs, smaller position first."""
        estimate = self._verifier.estimate(left, right)
        self.candidates += len(left)
        passed = estimate >= self._threshold - GATE
        left, right = left[passed], right[passed]
        exact = self._verifier.exact(left, right)
        alike = exact >= self._threshold
        unite(self.parent, left[alike], right[alike])
        scores = np.stack([estimate[passed], exact], axis=1).astype(np.float32)
        self._new.append((_pack(left, right), scores))

    def _settle(self) -> None:
        """Bring the pairs verified since the last time into order, each once."""
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._new)])
        scores = np.concatenate([self._scores, *(scores for _, scores in self._new)])
        self._keys, first = np.unique(keys, return_index=True)
        self._scores = scores[first]
        self._new = []

    def _unknown(
        self, left: NDArray[np.int32], right: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Those pairs that were not verified before: two alike meet in about half of the bands."""
        self._settle()
        keys = np.unique(_pack(left, right))
        at = np.searchsorted(self._keys, keys)
        at[at == len(self._keys)] = 0
        if len(self._keys):
            keys = keys[self._keys[at] != keys]
        return _unpack(keys)

    def verified(self) -> Verified:
        """All pairs that passed the gate, as rows of all documents."""
        self._settle()
        left, right = _unpack(self._keys)
        return Verified(self._rows[left], self._rows[right], self._scores[:, 0], self._scores[:, 1])


class _Verifier:
    """Similarities of pairs of positions in `rows`, slices of them side by side; the same for any number of workers."""

    def __init__(self, signed: Signed, rows: NDArray[np.int64], threads: ThreadPoolExecutor, workers: int) -> None:
        self._signed = signed
        self._rows = rows
        self._threads = threads
        self._most_points = VERIFY_POINTS // workers

    def estimate(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float64]:
        """Share of equal values in the signatures of each pair."""
        cuts = [(low, low + _GATE_PAIRS) for low in range(0, len(left), _GATE_PAIRS)]
        return self._in_slices(self._estimate_slice, cuts, left, right)

    def exact(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float64]:
        """Jaccard similarity of each pair."""
        lengths = self._signed.lengths
        costs = np.concatenate([[0], np.cumsum(lengths[self._rows[left]] + lengths[self._rows[right]])])
        return self._in_slices(self._exact_slice, row_cuts(costs, self._most_points), left, right)

    def _in_slices(
        self, work: Callable[..., NDArray[np.float64]], cuts: list[tuple[int, int]], *pairs: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        columns = [[column[low:high] for low, high in cuts] for column in pairs]
        return np.concatenate([np.zeros(0), *self._threads.map(work, *columns)])

    def _estimate_slice(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float64]:
        a, b = (self._signed.signatures(self._rows[side]) for side in (left, right))
        share: NDArray[np.float64] = (a == b).mean(axis=1)
        return share

    def _exact_slice(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float64]:
        needed, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        rows = self._rows[needed]
        a, b = places[: len(left)], places[len(left) :]
        return jaccard(self._signed.points(rows), a, b, n=self._signed.n[rows[a]])


def _pack(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.uint64]:
    return (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)


def _unpack(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return (keys >> np.uint64(32)).astype(np.int32), (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)


def _slices(groups: Groups, chosen: NDArray[np.bool_], *, most_pairs: int = 1 << 20) -> Iterator[Groups]:
    """The chosen groups, in slices of at most `most_pairs` pairs or one group."""
    numbers = np.flatnonzero(chosen)
    sizes = np.diff(groups.starts)[numbers]
    pairs = np.cumsum(sizes * (sizes - 1) // 2)
    low = 0
    while low < len(numbers):
        spent = pairs[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(pairs, spent + most_pairs, side="right")))
        part = numbers[low:high]
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[low:high])])
        places = np.repeat(groups.starts[part] - starts[:-1], sizes[low:high]) + np.arange(starts[-1])
        yield Groups(groups.members[places], starts)
        low = high
