"""Minima of affine maps over a text's shingles: the inner loop of MinHash, shared by both schemes.

Shape legend: D documents, K permutations, S shingles.
"""

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

NONE = np.uint32(0xFFFFFFFF)
"""A value that is still to be found. (A minimum of all ones is found to be just that.)"""
_LANES = 16


@kernel
def fill_minima(  # pragma: no cover
    hashes: NDArray[np.uint32],
    starts: NDArray[np.int64],
    maps: tuple[NDArray[np.uint32], NDArray[np.uint32]],
    mark: np.uint32,
    signatures: NDArray[np.uint32],
) -> None:
    """Put min(a·h + b mod 2**32) over a text's shingles where its signature says `NONE`.

    Args:
        hashes: shape (S,), well mixed.
        starts: shape (D + 1,), where each text's shingles begin.
        maps: a and b, shape (K,) each.
        mark: 0 to keep the minimum as it is; else the bit to set, for which the lowest bit makes room.
        signatures: shape (D, K), filled in place.
    """
    a, b = maps
    permutations = signatures.shape[1]
    # One place more than needed for the branchless fill, in whole blocks.
    wanted = np.empty(permutations + 1, np.int64)
    blocks = np.zeros((permutations // _LANES + 1) * 3 * _LANES, np.uint32)
    for doc in range(len(starts) - 1):
        row = signatures[doc]
        count = np.uint64(0)
        for k in range(permutations):
            place = (count >> np.uint64(4)) * np.uint64(3 * _LANES) + (count & np.uint64(_LANES - 1))
            wanted[count] = k
            blocks[place] = a[k]
            blocks[place + np.uint64(_LANES)] = b[k]
            blocks[place + np.uint64(2 * _LANES)] = NONE
            count += np.uint64(row[k] == NONE)
        if count == 0:
            continue
        used = (np.int64(count) + _LANES - 1) // _LANES
        _lower(hashes[starts[doc] : starts[doc + 1]], blocks[: used * 3 * _LANES])
        for i in range(np.int64(count)):
            low = blocks[(i // _LANES) * 3 * _LANES + 2 * _LANES + i % _LANES]
            row[wanted[i]] = np.uint32(low >> np.uint32(mark > 0)) | mark


@kernel
def _lower(hashes: NDArray[np.uint32], blocks: NDArray[np.uint32]) -> None:  # pragma: no cover
    """Lower each minimum by all shingles: eight of them a pass, sixteen maps a vector.

    A block holds a, b and the minimum of sixteen maps in one array, a constant distance apart: so LLVM knows
    that they do not overlap, which it would otherwise test for each vector.
    """
    last = len(hashes) - 1
    for i in range(0, len(hashes), 8):
        # A shingle taken twice does not change a minimum, so the end needs no loop of its own.
        h0, h1, h2, h3 = hashes[i], hashes[min(i + 1, last)], hashes[min(i + 2, last)], hashes[min(i + 3, last)]
        h4, h5, h6 = hashes[min(i + 4, last)], hashes[min(i + 5, last)], hashes[min(i + 6, last)]
        h7 = hashes[min(i + 7, last)]
        for base in range(0, len(blocks), 3 * _LANES):
            block = blocks[base : base + 3 * _LANES]
            for k in range(_LANES):
                x, y, v = block[k], block[_LANES + k], block[2 * _LANES + k]
                v = min(v, np.uint32(np.uint32(x * h0) + y))
                v = min(v, np.uint32(np.uint32(x * h1) + y))
                v = min(v, np.uint32(np.uint32(x * h2) + y))
                v = min(v, np.uint32(np.uint32(x * h3) + y))
                v = min(v, np.uint32(np.uint32(x * h4) + y))
                v = min(v, np.uint32(np.uint32(x * h5) + y))
                v = min(v, np.uint32(np.uint32(x * h6) + y))
                v = min(v, np.uint32(np.uint32(x * h7) + y))
                block[2 * _LANES + k] = v
