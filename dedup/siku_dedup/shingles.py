"""Character n-grams of texts, hashed: to 32 bits for signatures, to 64 for counting.

A text of c code points has max(1, c - n + 1) shingles: one shorter than n is one shingle, the whole of it (an
empty signature would make all short texts alike). Repetitions stay: a minimum does not mind them, and
`jaccard` counts each shingle once.

The hash is multilinear, k0 + k1·c1 + … + kn·cn mod 2**64 with random odd k: its high 32 bits are strongly
universal. Source: Lemire, Kaser, Strongly universal string hashing is fast, 2014.

Shape legend: C code points, D documents, S shingles, P pairs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_dedup.points import Points
from siku_manifests.kernels import kernel

MAX_N = 32
_BLOCK = 1024


def _odd(seed: int) -> NDArray[np.uint64]:
    return np.random.RandomState(seed).randint(0, 1 << 63, MAX_N + 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


_COEFFICIENTS = _odd(20240)
_WIDE_COEFFICIENTS = _odd(20243)


class Shingles(NamedTuple):
    """Hashed shingles of D texts."""

    hashes: NDArray[np.uint32]
    """Shape (S,), mixed: any bits of them are as good as any others."""
    starts: NDArray[np.int64]
    """Shape (D + 1,): those of text d are `hashes[starts[d] : starts[d + 1]]`, in the text's order."""


def hash_shingles(points: Points, *, n: int) -> Shingles:
    """Hash each run of n code points of each text to 32 bits.

    Args:
        points: D texts.
        n: characters in a shingle, 1 … 32.

    Returns:
        At least one shingle for each text, an empty one included.

    Example:
        ("春眠不覺曉", "春眠"), n=3 -> 3 hashes and 1 hash
    """
    starts = shingle_starts(points, n=n)
    hashes = np.empty(starts[-1], np.uint32)
    fill_hashes(points.values, points.starts, n, _COEFFICIENTS, hashes)
    return Shingles(hashes, starts)


def shingle_starts(points: Points, *, n: int) -> NDArray[np.int64]:
    """Where the shingles of each text begin, shape (D + 1,)."""
    counts = np.maximum(np.diff(points.starts) - (n - 1), 1)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


@kernel
def fill_hashes(  # pragma: no cover
    values: NDArray[np.uint32],
    starts: NDArray[np.int64],
    n: int,
    coefficients: NDArray[np.uint64],
    hashes: NDArray[np.uint32],
) -> None:
    """Kernel of `hash_shingles`."""
    sums = np.empty(_BLOCK, np.uint64)
    base = 0
    for doc in range(len(starts) - 1):
        text = values[starts[doc] : starts[doc + 1]]
        # A text shorter than n is summed as far as it goes.
        width = min(n, len(text))
        out = hashes[base : base + len(text) - width + 1]
        if width == 5:
            _hash_fives(text, coefficients, out)
        elif width == 3:
            _hash_threes(text, coefficients, out)
        else:
            for low in range(0, len(out), _BLOCK):
                _hash_block(text[low:], width, coefficients, sums, out[low : low + _BLOCK])
        base += len(out)


@kernel
def _hash_block(  # pragma: no cover
    text: NDArray[np.uint32],
    width: int,
    coefficients: NDArray[np.uint64],
    sums: NDArray[np.uint64],
    out: NDArray[np.uint32],
) -> None:
    """Any width: a pass for each coefficient over sums that stay in the L1 cache."""
    sums = sums[: len(out)]
    _sum_shingles(text, width, coefficients, sums)
    for i in range(len(out)):
        out[i] = _mixed(np.uint32(sums[i] >> np.uint64(32)))


@kernel
def _sum_shingles(  # pragma: no cover
    text: NDArray[np.uint32], width: int, coefficients: NDArray[np.uint64], sums: NDArray[np.uint64]
) -> None:
    for i in range(len(sums)):
        sums[i] = coefficients[0]
    for j in range(width):
        k = coefficients[j + 1]
        shifted = text[j : j + len(sums)]
        for i in range(len(sums)):
            sums[i] += k * np.uint64(shifted[i])


@kernel
def fill_wide(text: NDArray[np.uint32], n: int, hashes: NDArray[np.uint64]) -> None:  # pragma: no cover
    """Hash the shingles of one text to 63 bits and a top bit that is set, so that 0 is none; for exact counts.

    Args:
        text: shape (C,).
        n: characters in a shingle, 1 … 32; a text shorter than n is one shingle.
        hashes: out, shape (max(1, C - n + 1),) or shorter for the first of them.
    """
    _sum_shingles(text, min(n, len(text)), _WIDE_COEFFICIENTS, hashes)
    for i in range(len(hashes)):
        h = hashes[i]
        h = (h ^ (h >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        hashes[i] = (h ^ (h >> np.uint64(32))) | np.uint64(1 << 63)


@kernel
def _hash_threes(  # pragma: no cover
    text: NDArray[np.uint32], k: NDArray[np.uint64], out: NDArray[np.uint32]
) -> None:
    """The usual widths in one pass, the sum in a register: two thirds of the time."""
    k0, k1, k2, k3 = k[0], k[1], k[2], k[3]
    for i in range(len(out)):
        total = k0 + k1 * np.uint64(text[i]) + k2 * np.uint64(text[i + 1]) + k3 * np.uint64(text[i + 2])
        out[i] = _mixed(np.uint32(total >> np.uint64(32)))


@kernel
def _hash_fives(  # pragma: no cover
    text: NDArray[np.uint32], k: NDArray[np.uint64], out: NDArray[np.uint32]
) -> None:
    k0, k1, k2, k3, k4, k5 = k[0], k[1], k[2], k[3], k[4], k[5]
    for i in range(len(out)):
        total = k0 + k1 * np.uint64(text[i]) + k2 * np.uint64(text[i + 1]) + k3 * np.uint64(text[i + 2])
        total += k4 * np.uint64(text[i + 3]) + k5 * np.uint64(text[i + 4])
        out[i] = _mixed(np.uint32(total >> np.uint64(32)))


@kernel
def fmix32(values: NDArray[np.uint32]) -> NDArray[np.uint32]:  # pragma: no cover
    """The finalizer of MurmurHash3, a bijection of 32 bits after which any bits are as good as any others."""
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = _mixed(values[i])
    return out


@kernel
def _mixed(h: np.uint32) -> np.uint32:  # pragma: no cover
    # Each step is cut to 32 bits, else numba widens it to 64.
    h = np.uint32(h ^ np.uint32(h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ np.uint32(h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ np.uint32(h >> np.uint32(16)))
