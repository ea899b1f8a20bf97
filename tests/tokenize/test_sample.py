"""The sample: a pure function of documents and seed, with the shares that were asked for."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from siku_tokenize.sample import Sample, draw_sample


def batches(documents: dict[str, int], *, rows: int = 100, shuffle: int | None = None) -> list[pa.RecordBatch]:
    """`documents` of each source, 30 bytes each, a batch for `rows` of them."""
    out = []
    for source, count in documents.items():
        names = [f"{source}/{i}" for i in range(count)]
        if shuffle is not None:
            random.Random(shuffle).shuffle(names)
        for first in range(0, count, rows):
            some = names[first : first + rows]
            columns = {"id": some, "source": [source] * len(some), "text": [f"{name:>12}一二三四五六" for name in some]}
            out.append(pa.RecordBatch.from_pydict(columns))
    return out


def draw(documents: dict[str, int], weights: dict[str, float], budget: int = 10**9, seed: int = 1) -> Sample:
    return draw_sample(batches(documents), weights=weights, seed=seed, budget=budget)


def test_everything_when_it_fits() -> None:
    sample = draw({"b": 7, "a": 5}, {})
    assert sample.sources == {"a": (5, 150), "b": (7, 210)}
    assert sample.texts.to_pylist() == sorted(sample.texts.to_pylist())
    assert sample.texts.type == pa.large_string()


def test_order_and_batching_do_not_matter() -> None:
    documents = {"a": 900, "b": 300}
    expected = draw(documents, {"b": 2.0}, budget=6000)
    for rows, seed in ((1, None), (7, 3), (1000, 4)):
        again = draw_sample(batches(documents, rows=rows, shuffle=seed), weights={"b": 2.0}, seed=1, budget=6000)
        assert again.texts.equals(expected.texts)
        assert again.sources == expected.sources
    assert not draw(documents, {"b": 2.0}, budget=6000, seed=2).texts.equals(expected.texts)


@pytest.mark.parametrize("budget", [0, 29, 30, 3000, 30_000, 36_000])
def test_the_budget_is_used_and_kept(budget: int) -> None:
    sample = draw({"a": 900, "b": 300}, {}, budget=budget)
    total = sum(size for _, size in sample.sources.values())
    assert budget - 30 < total <= budget
    assert len(sample.texts) * 30 == total


def test_shares_follow_size_times_weight() -> None:
    """a has three times the text and a third of the weight: equal shares, with or without a tight budget."""
    for budget in (10**9, 30_000):
        sample = draw({"a": 9000, "b": 3000}, {"a": 1 / 3, "b": 1.0}, budget=budget)
        a, b = sample.sources["a"][1], sample.sources["b"][1]
        assert a / b == pytest.approx(1, rel=0.12)
    assert sum(sample.sources["b"]) > 0


def test_a_source_without_weight_is_left_out() -> None:
    assert draw({"a": 10, "b": 10}, {"a": 0.0}).sources == {"b": (10, 300)}


def test_no_document_at_all() -> None:
    sample = draw_sample([], weights={}, seed=0, budget=100)
    assert (len(sample.texts), sample.sources) == (0, {})
