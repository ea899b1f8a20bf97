"""The vocabularies that are compared: the base, the one to beat, ours and the plain merge of the same candidates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.sections import Tokenizer
from siku_tokenize.build import CANDIDATE_FACTOR
from siku_tokenize.encode import Encoder
from siku_tokenize.learn import learn_candidates
from siku_tokenize.merge import count_characters, merge_vocabulary, order_new
from siku_tokenize.modelfile import Kind, Model, extend_model, parse_model
from siku_tokenize.prove import Proof, prove_ids, prove_vocabulary

BASE_PIECES = 32_000
PIECE_TAG = 0x0A
SEED = 20_250_101


class Vocabularies(NamedTuple):
    """All of one size but the base."""

    base: Model
    peer: Model
    ours: Model
    plain: Model


def first_pieces(path: Path, count: int) -> Model:
    """Cut a model file after its first pieces; LLaMA-2's vocabulary is the beginning of the peer's.

    A piece is a field with the tag 0x0A, a size of one or two bytes, and its content.
    """
    raw, at, ends = path.read_bytes(), 0, [0]
    while raw[at] == PIECE_TAG:
        size, head = raw[at + 1], 2
        if size >= 0x80:
            size, head = size & 0x7F | raw[at + 2] << 7, 3
        at += head + size
        ends.append(at)
    return extend_model(parse_model(raw[: ends[count]] + raw[at:]), [])


def learn_ours(base: Model, texts: pa.Array, settings: Tokenizer) -> tuple[Model, list[str], Proof, float]:
    """Make a vocabulary as the stage does; give it with its candidates, its proof and the seconds it took."""
    begun = time.perf_counter()
    wanted = int(CANDIDATE_FACTOR * (settings.size - len(base.pieces)))
    candidates = learn_candidates(texts, count=wanted, algorithm=settings.candidates, joined=sorted(settings.joined))
    ours = merge_vocabulary(base, candidates, texts, size=settings.size, coverage=settings.character_coverage)
    prove_vocabulary(base, ours)
    proof = prove_ids(base, ours, texts, seed=SEED)
    return ours, candidates, proof, time.perf_counter() - begun


def merge_plainly(base: Model, candidates: list[str], texts: pa.Array, *, size: int) -> Model:
    """Take every character and the first merges, as many as there is room for."""
    known = {piece.text for piece in base.pieces}
    characters = [character for character in count_characters(texts) if character not in known]
    merges = [text for text in candidates if text not in known]
    room = size - len(base.pieces) - len(characters)
    return extend_model(base, order_new(base.pieces, merges[:room], characters))


class Count(NamedTuple):
    """One vocabulary on one set of texts."""

    tokens: int
    spelled: int
    """Byte tokens that spell characters without a piece; a line break, always a byte in LLaMA's pieces, is none."""
    ids: NDArray[Any]


def count(model: Model, texts: pa.Array) -> Count:
    """Encode texts with our encoder, which the proof showed equal to sentencepiece."""
    ids = Encoder(model).encode_batch(texts)[0]
    is_byte = [piece.kind is Kind.BYTE and int(piece.text[3:5], 16) >= 0x80 for piece in model.pieces]
    return Count(len(ids), int(np.array(is_byte)[ids].sum()), ids)
