"""A SentencePiece `.model` file, read and extended without loss.

The file is one protocol-buffers message. We read what encoding depends on (pieces and a few settings) and
keep everything else as the bytes that it was, so an extended model carries its base's bytes unchanged.
The wire format needs sixty lines; the protobuf package would bring a second runtime for them, and the
sentencepiece package can read pieces but not write them.

    ModelProto      1 pieces (repeated)   2 trainer_spec   3 normalizer_spec   …
    SentencePiece   1 piece   2 score (float32)   3 type
    TrainerSpec     3 model_type   4 vocab_size   24 treat_whitespace_as_suffix   35 byte_fallback
    NormalizerSpec  2 precompiled_charsmap   3 add_dummy_prefix   4 remove_extra_whitespaces
                    5 escape_whitespaces

Source: sentencepiece, src/sentencepiece_model.proto; protobuf.dev, "Encoding".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from siku_manifests.errors import InputError

TIKTOKEN = re.compile(rb"[A-Za-z0-9+/]+=* \d+\r?\n")
"""A line of a tiktoken file: bytes in base 64, rank. Llama-3's and Qwen's first come as such, under the same name."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
BPE = 2


class Kind(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; its id is its place.

    Attributes:
        text: its characters, U+2581 for a space; `<0x0A>` for a byte piece.
        score: float32; of two possible merges the one with the higher score comes first.
        kind: only NORMAL pieces are made by merging.
    """

    text: str
    score: float
    kind: Kind = Kind.NORMAL


@dataclass(frozen=True)
class Model:
    """A SentencePiece model.

    Attributes:
        pieces: every piece, in order of id.
        algorithm: 1 unigram, 2 BPE, 3 word, 4 character.
        byte_fallback: characters without a piece become byte pieces.
        dummy_prefix: a space is put before the text.
        identity: the text is not rewritten otherwise: no character map, no folding of spaces, spaces
            become U+2581 before words.
        raw: the file.
    """

    pieces: tuple[Piece, ...]
    algorithm: int
    byte_fallback: bool
    dummy_prefix: bool
    identity: bool
    raw: bytes


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _put_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes, bytes]]:
    """Yield (number, value, the field's own bytes) for each field of a message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == VARINT:
            value, at = _varint(data, at)
        else:
            if wire == BYTES:
                size, at = _varint(data, at)
            elif wire in (FIXED32, FIXED64):
                size = 4 if wire == FIXED32 else 8
            else:
                msg = f"wire type {wire}"
                raise ValueError(msg)
            value = data[at : at + size]
            at += size
            if len(value) < size:
                msg = "the last field is cut"
                raise ValueError(msg)
        yield number, value, data[start:at]


def _message(number: int, content: bytes) -> bytes:
    return _put_varint(number << 3 | BYTES) + _put_varint(len(content)) + content


def _read_piece(data: bytes) -> Piece:
    text, score, kind = "", 0.0, Kind.NORMAL
    for number, value, _ in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode()
        elif number == 2 and isinstance(value, bytes):
            score = struct.unpack("<f", value)[0]
        elif number == 3 and isinstance(value, int):
            kind = Kind(value)
    return Piece(text, score, kind)


def _settings(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, value, _ in _fields(data)}


def parse_model(raw: bytes, *, name: str = "the model") -> Model:
    """Read a SentencePiece model.

    Args:
        raw: the file's bytes.
        name: what an error calls it.

    Raises:
        InputError: this is not a SentencePiece model.
    """
    if TIKTOKEN.match(raw):
        msg = f"{name}: a tiktoken file, not a SentencePiece model; give the tokenizer.json of the same base."
        raise InputError(msg)
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    try:
        for number, value, _ in _fields(raw):
            if number == 1 and isinstance(value, bytes):
                pieces.append(_read_piece(value))
            elif number == 2 and isinstance(value, bytes):
                trainer = _settings(value)
            elif number == 3 and isinstance(value, bytes):
                normalizer = _settings(value)
    except (ValueError, IndexError, struct.error) as error:
        msg = f"{name}: not a SentencePiece model ({error}); give the tokenizer.model of a base model."
        raise InputError(msg) from error
    if not pieces:
        msg = f"{name}: not a SentencePiece model (no pieces); give the tokenizer.model of a base model."
        raise InputError(msg)
    return Model(
        pieces=tuple(pieces),
        algorithm=int(trainer.get(3, 1)),
        byte_fallback=bool(trainer.get(35, 0)),
        dummy_prefix=bool(normalizer.get(3, 1)),
        identity=not normalizer.get(2)
        and not normalizer.get(4, 1)
        and bool(normalizer.get(5, 1))
        and not trainer.get(24, 0),
        raw=raw,
    )


def read_model(path: Path) -> Model:
    """Read a `.model` file.

    Raises:
        InputError: it is missing or not a SentencePiece model.
    """
    if not path.is_file():
        msg = f"{path}: missing; give the path of a SentencePiece .model file."
        raise InputError(msg)
    return parse_model(path.read_bytes(), name=str(path))


def extend_model(base: Model, new: Iterable[Piece]) -> Model:
    """Append pieces to a model; every byte of the base's pieces and settings stays, but for vocab_size.

    Args:
        base: the model to extend.
        new: pieces that get the ids from len(base.pieces) on.
    """
    added = list(new)
    old, others = [], []
    for number, value, field in _fields(base.raw):
        if number == 1:
            old.append(field)
        elif number == 2 and isinstance(value, bytes):
            size = _put_varint(4 << 3 | VARINT) + _put_varint(len(base.pieces) + len(added))
            kept = b"".join(part for setting, _, part in _fields(value) if setting != 4)
            others.append(_message(2, kept + size))
        else:
            others.append(field)
    extra = [
        _message(
            1,
            _message(1, piece.text.encode())
            + _put_varint(2 << 3 | FIXED32)
            + struct.pack("<f", piece.score)
            + (b"" if piece.kind is Kind.NORMAL else bytes([3 << 3 | VARINT, piece.kind])),
        )
        for piece in added
    ]
    return parse_model(b"".join(old + extra + others), name="the extended model")
