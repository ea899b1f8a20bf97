"""Bands of millions of documents, grouped and united by file, and joined with an index; a process of its own.

    python scale.py DOCUMENTS NEW FOLDER

Prints one line of JSON: CPU seconds of grouping equal keys and uniting, CPU seconds of joining NEW further documents
with the sorted bands, peak memory before and after, and what was found beside what was planted. Keys are random;
a fifth of the documents stand in clusters of two, which agree in a band with probability 0.9**8. One band file
exists at a time, memory-mapped, as the stage has it. Making the keys, writing and sorting them is not timed; finding
equal keys is done twice, and the lesser time counts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from siku_dedup.against import equal_in_sorted
from siku_dedup.bands import choose_bands
from siku_dedup.groups import equal_keys
from siku_dedup.unionfind import roots, singletons, unite

Result = TypeVar("Result")
AGREES = 0.43
CHUNK = 1 << 20
NEAR = 10
"""Of ten neighbours the first two are a cluster."""


def write_band(path: Path, documents: int, band: int) -> NDArray[np.int64]:
    """A band file; the rows that were given their neighbour's key."""
    keys = np.lib.format.open_memmap(path, "w+", np.uint64, (documents,))
    planted = []
    for low in range(0, documents, CHUNK):
        random = np.random.Generator(np.random.PCG64([band, low]))
        high = min(low + CHUNK, documents)
        part = random.integers(0, 1 << 64, high - low, dtype=np.uint64)
        rows = np.arange(low, high)
        twins = np.flatnonzero((rows % NEAR == 1) & (random.random(high - low) < AGREES) & (rows > low))
        part[twins] = part[twins - 1]
        keys[low:high] = part
        planted.append(rows[twins])
    keys.flush()
    return np.concatenate(planted)


def peak() -> float:
    """Peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def least(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU seconds of the better of two rounds, and what it gave."""
    begun = time.process_time()
    work()
    first = time.process_time()
    result = work()
    return min(first - begun, time.process_time() - first), result


def grouping(keys: NDArray[np.uint64], parent: NDArray[np.int32]) -> float:
    """CPU seconds of finding the documents of equal keys and uniting them."""
    seconds, groups = least(lambda: equal_keys(keys))
    begun = time.process_time()
    # A group of g hangs together by g - 1 edges; the last member of a group has none to the next group.
    inside = np.ones(len(groups.members), np.bool_)
    inside[groups.starts[1:] - 1] = False
    places = np.flatnonzero(inside)
    unite(parent, groups.members[places], groups.members[places + 1])
    return seconds + time.process_time() - begun


def joining(keys: NDArray[np.uint64], new: int, band: int) -> float:
    """CPU seconds of looking up new keys, a tenth of which are there, among the sorted ones."""
    order = np.argsort(keys).astype(np.int32)
    ordered = keys[order]
    wanted = np.random.RandomState(band).randint(0, 1 << 63, new).astype(np.uint64)
    wanted[: new // NEAR] = keys[: new // NEAR]
    seconds, (found, _) = least(lambda: equal_in_sorted(ordered, order, wanted))
    if len(np.unique(found)) < new // NEAR:
        sys.exit(f"band {band}: {new // NEAR:,} new keys are known, {len(np.unique(found)):,} were found")
    return seconds


def main() -> None:
    """Run all bands."""
    documents, new, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    few = np.arange(64, dtype=np.uint64)
    grouping(few // np.uint64(2), singletons(64))
    joining(few, 16, 0)
    roots(singletons(64))
    before = peak()
    bands = choose_bands(128, threshold=0.8).number
    path = folder / "band.npy"
    parent = singletons(documents)
    expected = np.zeros(documents, np.bool_)
    grouped, joined, memory = 0.0, 0.0, before
    for band in range(bands):
        expected[write_band(path, documents, band)] = True
        keys = np.asarray(np.load(path, mmap_mode="r"))
        grouped += grouping(keys, parent)
        if not (new and band):  # after the first band the peak may be that of sorting for the join
            memory = peak()
        if new:
            joined += joining(keys, new, band)
        path.unlink()
    removed = int((roots(parent) != np.arange(documents)).sum())
    report = {"bands": bands, "grouping": grouped, "joining": joined, "before": before, "memory": memory}
    print(json.dumps({**report, "removed": removed, "planted": int(expected.sum())}))


if __name__ == "__main__":
    main()
