"""Keeping documents apart: masks, positions, rows, and a check that can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import AutoModelForCausalLM

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_train.separation import block_mask, document_numbers, find_way, hidden_states, neighbour_change

POSITIONS = torch.tensor([[0, 1, 2, 0, 1], [0, 0, 1, 2, 3]])


@pytest.fixture
def plain(base: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(base).eval()


def test_documents_are_numbered_by_their_beginnings() -> None:
    assert document_numbers(POSITIONS).tolist() == [[1, 1, 1, 2, 2], [1, 2, 2, 2, 2]]


def test_a_mask_of_blocks() -> None:
    mask = block_mask(POSITIONS, torch.float16)
    assert mask.shape == (2, 1, 5, 5)
    assert mask.dtype == torch.float16
    assert (mask[0, 0] == 0).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]
    assert mask.unique().tolist() == [torch.finfo(torch.float16).min, 0]


@torch.no_grad()
@pytest.mark.parametrize("way", ["positions", "mask", "row"])
def test_all_ways_say_the_same(plain: Any, way: Any) -> None:
    ids = torch.arange(10).reshape(2, 5) + 20
    expected = torch.stack(
        [
            torch.cat([plain.base_model(input_ids=part[None]).last_hidden_state[0] for part in row.split(sizes)])
            for row, sizes in zip(ids, ([3, 2], [1, 4]), strict=True)
        ]
    )
    torch.testing.assert_close(hidden_states(plain, ids, POSITIONS, way), expected, rtol=0, atol=1e-5)
    assert neighbour_change(plain, way) == 0


def test_documents_that_are_joined_see_each_other(plain: Any, options: Pretrain) -> None:
    assert find_way(plain, msgspec.structs.replace(options, neighbours="seen")) == "none"
    assert neighbour_change(plain, "none") > 0.01


def test_the_check_draws_nothing(plain: Any) -> None:
    before = torch.random.get_rng_state()
    neighbour_change(plain.train(), "positions")
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("attention", ["sdpa", "flash_attention_2"])
def test_code_that_takes_no_notice_is_found_out(
    plain: Any, options: Pretrain, monkeypatch: pytest.MonkeyPatch, attention: Any
) -> None:
    own = plain.base_model.forward
    # as code from a repository may do, which was not written for packed documents
    monkeypatch.setattr(plain.base_model, "forward", lambda input_ids, **_: own(input_ids=input_ids, use_cache=False))
    with pytest.raises(RecipeError, match=r"LlamaForCausalLM with attention '.*' the documents of a window see each"):
        find_way(plain, msgspec.structs.replace(options, attention=attention))


def test_flash_attention_goes_by_rows(plain: Any, options: Pretrain) -> None:
    assert find_way(plain, msgspec.structs.replace(options, attention="flash_attention_2")) == "row"
