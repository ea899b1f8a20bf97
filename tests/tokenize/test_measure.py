"""Measures against counting and decoding by sentencepiece and tokenizers."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from siku_tokenize.measure import Ruler, Tally, plain_lines, show_segments
from siku_tokenize.modelfile import Model
from siku_tokenize.native import NativeEncoder
from siku_tokenize.prove import CHINESE
from siku_tokenize.vocabulary import Vocabulary, of_model, of_native


def test_counts_are_those_of_sentencepiece(tiny: Model, extended: Model, texts: pa.Array) -> None:
    ruler = Ruler([of_model(tiny), of_model(extended)])
    parts = [ruler.measure(texts.slice(0, 100)), ruler.measure(texts.slice(100))]
    documents = texts.to_pylist()
    lines = [line for text in documents for line in text.split("\n") if line.strip() and not CHINESE.search(line)]
    for number, model in enumerate((tiny, extended)):
        tally = parts[0][number] + parts[1][number]
        assert tally.documents == len(documents)
        assert tally.characters == sum(map(len, documents))
        assert tally.bytes == sum(len(document.encode()) for document in documents)
        reference = sentencepiece.SentencePieceProcessor(model_proto=model.raw)
        ids = [i for found in reference.encode(documents) for i in found]
        assert tally.tokens == len(ids) == ruler.uses[number].sum()
        assert tally.byte_tokens == sum(reference.is_byte(i) for i in ids)
        assert tally.broken == 0
        assert (tally.plain_lines, tally.changed_lines) == (len(lines), 0)


def test_shares() -> None:
    base = Tally(characters=200, bytes=400, tokens=200, byte_tokens=50)
    ours = Tally(characters=100, bytes=300, tokens=60) + Tally(characters=100, bytes=100, tokens=40, byte_tokens=1)
    assert ours.change(base) == -0.5
    assert (base.per_character, base.per_byte, base.byte_share) == (1.0, 0.5, 0.25)
    assert ours.byte_share == 0.01
    assert Tally().change(Tally()) == Tally().per_character == Tally().byte_share == 0.0


def test_what_is_not_spelled_again(extended: Model, byte_level: dict[str, Any]) -> None:
    """U+2581 comes back as a space; a text is counted once whatever stands before it."""
    texts = pa.array(["明月", "a\u2581b", "", " 龘", "\u2581", " "])
    assert Ruler([of_model(extended)]).measure(texts)[0].broken == 2
    native = of_native(NativeEncoder(byte_level["raw"], config={}, name="n"), name="n")
    assert Ruler([native]).measure(texts)[0].broken == 0


@given(texts=st.lists(st.text("月a \u2581\n\u3000é😀", max_size=6), max_size=6))
def test_broken_is_what_decoding_does_not_give_back(extended: Model, texts: list[str]) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_proto=extended.raw)
    broken = sum(reference.decode(reference.encode(text)) != text for text in texts)
    assert Ruler([of_model(extended)]).measure(pa.array(texts, pa.string()))[0].broken == broken


@given(text=st.text("月。a \n\t\r\u3000é\u3105カ", max_size=20))
def test_plain_lines(text: str) -> None:
    expected = [line for line in text.split("\n") if line.strip(" \t\r") and not CHINESE.search(line)]
    assert plain_lines(pa.array([text])).to_pylist() == expected


def test_changed_lines_are_counted(tiny: Model, mistral: Model) -> None:
    texts = pa.array(["the moonlight\nalso frost\n月\n\n", "def total"])
    _, other = Ruler([of_model(tiny), of_model(mistral)]).measure(texts)
    assert (other.plain_lines, other.changed_lines) == (3, 3)


@pytest.mark.parametrize(
    ("text", "shown"), [("明月", "明月"), ("龘a", "E9│BE│98│a"), ("<s>", "3C│s│3E"), ("", ""), ("x the", "78│ the")]
)
def test_segments(extended: Model, text: str, shown: str) -> None:
    assert show_segments(of_model(extended), text) == shown


def test_segments_of_bytes(native: Vocabulary) -> None:
    assert show_segments(native, "明月龘").endswith("│E9│BE│98")
