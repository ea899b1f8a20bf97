"""Groups of equal keys against a dictionary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from siku_dedup import groups as module
from siku_dedup.groups import equal_keys


def by_dictionary(keys: NDArray[np.uint64]) -> list[list[int]]:
    rows = defaultdict(list)
    for row, key in enumerate(keys.tolist()):
        rows[key].append(row)
    return sorted(group for group in rows.values() if len(group) > 1)


def found(keys: NDArray[np.uint64]) -> list[list[int]]:
    groups = equal_keys(keys)
    return sorted(groups.members[a:b].tolist() for a, b in zip(groups.starts[:-1], groups.starts[1:], strict=True))


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=200), st.integers(0, 2**63 - 1))
def test_groups_are_those_of_a_dictionary(values: list[int], spread: int) -> None:
    keys = (np.array(values, np.uint64) * np.uint64(spread * 2 + 1)).astype(np.uint64)
    assert found(keys) == by_dictionary(keys)


@pytest.mark.parametrize("shift", [0, 16, 31, 32, 47, 60])
def test_keys_that_are_equal_in_most_bits_are_told_apart(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PARTITION", 500)
    keys = np.random.RandomState(shift).randint(0, 4000, 5000).astype(np.uint64) << np.uint64(shift)
    assert found(keys) == by_dictionary(keys)


def test_groups_over_many_partitions() -> None:
    random = np.random.RandomState(1)
    keys = random.randint(0, 2**63, 150_000, dtype=np.uint64) << np.uint64(1)
    keys[100_000:] = keys[:50_000]
    keys[149_000:] = keys[0]
    groups = equal_keys(keys)
    sizes = np.diff(groups.starts)
    assert (sizes == 2).sum() == 48_999
    assert sizes.max() == 1002
    assert len(groups.members) == 2 * 48_999 + 1002
