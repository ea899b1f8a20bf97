"""Measures against counting by sentencepiece."""

from __future__ import annotations

import pyarrow as pa
import pytest
import sentencepiece

from siku_tokenize.encode import Encoder
from siku_tokenize.measure import Measure, Ruler, show_segments
from siku_tokenize.modelfile import Model


def test_counts_are_those_of_sentencepiece(tiny: Model, extended: Model, texts: pa.Array) -> None:
    measure = Ruler(tiny, extended).measure([texts.slice(0, 100), texts.slice(100)])
    documents = texts.to_pylist()
    assert measure.documents == len(documents)
    assert measure.characters == sum(map(len, documents))
    assert measure.bytes == sum(len(document.encode()) for document in documents)
    for model, tokens, byte_tokens in (
        (tiny, measure.before, measure.before_bytes),
        (extended, measure.after, measure.after_bytes),
    ):
        reference = sentencepiece.SentencePieceProcessor(model_proto=model.raw)
        ids = [i for found in reference.encode(documents) for i in found]
        assert tokens == len(ids)
        assert byte_tokens == sum(reference.is_byte(i) for i in ids)


def test_shares() -> None:
    measure = Measure(characters=100, before=150, after=60) + Measure(characters=100, before=50, after=40)
    assert measure.change == -0.5
    assert measure.per_character == (1.0, 0.5)
    assert Measure().change == 0.0
    assert Measure().per_character == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "shown"), [("明月", "明月"), ("龘a", "E9│BE│98│a"), ("<s>", "3C│s│3E"), ("", ""), ("x the", "78│ the")]
)
def test_segments(extended: Model, text: str, shown: str) -> None:
    assert show_segments(Encoder(extended), extended, text) == shown
