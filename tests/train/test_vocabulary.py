"""What training knows of a tokenizer, against sentencepiece itself."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import sentencepiece
import tokenizers

from siku_manifests.errors import InputError
from siku_tokenize.modelfile import read_model
from siku_tokenize.vocabulary import open_vocabulary
from siku_train.vocabulary import base_size, piece_bytes, spell_new_pieces, unigram_entropy


def test_pieces_add_up_to_the_bytes_of_a_text(tokenizer_folder: Path) -> None:
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_folder / "tokenizer.model"))
    lengths = piece_bytes(read_model(tokenizer_folder / "tokenizer.model"))
    for text in ("床前明月光", "the moon  over", "🌕 é 龘\n明月"):
        ids = reference.encode(text)
        assert lengths[ids].sum() == len(text.encode()) + 1  # one for the space that sentencepiece puts in front
    assert lengths[[reference.bos_id(), reference.eos_id(), reference.unk_id()]].tolist() == [0, 0, 0]


def test_new_pieces_are_spelled_with_old_ones(tokenizer_folder: Path) -> None:
    model = read_model(tokenizer_folder / "tokenizer.model")
    first_new = base_size(tokenizer_folder / "vocabulary.tsv")
    first, spelled = spell_new_pieces(model, first_new)
    assert first == first_new
    assert len(spelled) == len(model.pieces) - first_new
    for piece, ids in zip(model.pieces[first_new:], spelled, strict=True):
        assert max(ids) < first_new
        texts = [model.pieces[i].text for i in ids]
        if texts[0].startswith("<0x"):
            texts = [bytes(int(text[3:5], 16) for text in texts).decode()]
        assert "".join(texts) == piece.text


def test_a_byte_level_vocabulary_needs_no_new_rows(tmp_path: Path) -> None:
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(
        ["床前明月光 the moon"] * 9, vocab_size=300, special_tokens=["<|end|>"], show_progress=False
    )
    trained.save(str(tmp_path / "tokenizer.json"))
    vocabulary = open_vocabulary(tmp_path, eos="<|end|>")
    lengths = piece_bytes(vocabulary)
    for text in ("床前明月光", " the moon 🌕"):
        assert lengths[vocabulary.encoder.encode(text)].sum() == len(text.encode())
    assert lengths[vocabulary.encoder.eos] == 0
    assert spell_new_pieces(vocabulary, len(vocabulary)) == (len(vocabulary), [])


def test_a_missing_listing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="siku tokenizer"):
        base_size(tmp_path / "vocabulary.tsv")


def test_a_base_that_was_not_extended(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text("id\tpiece\tkind\n0\t<unk>\tunknown\n1\ta\tnormal\n", encoding="utf-8")
    assert base_size(tmp_path / "v.tsv") == 2


def test_entropy_by_hand() -> None:
    assert unigram_entropy([7, 7, 9, 9]) == pytest.approx(math.log(2))
    assert unigram_entropy([4, 4, 4]) == 0
