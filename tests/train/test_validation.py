"""Validation: bits per byte by hand, and no trace left in the model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from siku_tokenize.tokenfile import write_token_file
from siku_train.plan import Plan
from siku_train.validation import Validation, total
from siku_train.windows import Reader, open_token_files, spread

BASE, VOCABULARY, EOS = 320, 384, 2


class Fixed:
    """A model that gives every label 0.5 bits."""

    device = torch.device("cpu")

    def modules(self) -> list[Any]:
        return []

    def train(self) -> None:
        pass

    def __call__(self, *, labels: torch.Tensor, reduction: str, **_: Any) -> dict[str, torch.Tensor]:
        assert reduction == "none"
        return {"loss": torch.where(labels >= 0, 0.5 * math.log(2), 0.0)}


def test_bits_per_byte_by_hand(tmp_path: Path) -> None:
    # 中国 is one piece of six bytes, 8 a piece of one byte; two documents
    documents = [np.array([8, 9, 9, 2]), np.array([9, 8, 2])]
    file = write_token_file(tmp_path / "s", documents, np.uint16)
    bytes_behind = np.zeros(10, np.int64)
    bytes_behind[[8, 9]] = 1, 6
    validation = Validation(Reader({"s": file}, 4, 2), bytes_behind, windows=9, batch=1)
    score = validation.measure(Fixed())["s"]
    # labels: 9 9 EOS | 8 EOS; the first id of a document is none. Text: 9 9 8 = 13 bytes for 1.5 bits
    assert score.tokens == 5
    assert score.bytes == 13
    assert score.bits_per_byte == pytest.approx(1.5 / 13)
    assert score.loss == pytest.approx(0.5 * math.log(2))
    expected = -(2 / 5 * math.log(2 / 5) * 2 + 1 / 5 * math.log(1 / 5))
    assert validation.unigram_entropy() == pytest.approx(expected)


def test_the_space_that_a_tokenizer_puts_in_front_is_no_text(tmp_path: Path) -> None:
    documents = [np.array([1, 9, 8, 2]), np.array([1, 8, 9, 2])]  # 1 begins a document; then a piece with a space
    file = write_token_file(tmp_path / "s", documents, np.uint16)
    bytes_behind = np.zeros(10, np.int64)
    bytes_behind[[8, 9]] = 4, 7
    validation = Validation(Reader({"s": file}, 4, 2), bytes_behind, windows=9, batch=1, prefixed=1)
    assert validation.measure(Fixed())["s"].bytes == 2 * (4 + 7) - 2


def test_a_validation_leaves_no_trace(make_model: Callable[..., Any], make_plan: Callable[..., Plan]) -> None:
    model = make_model()
    validation = make_plan().validation
    model.eval()  # as from_pretrained leaves it: the state in which NF4 weights would be repacked
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    first = validation.measure(model)
    assert validation.measure(model) == first
    for name, weight in model.named_parameters():
        assert weight.equal(before[name]), name
    assert torch.get_rng_state().equal(states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    assert random.getstate() == states[2]
    assert not any(module.training for module in model.modules())


def test_dropout_is_off(make_model: Callable[..., Any], make_plan: Callable[..., Plan]) -> None:
    model = make_model().train()
    validation = make_plan().validation
    assert validation.measure(model) == validation.measure(model)
    assert all(module.training for module in model.modules())


def test_windows_are_chosen_evenly(make_plan: Callable[..., Plan]) -> None:
    validation = make_plan().validation
    counts = validation.reader.counts()
    assert validation.chosen == {source: [0, count // 2] for source, count in counts.items()}
    assert len(validation) == 4


def test_new_and_old_pieces_are_scored_apart(make_model: Callable[..., Any], token_folder: Path) -> None:
    reader = Reader(open_token_files(token_folder / "validation"), 64, EOS)
    sizes = np.arange(VOCABULARY) % 5 + 1
    score = total(Validation(reader, sizes, windows=4, batch=2, first_new=BASE).measure(make_model()))
    scored = [(source, window) for source, count in reader.counts().items() for window in spread(count, 4)]
    labels = np.concatenate([reader.example(*place)["labels"].numpy() for place in scored])
    new, old = labels[labels >= BASE], labels[(labels >= 0) & (labels < BASE)]
    assert (score.new.tokens, score.old.tokens) == (len(new), len(old))
    assert score.new.bytes == sizes[new].sum()
    assert score.old.bytes == sizes[old[old != EOS]].sum()
    assert score.new.nats + score.old.nats == pytest.approx(score.nats)
    whole = total(Validation(reader, sizes, windows=4, batch=2).measure(make_model()))
    assert whole.new.tokens == 0
    assert whole.nats == pytest.approx(score.nats)
