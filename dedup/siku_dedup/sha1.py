"""SHA-1 of many short messages abreast.

The 80 rounds are written out so that a message's state and sixteen words live in registers and the loop over messages
is the innermost one: LLVM then makes each step a vector instruction for sixteen messages. A loop over rounds keeps
them in memory, thirteen times as slow.

Source: FIPS 180-4, section 6.1. Shape legend: W message words, M messages.
"""

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

LANES = 256
"""Messages for which there is room; a constant, so that LLVM knows that rows do not overlap."""
_H0, _H1, _H2 = np.uint32(0x67452301), np.uint32(0xEFCDAB89), np.uint32(0x98BADCFE)
_H3, _H4 = np.uint32(0x10325476), np.uint32(0xC3D2E1F0)

Four = tuple[np.uint32, np.uint32, np.uint32, np.uint32]
State = tuple[np.uint32, np.uint32, np.uint32, np.uint32, np.uint32]


@kernel
def fill_sha1(words: NDArray[np.uint32], size: int, hashes: NDArray[np.uint32]) -> None:  # pragma: no cover
    """The first word of each digest, read little-endian.

    Args:
        words: shape (W, `LANES`), message words read little-endian, one message a column, zero behind the message.
        size: bytes of each message, at most 55.
        hashes: out, shape (M,), for the first messages.
    """
    m = words.reshape(-1)
    for i in range(len(hashes)):
        m[(size >> 2) * LANES + i] |= np.uint32(np.uint32(0x80) << np.uint32(8 * (size & 3)))
    length = np.uint32(8 * size)
    for i in range(len(hashes)):
        w = (_row(m, 0, i), _row(m, 4, i), _row(m, 8, i), _row(m, 12, i))
        w = (w[0], w[1], w[2], (w[3][0], w[3][1], w[3][2], length))
        s = (_H0, _H1, _H2, _H3, _H4)
        s = _four(0, _four(0, _four(0, _four(0, s, w[0]), w[1]), w[2]), w[3])
        w = _next_words(w)
        s = _four(1, _four(1, _four(1, _four(0, s, w[0]), w[1]), w[2]), w[3])
        w = _next_words(w)
        s = _four(2, _four(2, _four(1, _four(1, s, w[0]), w[1]), w[2]), w[3])
        w = _next_words(w)
        s = _four(3, _four(2, _four(2, _four(2, s, w[0]), w[1]), w[2]), w[3])
        w = _next_words(w)
        s = _four(3, _four(3, _four(3, _four(3, s, w[0]), w[1]), w[2]), w[3])
        hashes[i] = _swapped(np.uint32(s[0] + _H0))


@kernel
def _row(m: NDArray[np.uint32], first: int, i: int) -> Four:  # pragma: no cover
    """Four words of message i, read big-endian."""
    at = first * LANES + i
    return _swapped(m[at]), _swapped(m[at + LANES]), _swapped(m[at + 2 * LANES]), _swapped(m[at + 3 * LANES])


@kernel
def _four(kind: int, state: State, w: Four) -> State:  # pragma: no cover
    """Four rounds of one kind; the words of the state change roles instead of places."""
    a, b, c, d, e = state
    e = np.uint32(np.uint32(np.uint32(_rotl(a, 5) + _mixed(kind, b, c, d)) + e) + w[0])
    b = _rotl(b, 30)
    d = np.uint32(np.uint32(np.uint32(_rotl(e, 5) + _mixed(kind, a, b, c)) + d) + w[1])
    a = _rotl(a, 30)
    c = np.uint32(np.uint32(np.uint32(_rotl(d, 5) + _mixed(kind, e, a, b)) + c) + w[2])
    e = _rotl(e, 30)
    b = np.uint32(np.uint32(np.uint32(_rotl(c, 5) + _mixed(kind, d, e, a)) + b) + w[3])
    d = _rotl(d, 30)
    return b, c, d, e, a


@kernel
def _mixed(kind: int, b: np.uint32, c: np.uint32, d: np.uint32) -> np.uint32:  # pragma: no cover
    """The function of the rounds of a kind, and their constant."""
    if kind == 0:
        return np.uint32(np.uint32(d ^ np.uint32(b & np.uint32(c ^ d))) + np.uint32(0x5A827999))
    if kind == 1:
        return np.uint32(np.uint32(b ^ np.uint32(c ^ d)) + np.uint32(0x6ED9EBA1))
    if kind == 2:
        return np.uint32(np.uint32(np.uint32(b & c) | np.uint32(d & np.uint32(b | c))) + np.uint32(0x8F1BBCDC))
    return np.uint32(np.uint32(b ^ np.uint32(c ^ d)) + np.uint32(0xCA62C1D6))


@kernel
def _next_words(w: tuple[Four, Four, Four, Four]) -> tuple[Four, Four, Four, Four]:  # pragma: no cover
    """The next sixteen words of the schedule, each from those 3, 8, 14 and 16 before it."""
    (w0, w1, w2, w3), (w4, w5, w6, w7), (w8, w9, wa, wb), (wc, wd, we, wf) = w
    w0, w1, w2 = _word(wd, w8, w2, w0), _word(we, w9, w3, w1), _word(wf, wa, w4, w2)
    w3, w4, w5 = _word(w0, wb, w5, w3), _word(w1, wc, w6, w4), _word(w2, wd, w7, w5)
    w6, w7, w8 = _word(w3, we, w8, w6), _word(w4, wf, w9, w7), _word(w5, w0, wa, w8)
    w9, wa, wb = _word(w6, w1, wb, w9), _word(w7, w2, wc, wa), _word(w8, w3, wd, wb)
    wc, wd, we = _word(w9, w4, we, wc), _word(wa, w5, wf, wd), _word(wb, w6, w0, we)
    wf = _word(wc, w7, w1, wf)
    return (w0, w1, w2, w3), (w4, w5, w6, w7), (w8, w9, wa, wb), (wc, wd, we, wf)


@kernel
def _word(a: np.uint32, b: np.uint32, c: np.uint32, d: np.uint32) -> np.uint32:  # pragma: no cover
    return np.uint32(_rotl(np.uint32(np.uint32(a ^ b) ^ np.uint32(c ^ d)), 1))


@kernel
def _rotl(x: np.uint32, by: int) -> np.uint32:  # pragma: no cover
    return np.uint32(np.uint32(x << np.uint32(by)) | np.uint32(x >> np.uint32(32 - by)))


@kernel
def _swapped(x: np.uint32) -> np.uint32:  # pragma: no cover
    """The four bytes in the other order."""
    return np.uint32(
        np.uint32(x >> np.uint32(24))
        | np.uint32(np.uint32(x >> np.uint32(8)) & np.uint32(0xFF00))
        | np.uint32(np.uint32(x << np.uint32(8)) & np.uint32(0xFF0000))
        | np.uint32(x << np.uint32(24))
    )
