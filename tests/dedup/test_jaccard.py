"""The exact similarity against Python's sets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup import jaccard as module
from siku_dedup.jaccard import jaccard
from siku_dedup.points import column_points


def reference(left: str, right: str, n: int) -> float:
    a, b = ({text[i : i + n] for i in range(max(1, len(text) - n + 1))} for text in (left, right))
    return len(a & b) / len(a | b)


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("天地玄黃a1"), max_size=60), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 6)), max_size=12),
)
def test_pairs_have_the_similarity_of_their_sets(texts: list[str], pairs: list[tuple[int, int, int]]) -> None:
    pairs = [(a % len(texts), b % len(texts), n) for a, b, n in pairs]
    table = np.array(pairs, np.int64).reshape(-1, 3)
    found = jaccard(column_points(pa.array(texts, pa.string())), table[:, 0], table[:, 1], n=table[:, 2])
    assert found.tolist() == [reference(texts[a], texts[b], n) for a, b, n in pairs]


def test_long_texts_are_compared_in_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(5)
    texts = ["".join(map(chr, random.randint(0x4E00, 0x4E40, size))) for size in (9000, 5000, 40)]
    texts.append(texts[0][:4000] + texts[1])
    left, right = np.array([0, 0, 0, 3, 1]), np.array([3, 1, 2, 1, 1])
    n = np.full(5, 2, np.int64)
    points = column_points(pa.array(texts))
    whole = jaccard(points, left, right, n=n)
    monkeypatch.setattr(module, "_MAX_SLOTS", 1 << 13)
    assert jaccard(points, left, right, n=n).tolist() == whole.tolist()
    assert whole.tolist() == [reference(texts[a], texts[b], 2) for a, b in zip(left, right, strict=True)]
