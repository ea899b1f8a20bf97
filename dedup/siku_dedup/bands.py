"""Bands of signatures: which documents are worth comparing.

A signature of K values is cut into b bands of r values. Two texts of similarity s agree in at least one band with
probability 1 - (1 - s**r)**b. Bands may be generous, since every candidate is verified afterwards; a miss is
never made good. Source: Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, chapter 3.

One signature can be cut twice: lay its values out in squares of r × r, then the rows of the squares are one set
of bands and their columns another. At K = 128 and r = 8 this finds 99.3 % of the pairs that are exactly at 0.8
instead of 94.8 %, for the price of 16 more keys; a signature of 256 values finds 99.7 %, for twice the work.

Shape legend: D documents, K permutations, N bands.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

LEAST_RECALL = 0.99
"""Share of the pairs exactly at the threshold that must become candidates."""
_COEFFICIENTS = np.random.RandomState(20242).randint(0, 1 << 63, 66, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


class Bands(NamedTuple):
    """How a signature is cut."""

    number: int
    rows: int
    """Values in a band."""
    layouts: int = 1
    """1: neighbouring values; 2: those, and the columns of the squares that they form."""

    def recall(self, similarity: float) -> float:
        """Probability that two texts of this Jaccard similarity share a band."""
        s, r = similarity, self.rows
        if self.layouts == 1:
            return float(1 - (1 - s**r) ** self.number)
        # In one square, no row and no column agrees wholly: by inclusion and exclusion over the columns.
        none = sum((-1) ** c * math.comb(r, c) * s ** (r * c) * (1 - s ** (r - c)) ** r for c in range(r + 1))
        return float(1 - none ** (self.number // (2 * r)))


def choose_bands(permutations: int, *, threshold: float) -> Bands:
    """The longest bands whose recall at the threshold is at least `LEAST_RECALL`; all values are used.

    Args:
        permutations: K, a power of two of at least 16.
        threshold: Jaccard similarity of the pairs to find, above 0.

    Example:
        128, 0.8 -> 32 bands of 8 in two layouts; 256, 0.8 -> 32 of 8; 128, 0.9 -> 16 of 8; 128, 0.7 -> 32 of 4
    """
    for rows in (64, 32, 16, 8, 4, 2):
        once = Bands(permutations // rows, rows)
        if once.recall(threshold) >= LEAST_RECALL:
            return once
        twice = Bands(2 * once.number, rows, 2)
        if rows * rows <= permutations and twice.recall(threshold) >= LEAST_RECALL:
            return twice
    return Bands(permutations // 2, 2)


def band_keys(signatures: NDArray[np.uint32], bands: Bands, *, salt: int) -> NDArray[np.uint64]:
    """Hash each band of each signature to 64 bits.

    Args:
        signatures: D signatures.
        bands: how to cut them.
        salt: signatures that must never meet (of other n-grams, of other sources) get another one.

    Returns:
        Shape (N, D), so that one band lies in one piece.
    """
    keys = np.empty((bands.number, len(signatures)), np.uint64)
    fill_keys(signatures, bands.rows, np.uint64(salt), _COEFFICIENTS, keys)
    return keys


@kernel
def fill_keys(  # pragma: no cover
    signatures: NDArray[np.uint32],
    rows: int,
    salt: np.uint64,
    coefficients: NDArray[np.uint64],
    keys: NDArray[np.uint64],
) -> None:
    """Kernel of `band_keys`: a multilinear sum over pairs of values, then fmix64 of MurmurHash3."""
    number = keys.shape[0]
    neighbours = signatures.shape[1] // rows
    totals = np.empty(number, np.uint64)
    for doc in range(signatures.shape[0]):
        signature = signatures[doc]
        totals[:] = coefficients[-1] * (salt + np.uint64(1))
        for band in range(neighbours):
            values = signature[band * rows : (band + 1) * rows]
            for row in range(0, rows, 2):
                totals[band] += coefficients[row] * _pair(values[row], values[row + 1])
        if number > neighbours:
            # The second layout takes every neighbours-th value: the columns of the squares.
            for row in range(0, rows, 2):
                left = signature[row * neighbours : (row + 1) * neighbours]
                right = signature[(row + 1) * neighbours : (row + 2) * neighbours]
                for band in range(neighbours):
                    totals[neighbours + band] += coefficients[row] * _pair(left[band], right[band])
        for band in range(number):
            total = totals[band]
            total ^= total >> np.uint64(33)
            total *= np.uint64(0xFF51AFD7ED558CCD)
            total ^= total >> np.uint64(33)
            total *= np.uint64(0xC4CEB9FE1A85EC53)
            keys[band, doc] = total ^ (total >> np.uint64(33))


@kernel
def _pair(high: np.uint32, low: np.uint32) -> np.uint64:  # pragma: no cover
    return np.uint64((np.uint64(high) << np.uint64(32)) | np.uint64(low))
