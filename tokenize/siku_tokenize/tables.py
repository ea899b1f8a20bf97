"""The lookup tables of the encoder, built from the pieces of a SentencePiece BPE model.

A symbol is what merging works on: every piece is one (its symbol is its id), and so is every character that
occurs inside a piece without being a piece itself (symbols from the vocabulary size on). Characters in no
piece at all have symbol -1: nothing merges with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel
from siku_tokenize.modelfile import BPE, Kind, Model, Piece

SPACE = "\u2581"
CODE_POINTS = 0x110000
SYMBOL_BITS = 21  # three symbols share one 64-bit slot of the pair table
EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
MIX = np.uint64(0x9E3779B97F4A7C15)
JOINT_BITS = 21  # 256 KiB stay in the second-level cache; 2 % false joints cost time, never correctness


class Tables(NamedTuple):
    """What the kernels read; arrays only, so that compiled code takes it as it is.

    Attributes:
        symbols: int32 (0x110000,), the symbol of each code point, -1 for none.
        joints: uint64 bitset of 2**21 bits: the hash of a character pair is set when the two stand side by
            side in some piece. A pair whose bit is not set is a border that no merge crosses.
        pairs: uint64 (a power of two,), open addressing: left << 42 | right << 21 | merged, EMPTY for none.
        ranks: int32 (symbols,), the order of merges: the smallest comes first, equal scores share a rank.
        byte_ids: int32 (256,), the piece of each byte.
        inner: int32, the code point of symbol `vocabulary + i`.
        vocabulary: number of pieces.
        prefix: code point put before the text, or -1.
    """

    symbols: NDArray[np.int32]
    joints: NDArray[np.uint64]
    pairs: NDArray[np.uint64]
    ranks: NDArray[np.int32]
    byte_ids: NDArray[np.int32]
    inner: NDArray[np.int32]
    vocabulary: int
    prefix: int


@kernel(inline="always")
def joint_bit(left: int, right: int) -> np.int64:
    """Hash two neighbouring code points to a bit of the joint bitset."""
    mixed = (np.uint64(left) * np.uint64(2654435761) + np.uint64(right)) * MIX
    return np.int64(mixed >> np.uint64(64 - JOINT_BITS))


@kernel
def fill_joints(code_points: NDArray[np.int32], starts: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Set the bit of each pair of neighbours; `starts` marks the first character of each piece."""
    joints = np.zeros(1 << (JOINT_BITS - 6), np.uint64)
    for i in range(1, len(code_points)):
        if not starts[i]:
            bit = joint_bit(code_points[i - 1], code_points[i])
            joints[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    return joints


@kernel(inline="always")
def is_joint(joints: NDArray[np.uint64], left: int, right: int) -> bool:
    """Ask whether two characters may stand side by side in a piece; False is certain."""
    bit = joint_bit(left, right)
    return bool((joints[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1))


@kernel
def fill_pairs(merges: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Build the pair table from rows (left, right, merged); at most half of it is used."""
    size = 1024
    while size < 2 * len(merges):
        size *= 2
    pairs = np.full(size, EMPTY)
    for row in range(len(merges)):
        key = np.uint64(merges[row, 0]) << np.uint64(SYMBOL_BITS) | np.uint64(merges[row, 1])
        at = np.int64((key * MIX) >> np.uint64(32)) & (size - 1)
        while pairs[at] != EMPTY:
            at = (at + 1) & (size - 1)
        pairs[at] = key << np.uint64(SYMBOL_BITS) | np.uint64(merges[row, 2])
    return pairs


@kernel
def find_pair(pairs: NDArray[np.uint64], left: int, right: int) -> np.int64:
    """Give the symbol that `left` and `right` merge into, -1 for none."""
    key = np.uint64(left) << np.uint64(SYMBOL_BITS) | np.uint64(right)
    mask = len(pairs) - 1
    at = np.int64((key * MIX) >> np.uint64(32)) & mask
    while True:
        slot = pairs[at]
        if slot == EMPTY:
            return np.int64(-1)
        if slot >> np.uint64(SYMBOL_BITS) == key:
            return np.int64(slot & np.uint64((1 << SYMBOL_BITS) - 1))
        at = (at + 1) & mask


def list_merges(texts: Iterable[tuple[int, str]], symbols: dict[str, int]) -> list[tuple[int, int, int]]:
    """List (left, right, merged) for every way in which a piece falls into two symbols.

    Args:
        texts: (symbol, text) of each piece that merging may make.
        symbols: text -> symbol, of pieces and inner characters.
    """
    merges = []
    for merged, text in texts:
        for cut in range(1, len(text)):
            left = symbols.get(text[:cut])
            right = symbols.get(text[cut:])
            if left is not None and right is not None:
                merges.append((left, right, merged))
    return merges


def rank_scores(scores: Sequence[float]) -> NDArray[np.int32]:
    """Rank scores from the highest, 0, down; equal scores share a rank.

    Example: [-2.0, 0.0, -2.0] -> [1, 0, 1]
    """
    values = np.array(scores, np.float32)
    return np.unique(-values, return_inverse=True)[1].astype(np.int32).reshape(-1)


def why_not_exact(model: Model) -> str:
    """Say what keeps our encoder from being exact for this model; "" if nothing does."""
    kinds = {piece.kind for piece in model.pieces}
    if model.algorithm != BPE:
        return "it is not a BPE model"
    if not model.identity:
        return "its normalizer rewrites text"
    if not model.byte_fallback or sum(piece.kind is Kind.BYTE for piece in model.pieces) != 256:
        return "it has no complete byte fallback"
    if kinds & {Kind.USER_DEFINED, Kind.UNUSED}:
        return "it has user-defined or unused pieces"
    if len(model.pieces) >= 1 << (SYMBOL_BITS - 1):
        return f"it has more than {(1 << (SYMBOL_BITS - 1)) - 1} pieces"
    return ""


def build_tables(pieces: Sequence[Piece], *, dummy_prefix: bool) -> Tables:
    """Build the encoder's tables.

    Args:
        pieces: every piece in order of id; the 256 byte pieces among them.
        dummy_prefix: a space is put before the text.
    """
    normal = [(i, piece.text) for i, piece in enumerate(pieces) if piece.kind is Kind.NORMAL]
    symbols = {text: i for i, text in normal}
    inner = sorted({character for _, text in normal for character in text} - symbols.keys())
    symbols |= {character: len(pieces) + i for i, character in enumerate(inner)}
    long = [(i, text) for i, text in normal if len(text) > 1]
    merges = np.array(list_merges(long, symbols) or np.empty((0, 3)), np.int32)
    joined = "".join(text for _, text in long)
    starts = np.zeros(len(joined) + 1, np.bool_)
    starts[np.cumsum([0, *(len(text) for _, text in long)])] = True
    by_code_point = np.full(CODE_POINTS, -1, np.int32)
    for text, symbol in symbols.items():
        if len(text) == 1:
            by_code_point[ord(text)] = symbol
    byte_ids = np.zeros(256, np.int32)
    for i, piece in enumerate(pieces):
        if piece.kind is Kind.BYTE:
            byte_ids[int(piece.text[3:5], 16)] = i
    return Tables(
        symbols=by_code_point,
        joints=fill_joints(np.frombuffer(joined.encode("utf-32-le"), np.int32), starts),
        pairs=fill_pairs(merges.reshape(-1, 3)),
        ranks=rank_scores([piece.score for piece in pieces]),
        byte_ids=byte_ids,
        inner=np.array([ord(character) for character in inner], np.int32),
        vocabulary=len(pieces),
        prefix=ord(SPACE) if dummy_prefix else -1,
    )
