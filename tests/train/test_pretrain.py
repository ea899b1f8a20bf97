"""Runs: they learn, and a stopped run goes on as if it had never stopped, to the bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from siku_manifests.errors import Interrupted, TrainingStopped
from siku_manifests.sections import Pretrain
from siku_train.checkpoint import checkpoints, read_cursor, save_adapter
from siku_train.losses import LossFile
from siku_train.plan import Plan
from siku_train.pretrain import CHECKPOINTS, LOSSES_FILE, PretrainTrainer
from siku_train.validation import total

Start = Callable[..., PretrainTrainer]


class CrashError(Exception):
    """Stands for a kill: nothing of the process is used afterwards."""


@pytest.fixture
def start(make_model: Callable[..., Any], make_plan: Callable[..., Plan], options: Pretrain) -> Start:
    """Make a trainer as a new process would."""

    def make(folder: Path, **changes: Any) -> PretrainTrainer:
        chosen = msgspec.structs.replace(options, **changes)
        folder.mkdir(exist_ok=True)
        return PretrainTrainer(make_model(chosen), make_plan(chosen), folder)

    return make


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[bytes, bytes]]:
    """Ends of runs that were never stopped, by optimiser; filled by the first test that asks."""
    return {}


@pytest.fixture
def never_stopped(start: Start, known: dict[str, tuple[bytes, bytes]], tmp_path: Path) -> Callable[..., Any]:
    """Say how a run ends that is left alone."""

    def end(optimizer: str = "adamw_torch") -> tuple[bytes, bytes]:
        if optimizer not in known:
            trainer = start(tmp_path / "whole", optimizer=optimizer)
            trainer.run()
            known[optimizer] = ended(trainer)
        return known[optimizer]

    return end


def ended(trainer: PretrainTrainer) -> tuple[bytes, bytes]:
    """All losses, and the trained weights, as bytes."""
    save_adapter(trainer.model, trainer.folder, base="base")
    weights = trainer.folder / "adapter_model.safetensors"
    return (trainer.folder / LOSSES_FILE).read_bytes(), weights.read_bytes()


def crash_at(trainer: PretrainTrainer, place: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until a method of the trainer has come to its end `count` times, then stop dead."""
    own = getattr(trainer, place)
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        result = own(*args, **kwargs)
        calls += 1
        if calls == count:
            raise CrashError
        return result

    monkeypatch.setattr(trainer, place, counted)
    with pytest.raises(CrashError):
        trainer.run()


def test_a_run_learns_and_records_it(start: Start, tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", tokens=64 * 2 * 20)
    result = trainer.run()
    assert result.steps == 20
    assert result.after["even"].loss < 0.8 * result.before["even"].loss
    losses = LossFile(tmp_path / "run" / LOSSES_FILE)
    assert [step for step, _ in losses.steps()] == list(range(1, 21))
    assert sorted(losses.validations()) == list(range(0, 21, 2))
    assert total(losses.validations()[20]).loss == pytest.approx(total(result.after).loss)


def test_equal_runs_give_equal_bytes(start: Start, never_stopped: Any, tmp_path: Path) -> None:
    expected = never_stopped()
    torch.manual_seed(77)  # what state torch is in does not matter
    trainer = start(tmp_path / "again")
    trainer.run()
    assert ended(trainer) == expected


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
@pytest.mark.parametrize("optimizer", ["adamw_torch", pytest.param("paged_adamw_32bit", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "stop",
    [
        ("training_step", 9),  # in the middle of an accumulated step, after two validations and a checkpoint
        ("evaluate", 2),  # right after a validation
        ("_save_checkpoint", 2),  # right after a checkpoint
    ],
)
def test_stopped_and_resumed_is_never_stopped(
    start: Start,
    never_stopped: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    stop: tuple[str, int],
) -> None:
    crash_at(start(tmp_path / "stopped", optimizer=optimizer), *stop, monkeypatch)
    resumed = start(tmp_path / "stopped", optimizer=optimizer)
    resumed.run()
    assert resumed._initial_global_step > 0  # it went on and did not begin anew
    assert ended(resumed) == never_stopped(optimizer)


def test_stopped_before_the_first_checkpoint_it_begins_anew(
    start: Start, never_stopped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_at(start(tmp_path / "stopped"), "evaluate", 1, monkeypatch)
    resumed = start(tmp_path / "stopped")
    resumed.run()
    assert ended(resumed) == never_stopped()


def test_stopped_at_the_very_end_there_is_nothing_left_to_train(start: Start, tmp_path: Path) -> None:
    first = start(tmp_path / "run", save_every=4)
    result = first.run()
    again = start(tmp_path / "run", save_every=4)
    assert again.run().after == result.after
    assert ended(again) == ended(first)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_next_run_goes_on(
    start: Start, never_stopped: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    stopped = start(tmp_path / "stopped")
    own = stopped.training_step
    calls = 0

    def step(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 9:  # the first half of step 5, between the checkpoints of steps 3 and 6
            os.kill(os.getpid(), number)
        return own(*args)

    monkeypatch.setattr(stopped, "training_step", step)
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted, match="step 5 of 8"):
        stopped.run()
    assert signal.getsignal(number) is handler
    newest = checkpoints(tmp_path / "stopped" / CHECKPOINTS)[-1]
    assert read_cursor(newest).step == 5
    resumed = start(tmp_path / "stopped")
    resumed.run()
    assert ended(resumed) == never_stopped()


def test_only_the_wanted_checkpoints_stay(start: Start, tmp_path: Path) -> None:
    start(tmp_path / "run", save_every=1, keep_checkpoints=3).run()
    assert [read_cursor(path).step for path in checkpoints(tmp_path / "run" / CHECKPOINTS)] == [6, 7, 8]


def test_embeddings_have_a_learning_rate_of_their_own(start: Start, tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", embedding_learning_rate=0.05)
    adapters, embeddings = trainer.create_optimizer().param_groups
    assert (adapters["lr"], embeddings["lr"]) == (0.01, 0.05)
    assert [tuple(weight.shape) for weight in embeddings["params"]] == [(384, 64), (384, 64)]
    assert len(adapters["params"]) == 2 * 7 * 2


def test_accumulating_is_a_larger_batch(start: Start, tmp_path: Path) -> None:
    losses = []
    for batch, accumulation in ((2, 1), (1, 2)):
        trainer = start(tmp_path / f"{batch}", batch=batch, accumulation=accumulation, dropout=0.0)
        trainer.run()
        losses.append([loss for _, loss in trainer.losses.steps()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_loss_that_is_no_number_stops_the_run_and_names_its_documents(start: Start, tmp_path: Path) -> None:
    trainer = start(tmp_path / "run")
    with torch.no_grad():
        next(weight for weight in trainer.model.parameters() if weight.requires_grad).fill_(float("nan"))
    with pytest.raises(TrainingStopped, match=r"loss of step 1 is nan, .* its documents: \w+ document \d+, "):
        trainer.run()
