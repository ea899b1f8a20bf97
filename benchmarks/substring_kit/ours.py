"""Repeated substrings by the stage's kernel; a process of its own, so that its memory can be told.

    python ours.py TEXT SIZE PASSES

Prints one line of JSON: CPU seconds from code points to places, the least of some rounds; memory beyond the code
points; what was found.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siku_dedup.points import column_points
from siku_dedup.substrings import Texts, find_repeats

ROUNDS = 3


def peak() -> float:
    """Peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Find the repeats of all passes."""
    size, passes = int(sys.argv[2]), int(sys.argv[3])
    find_repeats(Texts([column_points(pa.array(["春眠不觉晓" * 40]))], [0]), size=size)  # compiled, or from the cache
    points = column_points(pq.read_table(sys.argv[1], columns=["key"])["key"].combine_chunks())
    texts = Texts([points], [0])
    before = peak()
    seconds = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        found = [find_repeats(texts, size=size, number=number, passes=passes).places for number in range(passes)]
        seconds = min(seconds, time.process_time() - begun)
    places = np.concatenate(found)
    report = {"version": "siku", "seconds": seconds, "memory": peak() - before, "characters": len(points.values)}
    print(json.dumps({**report, "repeats": len(places), "sum": int(places.sum())}))


if __name__ == "__main__":
    main()
