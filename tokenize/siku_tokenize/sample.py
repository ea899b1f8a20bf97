"""The text that a vocabulary learns from: a seeded share of the documents of each source.

A document's fate depends on nothing but its id, its source's weight, the seed and how much text there is:
its key is h(seed, id) / weight with h uniform on (0, 1]; the sample is every document whose key lies below
one limit, the largest that keeps the shares as asked and the whole within the budget. So the shares come
out in proportion to size × weight, and neither order nor batching nor workers change the sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

POOL_COLUMNS = {
    "key": pa.float64(),
    "size": pa.int64(),
    "id": pa.large_string(),
    "source": pa.large_string(),
    "text": pa.large_string(),
}


@dataclass(frozen=True)
class Sample:
    """Texts to learn from.

    Attributes:
        texts: large_string, in order of (source, id).
        sources: for each source (documents, UTF-8 bytes) in the sample.
    """

    texts: pa.Array
    sources: dict[str, tuple[int, int]]


def document_keys(ids: pa.Array, *, seed: int, weight: float) -> NDArray[np.float64]:
    """Give each document its key in (0, 1 / weight]."""
    hashes = (xxhash.xxh3_64_intdigest(name.encode(), seed) for name in ids.to_pylist())
    return (np.fromiter(hashes, np.float64, len(ids)) + 1.0) / 2.0**64 / weight


def draw_sample(batches: Iterable[pa.RecordBatch], *, weights: Mapping[str, float], seed: int, budget: int) -> Sample:
    """Draw the sample in one pass; at most about three times the budget is held.

    Args:
        batches: documents with columns id, source, text; a batch holds one source.
        weights: factor of each source, 1 where it is not named; 0 leaves it out.
        seed: from the recipe.
        budget: UTF-8 bytes of text at most.
    """
    limit = 1.0 / max([weight for weight in weights.values() if weight > 0], default=1.0)
    pool = pa.table({name: pa.array([], kind) for name, kind in POOL_COLUMNS.items()})
    held = 0
    for batch in batches:
        weight = weights.get(batch["source"][0].as_py(), 1.0) if batch.num_rows else 0.0
        if weight <= 0:
            continue
        drawn = _keyed(batch, seed=seed, weight=weight)
        drawn = drawn.filter(pc.less_equal(drawn["key"], limit))
        pool = pa.concat_tables([pool, drawn])
        held += pc.sum(drawn["size"]).as_py() or 0
        if held > 2 * budget:
            limit, pool = _cut(pool, limit=limit, budget=budget)
            held = pc.sum(pool["size"]).as_py() or 0
    _, pool = _cut(pool, limit=limit, budget=budget)
    pool = pool.sort_by([("source", "ascending"), ("id", "ascending")])
    totals = pool.group_by("source").aggregate([("size", "count"), ("size", "sum")]).sort_by("source")
    sources = {row["source"]: (row["size_count"], row["size_sum"]) for row in totals.to_pylist()}
    return Sample(pool["text"].combine_chunks(), sources)


def _keyed(batch: pa.RecordBatch, *, seed: int, weight: float) -> pa.Table:
    columns = {
        "key": document_keys(batch["id"], seed=seed, weight=weight),
        "size": pc.cast(pc.binary_length(batch["text"]), pa.int64()),
    }
    columns |= {name: pc.cast(batch[name], pa.large_string()) for name in ("id", "source", "text")}
    return pa.table(columns)


def _cut(pool: pa.Table, *, limit: float, budget: int) -> tuple[float, pa.Table]:
    """Lower the limit until the pool fits the budget; give both."""
    keys, sizes = pool["key"].to_numpy(), pool["size"].to_numpy()
    order = np.argsort(keys, kind="stable")
    inside = int(np.searchsorted(np.cumsum(sizes[order]), budget, side="right"))
    if inside < len(order):
        limit = min(limit, float(np.nextafter(keys[order[inside]], 0)))
    return limit, pool.filter(pa.array(keys <= limit))
