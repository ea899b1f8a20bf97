"""The model file against the sentencepiece package, which reads what we write and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece

from siku_manifests.errors import InputError
from siku_tokenize.modelfile import Kind, Model, Piece, extend_model, parse_model, read_model


def processor(model: Model) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model.raw)


def pieces_by_sentencepiece(model: Model) -> list[tuple[str, float]]:
    reference = processor(model)
    return [(reference.id_to_piece(i), reference.get_score(i)) for i in range(reference.vocab_size())]


def kinds_by_sentencepiece(model: Model) -> list[Kind]:
    reference = processor(model)
    asked = ((reference.is_unknown, Kind.UNKNOWN), (reference.is_control, Kind.CONTROL), (reference.is_byte, Kind.BYTE))
    return [next((kind for ask, kind in asked if ask(i)), Kind.NORMAL) for i in range(reference.vocab_size())]


@pytest.mark.parametrize("name", ["tiny", "mistral", "alpaca"])
def test_pieces_are_those_that_sentencepiece_reads(name: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(name)
    assert [(piece.text, piece.score) for piece in model.pieces] == pieces_by_sentencepiece(model)
    assert [piece.kind for piece in model.pieces] == kinds_by_sentencepiece(model)


def test_an_extension_keeps_the_base_and_is_read_by_sentencepiece(tiny: Model) -> None:
    new = [Piece("山河", -9000.0), Piece("山", -9001.5)]
    model = extend_model(tiny, new)
    assert model.pieces == (*tiny.pieces, *new)
    assert pieces_by_sentencepiece(model)[-2:] == [("山河", -9000.0), ("山", -9001.5)]
    assert (model.byte_fallback, model.dummy_prefix, model.identity) == (True, True, True)
    # Extending twice is extending once: only vocab_size is rewritten.
    assert extend_model(extend_model(tiny, new[:1]), new[1:]).pieces == model.pieces


def test_settings_are_read(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "m"),
        model_type="unigram",
        vocab_size=9,
        add_dummy_prefix=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = read_model(tmp_path / "m.model")
    assert (model.algorithm, model.byte_fallback, model.dummy_prefix, model.identity) == (1, False, False, False)


@pytest.mark.parametrize("raw", [b"", b"\xff" * 30, b"{}", b"\x0a\x7f", b"\x12\x00"])
def test_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(InputError, match="not a SentencePiece model"):
        parse_model(raw)


def test_a_tiktoken_file_is_told_from_damage() -> None:
    with pytest.raises(InputError, match="a tiktoken file, not a SentencePiece model; give the"):
        parse_model(b"IQ== 0\nIg== 1\nIw== 2\n")


def test_a_cut_file_is_refused(tiny: Model) -> None:
    with pytest.raises(InputError, match="not a SentencePiece model"):
        parse_model(tiny.raw[:-7])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.model: missing"):
        read_model(tmp_path / "nowhere.model")
