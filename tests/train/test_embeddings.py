"""Rows of new pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_train.base import load_base
from siku_train.embeddings import NewPieces, extend_vocabulary, new_rows

OLD = torch.tensor([[0.0, 2.0], [4.0, 0.0], [2.0, 1.0]])


def test_mean_of_the_pieces_that_spell_it() -> None:
    made = new_rows(OLD, [[0, 1], [2], []], start="subpieces", seed=0)
    assert made.tolist() == [[2.0, 1.0], [2.0, 1.0], OLD.mean(0).tolist()]


def test_mean_of_all_rows() -> None:
    assert new_rows(OLD, [[0], [1]], start="mean", seed=0).tolist() == [OLD.mean(0).tolist()] * 2


def test_random_rows_have_the_spread_of_the_old_ones_and_depend_on_the_seed_alone() -> None:
    old = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.1]) + 7
    made = new_rows(old, [[0]] * 4000, start="random", seed=1)
    torch.testing.assert_close(made.std(0), old.std(0), rtol=0.1, atol=0)
    torch.testing.assert_close(made.mean(0), old.mean(0), rtol=0.1, atol=0)
    assert made.equal(new_rows(old, [[0]] * 4000, start="random", seed=1))
    assert not made.equal(new_rows(old, [[0]] * 4000, start="random", seed=2))


def test_half_precision_is_averaged_in_full() -> None:
    old = torch.tensor([[2048.0], [1.0], [1.0]], dtype=torch.float16)  # 2048 + 1 is 2048 in float16
    assert new_rows(old, [[0, 1, 2]], start="subpieces", seed=0).item() == pytest.approx(683.5)


def test_a_model_is_extended_and_its_old_rows_stay(base: Path, options: Pretrain) -> None:
    model = load_base(base, options)
    before = [layer.weight.detach().clone() for layer in (model.get_input_embeddings(), model.get_output_embeddings())]
    extend_vocabulary(model, NewPieces(320, [[7, 8], [9]]), start="subpieces", seed=0)
    after = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    for old, new in zip(before, after, strict=True):
        assert new.shape[0] == old.shape[0] + 2
        assert new[: len(old)].equal(old)
        torch.testing.assert_close(new[-2], old[7:9].mean(0))
        assert new[-1].equal(old[9])
    assert model.config.vocab_size == after[0].shape[0]


def test_a_tokenizer_of_another_base_is_refused(base: Path, options: Pretrain) -> None:
    for pieces in (NewPieces(300, [[1]]), NewPieces(340, [[1]]), NewPieces(340, [])):
        with pytest.raises(RecipeError, match="do not belong together"):
            extend_vocabulary(load_base(base, options), pieces, start="subpieces", seed=0)


def test_a_model_with_more_rows_than_pieces_needs_no_extension(base: Path, options: Pretrain) -> None:
    model = load_base(base, options)
    extend_vocabulary(model, NewPieces(300, []), start="subpieces", seed=0)
    assert model.config.vocab_size == 320
