"""Scheme `fss1`: a MinHash signature that reads a long text once, whatever the number of permutations.

A shingle's 32-bit hash h chooses one of K bins by its top log2 K bits; the rest is its value, and a bin keeps
the smallest. That is one update a shingle instead of K. A bin that stays empty takes the minimum over all
shingles of a·h + b mod 2**32, a and b its own, with the top bit set so that the two kinds never agree by chance.

Each bin is then an unbiased vote for the Jaccard similarity J of two texts: if a shingle of either fell into
it, the smallest one is common with probability J (and where only one text has any, the kinds differ); if none
did, it is an ordinary MinHash, common with probability J. Votes of bins are slightly negatively correlated,
so the error is below sqrt(J(1 - J)/K). Kin: Dahlgaard, Knudsen, Thorup, Fast similarity sketching, 2017.

Shape legend: D documents, K bins, S shingles.
"""

import numpy as np
from numpy.typing import NDArray

from siku_dedup.minima import NONE, fill_minima
from siku_dedup.shingles import Shingles
from siku_manifests.kernels import kernel

VERSION = 1
"""Changes when a signature's values do; stored with every signature."""
_MARK = np.uint32(0x80000000)
_RANDOM = np.random.RandomState(20241)
_A = _RANDOM.randint(0, 1 << 31, 1024, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_B = _RANDOM.randint(0, 1 << 32, 1024, dtype=np.uint32)


def sign(shingles: Shingles, *, permutations: int) -> NDArray[np.uint32]:
    """Signatures of D texts.

    Args:
        shingles: of D texts.
        permutations: K, a power of two, 16 … 1024.

    Returns:
        Shape (D, K).
    """
    signatures = np.empty((len(shingles.starts) - 1, permutations), np.uint32)
    fill_bins(shingles.hashes, shingles.starts, signatures)
    fill_minima(shingles.hashes, shingles.starts, (_A[:permutations], _B[:permutations]), _MARK, signatures)
    return signatures


@kernel
def fill_bins(  # pragma: no cover
    hashes: NDArray[np.uint32], starts: NDArray[np.int64], signatures: NDArray[np.uint32]
) -> None:
    """The smallest value in each bin, `NONE` where there is none."""
    bins = signatures.shape[1]
    bits = 0
    while (1 << bits) < bins:
        bits += 1
    shift = np.uint32(32 - bits)
    value_mask = np.uint32((1 << (32 - bits)) - 1)
    for doc in range(len(starts) - 1):
        row = signatures[doc]
        for k in range(bins):
            row[k] = NONE
        # A slice, since numba tests an index that begins at a variable for being negative.
        text_hashes = hashes[starts[doc] : starts[doc + 1]]
        for i in range(len(text_hashes)):
            # The bin's number is part of the hash, so comparing whole hashes compares values. No branch: one
            # that is mispredicted costs more than the store.
            h = text_hashes[i]
            place = np.uint64(h >> shift)
            row[place] = min(row[place], h)
        for k in range(bins):
            # A hash of all ones looks like an empty bin and is treated as one, in every text alike.
            row[k] = NONE if row[k] == NONE else np.uint32(row[k] & value_mask)
