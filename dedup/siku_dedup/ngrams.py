"""Hashes of character n-grams as bytes of UTF-8, as datasketch's users make them: SHA-1 and XXH32.

Both hashes are a long chain of dependent steps, so speed comes from taking many shingles abreast. Where all
characters have three bytes, which is nearly everywhere, the message words of shingle i are a few shifts of the
encoded characters i … i + n - 1, and every step becomes vector code over neighbouring shingles. Elsewhere a shingle
is encoded and hashed alone, by the same steps.

Shape legend: C code points, D documents, S shingles, W message words.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from siku_dedup.points import Points
from siku_dedup.sha1 import LANES, fill_sha1
from siku_dedup.shingles import Shingles, shingle_starts
from siku_manifests.errors import InputError
from siku_manifests.kernels import kernel

HashName = Literal["sha1", "xxh32"]
MAX_N = 13
"""13 characters of four bytes and SHA-1's padding fit one block of 64 bytes."""
_SHA1, _XXH32 = 0, 1
_P1, _P2, _P3 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
_P4, _P5 = np.uint32(0x27D4EB2F), np.uint32(0x165667B1)


def hash_ngrams(points: Points, *, n: int, name: HashName) -> Shingles:
    """Hash the UTF-8 bytes of each run of n characters of each text.

    Args:
        points: D texts.
        n: characters in a shingle, 1 … 13; a text shorter than n is one shingle.
        name: `sha1` (its first four bytes, little-endian) or `xxh32` (seed 0).

    Raises:
        InputError: n is out of range.
    """
    if not 1 <= n <= MAX_N:
        msg = f"n = {n}: the datasketch scheme hashes 1 to {MAX_N} characters; take scheme fss1 for more."
        raise InputError(msg)
    starts = shingle_starts(points, n=n)
    hashes = np.empty(starts[-1], np.uint32)
    kind = _SHA1 if name == "sha1" else _XXH32
    fill_ngrams(points.values, points.starts, n, kind, hashes)
    return Shingles(hashes, starts)


@kernel
def fill_ngrams(  # pragma: no cover
    values: NDArray[np.uint32], starts: NDArray[np.int64], n: int, kind: int, hashes: NDArray[np.uint32]
) -> None:
    """Kernel of `hash_ngrams`: stretches of three-byte characters abreast, what lies between one by one."""
    words = np.empty((17, LANES), np.uint32)
    encoded = np.empty(LANES + MAX_N, np.uint32)
    out = 0
    for doc in range(len(starts) - 1):
        text = values[starts[doc] : starts[doc + 1]]
        width = min(n, len(text))
        count = len(text) - width + 1
        at = 0
        while at < count:
            run = 0
            while run < LANES + width - 1 and at + run < len(text) and 0x800 <= text[at + run] < 0x10000:
                run += 1
            size = run - width + 1
            if size > 0 and width > 0:
                _three_byte_words(text[at : at + run], width, encoded, words, size)
            else:
                size = 1
                _any_words(text[at : at + width], words)
            bytes_ = 3 * width if run >= width else _utf8_size(text[at : at + width])
            if kind == _SHA1:
                fill_sha1(words, bytes_, hashes[out : out + size])
            else:
                _xxh32(words, bytes_, hashes[out : out + size])
            out += size
            at += size


@kernel
def _utf8_size(text: NDArray[np.uint32]) -> int:  # pragma: no cover
    size = 0
    for point in text:
        size += 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
    return size


