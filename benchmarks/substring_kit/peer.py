"""The same repeated substrings by a suffix array of libdivsufsort, as in Lee et al. 2022; in the peers' environment.

    python peer.py TEXT SIZE

Changed to work on Chinese: characters are given as two bytes each, since the published tools sort bytes of UTF-8
and so may cut a character; and of equal runs the first stays, where they strike every one. Prints what `ours.py` does.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydivsufsort import divsufsort, kasai

ROUNDS = 3


def peak() -> float:
    """Peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def repeated_places(characters: Any, inside: Any, size: int) -> Any:
    """Places of windows that stood before, ascending.

    Args:
        characters: uint16 (C,), of all documents.
        inside: bool (C,), whether a window that begins there ends in the same document.
        size: characters in a window.
    """
    suffixes = divsufsort(characters)
    same = np.asarray(kasai(characters, suffixes))[:-1] >= size  # with the next suffix
    group = np.concatenate([[0], np.cumsum(~same)])
    chosen = inside[suffixes]
    suffixes, group = suffixes[chosen].astype(np.int64), group[chosen]
    heads = np.flatnonzero(np.diff(group, prepend=-1))
    first = np.repeat(np.minimum.reduceat(suffixes, heads), np.diff(np.append(heads, len(group))))
    return np.sort(suffixes[first + size <= suffixes])


def main() -> None:
    """Find the repeats."""
    size = int(sys.argv[2])
    keys = pq.read_table(sys.argv[1], columns=["key"])["key"].to_pylist()
    points = np.frombuffer("".join(keys).encode("utf-32-le"), np.uint32)
    lengths = np.array([len(key) for key in keys])
    _, characters = np.unique(points, return_inverse=True)
    characters = characters.astype(np.uint16)
    inside = np.zeros(len(points), np.bool_)
    for begin, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        inside[begin : begin + max(0, length - size + 1)] = True
    del keys, points
    before = peak()
    seconds = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        places = repeated_places(characters, inside, size)
        seconds = min(seconds, time.process_time() - begun)
    report = {"version": "pydivsufsort " + importlib.metadata.version("pydivsufsort"), "seconds": seconds}
    report |= {"memory": peak() - before, "characters": len(characters)}
    print(json.dumps({**report, "repeats": len(places), "sum": int(places.sum())}))


if __name__ == "__main__":
    main()
