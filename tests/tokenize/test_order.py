"""The order of windows: a permutation, a pure function, and the mixture that was asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.errors import RecipeError
from siku_tokenize.order import Permutation, WindowOrder, mixture_shares


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_a_permutation_hits_every_value_once(size: int, key: int) -> None:
    out = Permutation(size, key=key)(np.arange(size))
    assert sorted(out.tolist()) == list(range(size))


def test_a_large_permutation_stays_inside_and_scatters() -> None:
    size = 10**12 + 7
    out = Permutation(size, key=3)(np.arange(1000))
    assert out.min() >= 0
    assert out.max() < size
    assert len(set(out.tolist())) == 1000
    # Neighbours land a third of the range apart on average, as independent draws do.
    assert 0.28 < np.abs(np.diff(out)).mean() / size < 0.38


def test_every_window_once_an_epoch_and_other_orders_elsewhere() -> None:
    shares = mixture_shares({"a": 30, "b": 12, "empty": 0}, {})
    order = WindowOrder(shares, seed=1)
    everything = {("a", i) for i in range(30)} | {("b", i) for i in range(12)}
    epochs = [[order.at(epoch, i) for i in range(len(order))] for epoch in range(3)]
    assert all(set(epoch) == everything and len(epoch) == 42 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [WindowOrder(shares, seed=2).at(0, i) for i in range(42)] != epochs[0]


def test_a_span_equals_its_positions_in_any_order() -> None:
    order = WindowOrder(mixture_shares({"a": 50, "b": 7}, {"b": 3.0}), seed=9)
    positions = np.array([40, 3, 3, 17])
    sources, windows = order.span(5, positions)
    alone = [WindowOrder(order.shares, seed=9).at(5, int(i)) for i in positions]
    assert [(order.shares[s].source, w) for s, w in zip(sources, windows.tolist(), strict=True)] == alone


def test_a_source_starts_over_only_when_used_up() -> None:
    """2.5 passes of b in an epoch: after two epochs each of its windows was read five times."""
    shares = mixture_shares({"a": 40, "b": 4}, {"a": 0.75, "b": 2.5}, draws=40)
    assert [share.draws for share in shares] == [30, 10]
    order = WindowOrder(shares, seed=0)
    seen = Counter(order.at(epoch, i) for epoch in range(2) for i in range(len(order)))
    assert [seen["b", i] for i in range(4)] == [5, 5, 5, 5]


def test_weights_temperature_and_cap() -> None:
    natural = mixture_shares({"a": 900, "b": 100}, {})
    assert [(s.draws, s.epochs) for s in natural] == [(900, 1.0), (100, 1.0)]
    even = mixture_shares({"a": 900, "b": 100}, {}, temperature=1e9)
    assert [s.draws for s in even] == [500, 500]
    capped = mixture_shares({"a": 900, "b": 100}, {}, temperature=1e9, epoch_cap=2)
    assert [s.draws for s in capped] == [800, 200]
    assert [round(s.asked, 6) for s in capped] == [0.5, 0.5]
    assert [round(s.realised, 6) for s in capped] == [0.8, 0.2]
    without = mixture_shares({"a": 900, "b": 100}, {"b": 0.0})
    assert [s.draws for s in without] == [1000, 0]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1),
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.01, 100)),
    st.floats(0.5, 10),
)
def test_draws_add_up(windows: dict[str, int], weights: dict[str, float], temperature: float) -> None:
    if not any(windows.values()):
        with pytest.raises(RecipeError):
            mixture_shares(windows, weights)
        return
    shares = mixture_shares(windows, weights, temperature=temperature)
    assert sum(share.draws for share in shares) == sum(windows.values())
    assert sum(share.asked for share in shares) == pytest.approx(1)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(RecipeError, match="No source has a window"):
        mixture_shares({"a": 5}, {"a": 0.0})


def test_known_order() -> None:
    """Stored runs resume by position, so the order itself is a format: it must never change."""
    order = WindowOrder(mixture_shares({"poetry": 100, "news": 20}, {"news": 2.0}), seed=42)
    assert [order.at(0, i) for i in range(4)] == [("poetry", 62), ("news", 0), ("poetry", 92), ("poetry", 54)]
