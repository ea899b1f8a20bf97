"""Who stays: priority, then length in Han, then id; and a split that looks at texts only."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from siku_dedup.survivors import EXACT, NEAR, TRAIN, VALIDATION, decide


class Names:
    def __init__(self, names: list[str]) -> None:
        self.names = names

    def id_column(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        return pa.array([self.names[row] for row in rows], pa.large_string())


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 3), st.integers(0, 2)), max_size=40),
    st.randoms(use_true_random=False),
)
def test_the_survivor_is_the_best_of_its_cluster_in_any_order(
    rows: list[tuple[int, int, int, int]], rng: object
) -> None:
    documents = [
        (label, priority, han, f"id{number:02d}", key) for number, (label, priority, han, key) in enumerate(rows)
    ]
    rng.shuffle(documents)  # type: ignore[attr-defined]
    label, priority, han, names, key = (
        (list(column) for column in zip(*documents, strict=True)) if documents else ([],) * 5
    )
    hashes = np.array([(c, k) for c, k in zip(label, key, strict=True)], np.uint64).reshape(-1, 2)
    verdicts = decide(
        np.array(label, np.int64),
        hashes=hashes,
        priority=np.array(priority, np.int64),
        han=np.array(han, np.int64),
        ids=Names(names),
        validation=(0.0, 0),
    )
    for row, document in enumerate(documents):
        best = min((d for d in documents if d[0] == document[0]), key=lambda d: (-d[1], -d[2], d[3]))
        assert names[verdicts.survivor[row]] == best[3]
        expected = TRAIN if best is document else EXACT if best[4] == document[4] else NEAR
        assert verdicts.fate[row] == expected


def test_the_split_depends_on_texts_and_seed_only() -> None:
    random = np.random.RandomState(0)
    hashes = random.randint(0, 2**63, (20_000, 2), dtype=np.uint64)

    def split(order: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
        count = len(order)
        verdicts = decide(
            np.arange(count),
            hashes=hashes[order],
            priority=np.zeros(count, np.int64),
            han=np.zeros(count, np.int64),
            ids=Names([]),
            validation=(0.1, seed),
        )
        return verdicts.fate == VALIDATION

    same = split(np.arange(20_000), 1)
    order = random.permutation(20_000)[:5000]
    assert (split(order, 1) == same[order]).all()
    assert 0.09 < same.mean() < 0.11
    assert (split(np.arange(20_000), 2) != same).mean() > 0.1
