"""Generated text on which an encoder is tried against sentencepiece: hostile text, and pieces side by side.

Hostile text has what tokenizers stumble over: mixed scripts, runs of one character, controls, the literal text of
control pieces, characters without a piece. Pieces in chance order make every neighbourhood that a vocabulary has
merges for, most of which no corpus shows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siku_tokenize.modelfile import Kind, Model
from siku_tokenize.tables import SPACE

if TYPE_CHECKING:
    from siku_tokenize.encode import Encoder

HOSTILE = (
    *"的一是不了人在有中国，。、《》「」…—·\u3000 ",
    *"aez019.,<>/\\_\t\n\r\0\x7f\xa0\xad\u200b\u200d\u2028\ufeff\ufffd\ue000",
    *"龘靐齉𠀀𪚥😀👩🏽é\u0301ßжاか가",
    *("  ", "    ", SPACE, "<s>", "</s>", "<unk>", "<0x0A>", "aaaaaaaaaaaaaaaaaaaaaaaa", "中国" * 20),
)
LOAD_LINES = 1_000
"""Of each kind, when an encoder is opened that comes without a proof: a fifth of a second, most of it for opening
sentencepiece."""
PIECES_IN_LINE = 12


def hostile_lines(count: int, *, seed: int) -> list[str]:
    """Generate text that tokenizers stumble over."""
    chance = random.Random(seed)
    return ["".join(chance.choices(HOSTILE, k=chance.randrange(40))) for _ in range(count)]


def piece_lines(model: Model, count: int, *, seed: int) -> list[str]:
    """Generate text from a model's own pieces and their halves, side by side."""
    chance = random.Random(seed)
    texts = [piece.text.replace(SPACE, " ") for piece in model.pieces if piece.kind is Kind.NORMAL]
    if not texts:
        return []

    def part() -> str:
        text = chance.choice(texts)
        return text if chance.random() < 0.5 else text[: chance.randrange(1, len(text) + 1)]

    return ["".join(part() for _ in range(chance.randrange(1, PIECES_IN_LINE))) for _ in range(count)]


def differences(encoder: Encoder, lines: Sequence[str], expected: Sequence[list[int]]) -> list[str]:
    """List the lines to which an encoder gives other ids than expected."""
    ids, lengths = encoder.encode_batch(lines)
    found = np.split(ids, np.cumsum(lengths))[:-1]
    return [line for line, got, want in zip(lines, found, expected, strict=True) if got.tolist() != want]
