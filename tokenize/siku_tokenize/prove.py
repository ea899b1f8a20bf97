"""What is promised of an extended vocabulary, checked whenever one is made.

    untouched    the base's pieces keep their ids, texts, scores and kinds
    ordered      new scores lie below each other, and no two are equal
    closed       every character of a new piece is a piece
    reachable    every new piece is what its own text encodes to
    english      lines without Chinese characters have the ids that the base gives them
    encoder      our encoder gives sentencepiece's ids, on the sample and on generated text
    export       tokenizer.json gives sentencepiece's ids on the same lines

The first five and the last must hold, or the build ends. If our encoder differed, sentencepiece would take
its place: the proof is kept beside the tokenizer and read by whoever encodes with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pyarrow as pa

from siku_manifests.errors import VerificationError
from siku_tokenize.encode import Encoder, load_reference
from siku_tokenize.export import tokenizer_json
from siku_tokenize.merge import CHINESE_BLOCKS
from siku_tokenize.modelfile import Model
from siku_tokenize.tables import SPACE
from siku_tokenize.trial import differences, hostile_lines, piece_lines

CHINESE = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in CHINESE_BLOCKS) + "]")
SAMPLE_LINES = 6_000
HOSTILE_LINES = 4_000
PIECE_LINES = 4_000
ENGLISH_LINES = 50_000


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, and how it came out."""

    base_pieces: int
    new_pieces: int
    english_lines: int
    """Lines without Chinese characters, all with the base's ids."""
    compared_lines: int
    """Lines of the sample and generated ones, on which encoder and export were compared with sentencepiece."""
    encoder_differences: int
    """Lines on which our encoder differs; above 0, sentencepiece is used."""


def proof_lines(model: Model, texts: pa.Array, *, seed: int) -> list[str]:
    """Gather the lines that a vocabulary is proved on: of the sample, hostile ones, and its pieces side by side."""
    generated = hostile_lines(HOSTILE_LINES, seed=seed) + piece_lines(model, PIECE_LINES, seed=seed)
    return sample_lines(texts, SAMPLE_LINES) + generated


def sample_lines(texts: pa.Array, count: int) -> list[str]:
    """Take lines from evenly spaced texts, at most ten of each."""
    step = max(1, len(texts) * 10 // max(1, count))
    lines = [
        line for i in range(0, len(texts), step) for line in texts[i].as_py().splitlines(keepends=True)[:10] if line
    ]
    return lines[:count]


def prove_vocabulary(base: Model, extended: Model) -> None:
    """Check untouched, ordered, closed and reachable.

    Raises:
        VerificationError: one does not hold.
    """
    new = extended.pieces[len(base.pieces) :]
    known = {piece.text for piece in extended.pieces}
    scores = [piece.score for piece in new]
    problems = []
    if extended.pieces[: len(base.pieces)] != base.pieces:
        problems.append("base pieces changed")
    if any(a <= b for a, b in pairwise(scores)):
        problems.append("new scores are not strictly decreasing")
    problems += [f"{p.text} has a character that is no piece" for p in new if not known.issuperset(p.text)]
    problems += [f"{text} cannot be reached" for text in unreachable(extended, first=len(base.pieces))]
    if problems:
        msg = f"The extended vocabulary breaks a promise: {'; '.join(problems[:5])}. This is a bug in Siku."
        raise VerificationError(msg)


def unreachable(model: Model, *, first: int = 0) -> list[str]:
    """List the pieces from id `first` on that encoding their own text does not give."""
    reference = load_reference(model)
    own = [piece.text.replace(SPACE, " ") for piece in model.pieces[first:]]
    # The text stands after a line break, which no merge crosses, so that no space is put before it.
    ids = reference.encode([f"\n{text}" for text in own])
    lead = len(reference.encode("\n"))
    return [text for i, text in enumerate(own) if ids[i][lead:] != [first + i]]


def prove_ids(base: Model, extended: Model, texts: pa.Array, *, seed: int) -> Proof:
    """Check english, encoder and export.

    Args:
        base: the base model.
        extended: its extension.
        texts: the sample.
        seed: of the generated lines.

    Raises:
        VerificationError: English changed, or tokenizer.json differs.
    """
    lines = proof_lines(extended, texts, seed=seed)
    expected = load_reference(extended).encode(lines)
    english = english_lines(texts, ENGLISH_LINES)
    changed = differences(Encoder(extended), english, load_reference(base).encode(english))
    exported = export_differences(extended, lines, expected)
    for what, different in (("English", changed), ("tokenizer.json", exported)):
        if different:
            msg = f"{what}: other ids on {len(different)} lines, such as {different[0]!r}. This is a bug in Siku."
            raise VerificationError(msg)
    return Proof(
        base_pieces=len(base.pieces),
        new_pieces=len(extended.pieces) - len(base.pieces),
        english_lines=len(english),
        compared_lines=len(lines),
        encoder_differences=len(differences(Encoder(extended), lines, expected)),
    )


def english_lines(texts: pa.Array, count: int) -> list[str]:
    """Take the first lines that hold no character of a Chinese block."""
    found: list[str] = []
    for text in texts:
        found += [line for line in text.as_py().splitlines(keepends=True) if not CHINESE.search(line)]
        if len(found) >= count:
            break
    return found[:count]


def export_differences(model: Model, lines: Sequence[str], expected: Sequence[list[int]]) -> list[str]:
    """List the lines to which tokenizer.json gives other ids than expected."""
    import tokenizers  # noqa: PLC0415  (only a build needs it)

    exported = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(model)))
    exported.encode_special_tokens = True
    encodings = exported.encode_batch(list(lines), add_special_tokens=False)
    return [line for line, got, want in zip(lines, encodings, expected, strict=True) if got.ids != want]
