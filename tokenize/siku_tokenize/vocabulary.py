"""A tokenizer opened for use and for looking into, whatever it is kept as.

    vocabulary = open_vocabulary(Path("build/sample/tokenizer-1f0c9a2b"))
    vocabulary.encoder.encode("明月") ; vocabulary.spelled[29589] -> "明".encode()

A folder made by `siku tokenizer` and a base model's own folder are read alike: `tokenizer.model` if there is
one, since SentencePiece is the reference of what has it, else `tokenizer.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.errors import InputError
from siku_tokenize.encode import MODEL_FILE, Encoder
from siku_tokenize.modelfile import Kind, Model, read_model
from siku_tokenize.native import NativeEncoder, read_native
from siku_tokenize.tables import SPACE

JSON_FILE = "tokenizer.json"
TEXTLESS = (Kind.UNKNOWN, Kind.CONTROL, Kind.UNUSED)


class TextEncoder(Protocol):
    """What `Encoder` and `NativeEncoder` have in common."""

    vocabulary_size: int
    dtype: np.dtype[Any]
    bos: int
    eos: int

    @property
    def reason(self) -> str:
        """Why our own encoder does not do the work, "" if it does."""

    def encode(self, text: str) -> list[int]:
        """Give the ids of one text."""

    def encode_batch(self, texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Give the ids of many texts side by side, and how many each has."""


@dataclass(frozen=True)
class Vocabulary:
    """An opened tokenizer.

    Attributes:
        name: what people call it.
        encoder: text to ids.
        spelled: UTF-8 bytes that each id stands for; none for control pieces and ids without a meaning.
        kinds: int8 (vocabulary,), a `Kind` of each id; BYTE for what is less than a character.
        prefixed: a space is put before a text.
        model: where it is a SentencePiece model, that.
    """

    name: str
    encoder: TextEncoder
    spelled: tuple[bytes, ...]
    kinds: NDArray[np.int8]
    prefixed: bool
    model: Model | None = None

    def __len__(self) -> int:
        """Ids, those without a meaning included."""
        return len(self.spelled)


def of_model(model: Model, *, name: str = "the model", encoder: Encoder | None = None) -> Vocabulary:
    """Give a SentencePiece model as a vocabulary, with the encoder that has been opened for it if there is one."""
    spelled = tuple(piece_bytes(piece.text, piece.kind) for piece in model.pieces)
    kinds = np.array([piece.kind for piece in model.pieces], np.int8)
    return Vocabulary(name, encoder or Encoder(model), spelled, kinds, model.dummy_prefix, model)


def of_native(encoder: NativeEncoder, *, name: str) -> Vocabulary:
    """Give a tokenizer.json as a vocabulary."""
    first = encoder.encode("a")[:1]
    prefixed = b"".join(encoder.spelled[i] for i in first).startswith(b" ")
    return Vocabulary(name, encoder, encoder.spelled, encoder.kinds, prefixed)


def piece_bytes(text: str, kind: Kind) -> bytes:
    r"""Give the UTF-8 bytes that a SentencePiece piece stands for.

    Example: ("</s>", CONTROL) -> b""; ("<0xE4>", BYTE) -> b"\xe4"; ("\u2581the", NORMAL) -> b" the"
    """
    if kind is Kind.BYTE:
        return bytes([int(text[3:5], 16)])
    return b"" if kind in TEXTLESS else text.replace(SPACE, " ").encode()


def open_vocabulary(path: Path, *, name: str = "", eos: str = "") -> Vocabulary:
    """Open a tokenizer.

    Args:
        path: a SentencePiece `.model` file, a tokenizer.json, or a folder with one of them.
        name: for people; the path by default.
        eos: the token that ends a document, where a tokenizer.json does not say.

    Raises:
        InputError: it is missing, damaged or of a kind that is not read.
    """
    name = name or str(path)
    if path.is_dir():
        inside = [path / file for file in (MODEL_FILE, JSON_FILE) if (path / file).is_file()]
        if not inside:
            msg = f"{path}: holds neither {MODEL_FILE} nor {JSON_FILE}; give a tokenizer's folder or file."
            raise InputError(msg)
        path = inside[0]
    if path.suffix == ".json":
        return of_native(read_native(path, eos=eos), name=name)
    return of_model(read_model(path), name=name, encoder=Encoder.load(path))
