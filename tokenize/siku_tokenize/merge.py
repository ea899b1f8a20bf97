"""Graft new pieces onto a base vocabulary without touching what the base does.

Base pieces keep their ids, their scores and so their merges among themselves. A new piece holds Han
characters only (or is one character of a Chinese block), so text without such characters has the ids that
it had. New scores lie below every merge of the base, strictly decreasing and different from each other:
equal scores, as the usual merge script gives them, make some pieces impossible to reach and no
tokenizer.json equal to the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from siku_manifests.errors import RecipeError
from siku_tokenize.encode import cut_batches
from siku_tokenize.modelfile import Kind, Model, Piece, extend_model
from siku_tokenize.prune import prune_pieces

# Blocks whose characters occur in Chinese text only, so that English and code keep their ids: radicals and
# CJK punctuation, bopomofo, enclosed and squared CJK, ideographs and their extensions, compatibility and
# full-width forms. Kana and Hangul are not among them.
CHINESE_BLOCKS = (
    (0x2E80, 0x303F),
    (0x3105, 0x312F),
    (0x31A0, 0x31BF),
    (0x3200, 0x33FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFE10, 0xFE1F),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFF65),
    (0xFFE0, 0xFFE6),
    (0x20000, 0x323AF),
)
SPACES_SCORE = -1e8
"""Scores below this belong to runs of spaces, which LLaMA's trainer put after everything else."""


def count_characters(texts: pa.Array) -> dict[str, int]:
    """Count the characters of Chinese blocks, the most frequent first, then by code point."""
    total = np.zeros(0x110000, np.int64)
    for data, offsets in cut_batches(texts):
        text = data[offsets[0] : offsets[-1]].tobytes().decode()
        total += np.bincount(np.frombuffer(text.encode("utf-32-le"), np.uint32), minlength=0x110000)
    chinese = np.zeros(0x110000, np.bool_)
    for first, last in CHINESE_BLOCKS:
        chinese[first : last + 1] = True
    found = np.flatnonzero(chinese & (total > 0))
    ordered = found[np.lexsort((found, -total[found]))]
    return {chr(code_point): int(total[code_point]) for code_point in ordered}


def check_size(base: Model, size: int) -> None:
    """Refuse a size that the base cannot be extended to.

    Raises:
        RecipeError: not a multiple of 64, or not above the base's size.
    """
    if size % 64:
        near = max(64, round(size / 64) * 64)
        msg = f"tokenizer.size = {size} is not a multiple of 64, which GPUs want of an embedding; use {near}."
        raise RecipeError(msg)
    if size <= len(base.pieces):
        msg = f"tokenizer.size = {size} leaves no room above the base's {len(base.pieces)} pieces; give a larger size."
        raise RecipeError(msg)


def order_new(base: Sequence[Piece], merges: Sequence[str], characters: Sequence[str]) -> list[Piece]:
    """Give new pieces scores: merges in their order, then characters; all below the base's, all different."""
    lowest = min(piece.score for piece in base if piece.kind is Kind.NORMAL and piece.score > SPACES_SCORE)
    start = float(np.floor(lowest))
    return [Piece(text, start - 1 - i) for i, text in enumerate([*merges, *characters])]


def covering(counts: Mapping[str, int], share: float) -> list[str]:
    """List the first characters that together stand for a share of all; counts descend.

    Example: ({"的": 6, "山": 3, "龘": 1}, 0.9) -> ["的", "山"]
    """
    reached = np.cumsum([0, *counts.values()])
    return list(counts)[: int(np.searchsorted(reached, share * reached[-1]))]


def merge_vocabulary(
    base: Model, candidates: Sequence[str], texts: pa.Array, *, size: int, coverage: float = 0.0
) -> Model:
    """Extend a base to exactly `size` pieces with those that save most tokens on the sample.

    Args:
        base: a SentencePiece BPE model with byte fallback.
        candidates: from `learn_candidates`, the earliest merge first.
        texts: the sample.
        size: pieces of the result.
        coverage: share of the sample's Chinese characters that are pieces whatever they save; 0 to 1.

    Raises:
        RecipeError: the size is impossible, the sample has too few characters and repeated pairs for it, or
            coverage asks for more characters than there is room.
    """
    check_size(base, size)
    known = {piece.text for piece in base.pieces}
    counts = count_characters(texts)
    characters = [character for character in counts if character not in known]
    possible = known.union(characters)
    merges = [text for text in candidates if text not in known and possible.issuperset(text)]
    guaranteed = set(covering(counts, coverage)) - known
    wanted = size - len(base.pieces)
    if len(guaranteed) > wanted:
        msg = (
            f"tokenizer.character_coverage = {coverage} asks for {len(guaranteed)} new characters, and there is room "
            f"for {wanted} pieces; lower it, or ask for a larger size."
        )
        raise RecipeError(msg)
    new = order_new(base.pieces, merges, characters)
    chosen = prune_pieces(base.pieces, new, texts, keep=wanted, guaranteed=guaranteed)
    if len(chosen) < wanted:
        most = (len(base.pieces) + len(chosen)) // 64 * 64
        msg = f"tokenizer.size = {size}: the sample gives only {len(chosen)} new pieces; add text or ask for {most}."
        raise RecipeError(msg)
    kept = {piece.text for piece in chosen}
    return extend_model(
        base,
        order_new(
            base.pieces,
            [text for text in merges if text in kept],
            [character for character in characters if character in kept],
        ),
    )
