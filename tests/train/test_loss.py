"""The loss in chunks against PyTorch's own on whole logits; bits per byte by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from siku_manifests.errors import RecipeError
from siku_train import loss as module
from siku_train.loss import IGNORE, bits_per_byte, chunk_rows, position_losses, summed_loss, use_chunked_loss

POSITIONS, HIDDEN, VOCABULARY = 97, 64, 640


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden states, a head and labels of which some are ignored; seven chunks, the last one short."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 16 * 4 * VOCABULARY)
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(POSITIONS, HIDDEN, generator=generator, requires_grad=True)
    weight = torch.randn(VOCABULARY, HIDDEN, generator=generator, requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (POSITIONS,), generator=generator)
    labels[::5] = IGNORE
    return hidden, weight, labels


def test_loss_and_gradients_equal_the_full_ones(batch) -> None:
    hidden, weight, labels = batch
    full = functional.cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORE, reduction="sum") / 3
    expected = torch.autograd.grad(full, (hidden, weight))
    chunked = summed_loss(hidden, weight, labels) / 3
    found = torch.autograd.grad(chunked, (hidden, weight))
    torch.testing.assert_close(chunked, full, rtol=1e-6, atol=0)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).norm() <= 1e-6 * theirs.norm()


def test_gradients_add_up_over_batches(batch) -> None:
    hidden, weight, labels = batch
    (summed_loss(hidden, weight, labels) * 0.5).backward()
    once = weight.grad.clone()
    (summed_loss(hidden, weight, labels) * 0.5).backward()
    torch.testing.assert_close(weight.grad, 2 * once, rtol=1e-6, atol=1e-6)


def test_a_frozen_head_gets_no_gradient(batch) -> None:
    hidden, weight, labels = batch
    summed_loss(hidden, weight.detach(), labels).backward()
    assert hidden.grad is not None
    assert weight.grad is None


def test_losses_by_position(batch) -> None:
    hidden, weight, labels = batch
    expected = functional.cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORE, reduction="none")
    found = position_losses(hidden.reshape(1, POSITIONS, HIDDEN), weight, labels[None])
    assert found.shape == (1, POSITIONS)
    torch.testing.assert_close(found[0], expected.detach(), rtol=1e-6, atol=1e-6)


def test_nothing_to_learn_is_a_loss_of_zero(batch) -> None:
    hidden, weight, labels = batch
    found = summed_loss(hidden, weight, torch.full_like(labels, IGNORE))
    assert found.item() == 0.0
    found.backward()
    assert not hidden.grad.any()


def test_logits_never_exist_whole(batch) -> None:
    hidden, weight, labels = batch
    largest = 0

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            made = function(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor):
                largest = max(largest, made.numel())
            return made

    with Largest():
        summed_loss(hidden, weight, labels)
    assert largest == VOCABULARY * HIDDEN  # the gradient of the head; whole logits would be half as much again
    assert largest < POSITIONS * VOCABULARY


def test_chunks_are_sized_by_bytes() -> None:
    assert chunk_rows(55_296) == 151
    assert chunk_rows(10**9) == 16


def test_bits_per_byte_by_hand() -> None:
    # twelve bytes, each half as likely as the one before allowed: 24 bits in all
    assert bits_per_byte(24 * math.log(2), 12) == pytest.approx(2.0)
    assert math.isnan(bits_per_byte(1.0, 0))


def test_a_head_with_a_bias_is_refused() -> None:
    model = torch.nn.Module()
    model.get_output_embeddings = lambda: torch.nn.Linear(4, 4)
    with pytest.raises(RecipeError, match="without bias"):
        use_chunked_loss(model)


def test_under_autocast_the_products_are_in_its_numbers(batch) -> None:
    hidden, weight, labels = batch
    full = functional.cross_entropy(hidden @ weight.T, labels, ignore_index=IGNORE, reduction="sum")
    expected = torch.autograd.grad(full, (hidden, weight))
    seen: set[torch.dtype] = set()

    class Products(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            if function is torch.ops.aten.mm.default:
                seen.update(argument.dtype for argument in args)
            return function(*args, **(kwargs or {}))

    with torch.autocast("cpu", torch.bfloat16), Products():
        chunked = summed_loss(hidden, weight, labels)
        by_position = position_losses(hidden, weight, labels)
    assert seen == {torch.bfloat16}
    assert chunked.dtype == by_position.dtype == torch.float32
    found = torch.autograd.grad(chunked, (hidden, weight))
    torch.testing.assert_close(chunked, full, rtol=1e-2, atol=0)
    torch.testing.assert_close(by_position.sum(), full, rtol=1e-2, atol=0)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= 0.02 * theirs.norm()


def test_liger_is_for_gpus(batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "liger_loss", lambda: pytest.fail("asked for on a CPU"))
    hidden, weight, labels = batch
    assert summed_loss(hidden, weight, labels) > 0
