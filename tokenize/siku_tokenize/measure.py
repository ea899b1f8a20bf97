"""How well a vocabulary compresses: tokens for the same text before and after, on documents it never saw."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from siku_tokenize.encode import Encoder
from siku_tokenize.modelfile import Kind, Model
from siku_tokenize.tables import SPACE


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """Two vocabularies on the same text; sums over documents."""

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    before: int = 0
    """Tokens with the base vocabulary."""
    after: int = 0
    """Tokens with the extended one."""
    before_bytes: int = 0
    """Byte tokens among them."""
    after_bytes: int = 0

    def __add__(self, other: Measure) -> Measure:
        return Measure(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    @property
    def change(self) -> float:
        """Share of tokens saved, negative: -0.54 means 54 % fewer."""
        return self.after / self.before - 1 if self.before else 0.0

    @property
    def per_character(self) -> tuple[float, float]:
        """Tokens per character, before and after."""
        return self.before / max(1, self.characters), self.after / max(1, self.characters)


class Ruler:
    """Measures texts with a base model and its extension.

    Args:
        base: the base model.
        extended: the model to compare.
    """

    def __init__(self, base: Model, extended: Model) -> None:
        self._sides = [(Encoder(model), byte_pieces(model)) for model in (base, extended)]

    def measure(self, batches: Iterable[pa.Array]) -> Measure:
        """Measure arrays of texts."""
        return sum((self._measure(texts) for texts in batches), Measure())

    def _measure(self, texts: pa.Array) -> Measure:
        ids = [(encoder.encode_batch(texts)[0], is_byte) for encoder, is_byte in self._sides]
        (before, before_bytes), (after, after_bytes) = [(len(i), int(is_byte[i].sum())) for i, is_byte in ids]
        return Measure(
            documents=len(texts),
            characters=pc.sum(pc.utf8_length(texts)).as_py() or 0,
            bytes=pc.sum(pc.cast(pc.binary_length(texts), pa.int64())).as_py() or 0,
            before=before,
            after=after,
            before_bytes=before_bytes,
            after_bytes=after_bytes,
        )


def byte_pieces(model: Model) -> NDArray[np.bool_]:
    """Mark the byte pieces; shape (vocabulary,)."""
    return np.array([piece.kind is Kind.BYTE for piece in model.pieces])


def show_segments(encoder: Encoder, model: Model, text: str) -> str:
    """Write a text with a bar between its tokens; byte tokens as hexadecimal.

    Example: "白日依山" -> "白日│依│山", or "白│日│E4│BE│9D│山" where 依 is no piece
    """
    pieces = [model.pieces[i] for i in encoder.encode(text)]
    shown = [piece.text[3:5] if piece.kind is Kind.BYTE else piece.text.replace(SPACE, " ") for piece in pieces]
    return "│".join(shown).strip(" │")
