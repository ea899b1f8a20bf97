"""Documents whose key texts are equal, found by a 128-bit hash.

Two different keys share a hash with probability 2**-128: in a corpus of 10**10 documents, 10**-19.
"""

from itertools import pairwise

import numpy as np
import xxhash
from numpy.typing import NDArray

from siku_dedup.points import Points
from siku_manifests.kernels import kernel


def hash_keys(keys: Points, *, salt: int = 0) -> NDArray[np.uint64]:
    """Hash D key texts to 128 bits each, shape (D, 2), high word first; another salt gives other hashes."""
    raw = keys.values.view(np.uint8).data
    bounds = (keys.starts * 4).tolist()
    digest = xxhash.xxh3_128_digest
    whole = b"".join(digest(raw[begin:end], salt) for begin, end in pairwise(bounds))
    return np.frombuffer(whole, ">u8").astype(np.uint64).reshape(-1, 2)


def first_equal(hashes: NDArray[np.uint64]) -> NDArray[np.int32]:
    """For each document the first one with the same hash, itself if there is none before; shape (D,).

    At most 8 bytes a document beyond the result, however many are equal.

    Example:
        hashes of "a", "b", "a" -> [0, 1, 0]
    """
    slots = 1 << max(4, int(len(hashes) * 3 // 2).bit_length())
    first = np.empty(len(hashes), np.int32)
    fill_first(hashes, np.full(slots, -1, np.int32), first)
    return first


@kernel
def fill_first(  # pragma: no cover
    hashes: NDArray[np.uint64], table: NDArray[np.int32], first: NDArray[np.int32]
) -> None:
    """Kernel of `first_equal`: an open-addressed table of row numbers, a power of two of slots."""
    mask = np.uint64(len(table) - 1)
    for row in range(len(hashes)):
        slot = hashes[row, 1] & mask
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = row
                first[row] = row
                break
            if hashes[other, 0] == hashes[row, 0] and hashes[other, 1] == hashes[row, 1]:
                first[row] = other
                break
            slot = (slot + np.uint64(1)) & mask