@kernel
def _three_byte_words(  # pragma: no cover
    text: NDArray[np.uint32], width: int, encoded: NDArray[np.uint32], words: NDArray[np.uint32], count: int
) -> None:
    """Message words (W, count), little-endian, of shingles whose characters all have three bytes."""
    for i in range(len(text)):
        c = text[i]
        encoded[i] = (
            np.uint32(0x8080E0)
            | np.uint32(c >> np.uint32(12))
            | np.uint32(np.uint32(c << np.uint32(2)) & np.uint32(0x3F00))
            | np.uint32(np.uint32(c & np.uint32(0x3F)) << np.uint32(16))
        )
    for w in range(16):
        char, skipped = (4 * w) // 3, (4 * w) % 3
        out = words[w, :count]
        if char >= width:
            out[:] = np.uint32(0)
            continue
        down, up = np.uint32(8 * skipped), np.uint32(24 - 8 * skipped)
        left = encoded[char : char + count]
        if char + 1 < width:
            right = encoded[char + 1 : char + 1 + count]
            for i in range(count):
                out[i] = np.uint32(left[i] >> down) | np.uint32(right[i] << up)
        else:
            for i in range(count):
                out[i] = np.uint32(left[i] >> down)


@kernel
def _any_words(text: NDArray[np.uint32], words: NDArray[np.uint32]) -> None:  # pragma: no cover
    """Message words (W, first column), little-endian, of one shingle."""
    words[:16, 0] = np.uint32(0)
    at = 0
    for c in text:
        size = 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000)
        for k in range(size):
            byte = np.uint32(c >> np.uint32(6 * (size - 1 - k)))
            if size > 1:
                byte = np.uint32(byte & np.uint32(0x3F)) | np.uint32(0x80)
                if k == 0:
                    byte = np.uint32(c >> np.uint32(6 * (size - 1))) | np.uint32(np.uint32(0xF00) >> np.uint32(size))
            byte = np.uint32(byte & np.uint32(0xFF))
            words[at >> 2, 0] |= np.uint32(byte << np.uint32(8 * (at & 3)))
            at += 1


@kernel
def _rotl(x: np.uint32, by: int) -> np.uint32:  # pragma: no cover
    return np.uint32(np.uint32(x << np.uint32(by)) | np.uint32(x >> np.uint32(32 - by)))


@kernel
def _xxh32(words: NDArray[np.uint32], size: int, hashes: NDArray[np.uint32]) -> None:  # pragma: no cover
    """XXH32 with seed 0 of messages of one size. Source: xxHash, doc/xxhash_spec.md."""
    count = len(hashes)
    word = 0
    hashes[:] = np.uint32(_P5 + np.uint32(size))
    if size >= 16:
        _xxh32_stripes(words, size, hashes)
        word = 4 * (size >> 4)
    while 4 * word + 4 <= size:
        source = words[word, :count]
        for i in range(count):
            hashes[i] = np.uint32(_rotl(np.uint32(hashes[i] + np.uint32(source[i] * _P3)), 17) * _P4)
        word += 1
    for byte in range(4 * word, size):
        source = words[word, :count]
        down = np.uint32(8 * (byte & 3))
        for i in range(count):
            b = np.uint32(np.uint32(source[i] >> down) & np.uint32(0xFF))
            hashes[i] = np.uint32(_rotl(np.uint32(hashes[i] + np.uint32(b * _P5)), 11) * _P1)
    for i in range(count):
        h = hashes[i]
        h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(15))) * _P2)
        h = np.uint32(np.uint32(h ^ np.uint32(h >> np.uint32(13))) * _P3)
        hashes[i] = np.uint32(h ^ np.uint32(h >> np.uint32(16)))


@kernel
def _xxh32_stripes(words: NDArray[np.uint32], size: int, hashes: NDArray[np.uint32]) -> None:  # pragma: no cover
    """The four accumulators over stripes of sixteen bytes; the last row of `words` holds the sums."""
    count = len(hashes)
    sums = words[16, :count]
    hashes[:] = np.uint32(size)
    for lane in range(4):
        sums[:] = (np.uint32(_P1 + _P2), _P2, np.uint32(0), np.uint32(np.uint32(0) - _P1))[lane]
        for stripe in range(size >> 4):
            source = words[4 * stripe + lane, :count]
            for i in range(count):
                sums[i] = np.uint32(_rotl(np.uint32(sums[i] + np.uint32(source[i] * _P2)), 13) * _P1)
        turn = (1, 7, 12, 18)[lane]
        for i in range(count):
            hashes[i] = np.uint32(hashes[i] + _rotl(sums[i], turn))
