"""The Jaccard similarity of pairs of texts, counted on their sets of shingles; this decides, signatures only propose.

Shingles are compared by a 64-bit hash: for two texts of 10,000 shingles one pair of different shingles passes
for equal with probability 10**-11, and would move the similarity by 10**-4.

Shape legend: C code points, D documents, P pairs.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from siku_dedup.points import Points

_MAX_SLOTS = 1 << 22
"""Table of one text: 48 MB for both of a pair. Texts of more shingles are compared in several passes."""
_COEFFICIENTS = np.random.RandomState(20243).randint(0, 1 << 63, 33, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def jaccard(
    points: Points, left: NDArray[np.int64], right: NDArray[np.int64], *, n: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Exact similarities of P pairs of texts.

    Args:
        points: D texts.
        left: shape (P,), row of the one text; pairs with the same left text side by side save its table.
        right: shape (P,), row of the other.
        n: shape (P,), characters in a shingle.

    Returns:
        Shape (P,): shingles in both over shingles in either; a text shorter than n is one shingle.

    Example:
        "春眠不覺曉", "春眠不觉曉", n=2 -> 2 common of 6 = 0.333…
    """
    out = np.empty(len(left), np.float64)
    if len(left):
        longest = int(np.diff(points.starts).max()) + 1
        slots = min(_MAX_SLOTS, 1 << (2 * longest).bit_length())
        passes = -(-2 * longest // slots)
        fill_jaccard(points.values, points.starts, np.stack([left, right, n], axis=1), (slots, passes), out)
    return out


@numba.njit(nogil=True, cache=True)
def fill_jaccard(  # pragma: no cover
    values: NDArray[np.uint32],
    starts: NDArray[np.int64],
    pairs: NDArray[np.int64],
    sizes: tuple[int, int],
    out: NDArray[np.float64],
) -> None:
    """Kernel of `jaccard`: a table of the left text's shingles and one of the right's, never cleared.

    A slot counts as taken only if its stamp is that of the current filling. In each pass only the shingles of
    one residue class are looked at, so that a text of any length fits the tables.
    """
    slots, passes = sizes
    keys_l, keys_r = np.empty(slots, np.uint64), np.empty(slots, np.uint64)
    stamps_l, stamps_r = np.zeros(slots, np.int64), np.zeros(slots, np.int64)
    distinct_l = 0
    for p in range(len(pairs)):
        left, right, n = pairs[p]
        common, either = 0, 0
        for part in range(passes):
            stamp = p * passes + part + 1
            if p == 0 or passes > 1 or left != pairs[p - 1, 0] or n != pairs[p - 1, 2]:
                stamp_l = stamp
                distinct_l = 0
                text = values[starts[left] : starts[left + 1]]
                for i in range(len(text) - min(n, len(text)) + 1):
                    key = shingle_key(text, i, n)
                    if _residue(key, passes) == part:
                        distinct_l += _insert(keys_l, stamps_l, key, stamp)
            only_right = 0
            text = values[starts[right] : starts[right + 1]]
            for i in range(len(text) - min(n, len(text)) + 1):
                key = shingle_key(text, i, n)
                if _residue(key, passes) == part and _insert(keys_r, stamps_r, key, stamp):
                    shared = _holds(keys_l, stamps_l, key, stamp_l)
                    common += shared
                    only_right += not shared
            either += distinct_l + only_right
        out[p] = common / either


@numba.njit(nogil=True, cache=True)
def shingle_key(text: NDArray[np.uint32], at: int, n: int) -> np.uint64:  # pragma: no cover
    """The hash of the shingle that begins at a character; a text shorter than n is one shingle."""
    total = _COEFFICIENTS[0]
    for j in range(min(n, len(text))):
        total += _COEFFICIENTS[j + 1] * np.uint64(text[at + j])
    total ^= total >> np.uint64(32)
    total *= np.uint64(0xD6E8FEB86659FD93)
    return np.uint64(total ^ (total >> np.uint64(32)))


@numba.njit(nogil=True, cache=True)
def _residue(key: np.uint64, passes: int) -> int:  # pragma: no cover
    """Which pass looks at a shingle; by bits that do not choose its slot."""
    return 0 if passes == 1 else int((key >> np.uint64(40)) % np.uint64(passes))


@numba.njit(nogil=True, cache=True)
def _insert(  # pragma: no cover
    keys: NDArray[np.uint64], stamps: NDArray[np.int64], key: np.uint64, stamp: int
) -> bool:
    """Put a key into the table; false if it was there."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return False
        slot = (slot + np.uint64(1)) & mask
    keys[slot] = key
    stamps[slot] = stamp
    return True


@numba.njit(nogil=True, cache=True)
def _holds(  # pragma: no cover
    keys: NDArray[np.uint64], stamps: NDArray[np.int64], key: np.uint64, stamp: int
) -> bool:
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return True
        slot = (slot + np.uint64(1)) & mask
    return False
