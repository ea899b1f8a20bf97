"""A run whose loss is no number or leaps stops before its harm is saved, and says which documents it read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from siku_manifests.errors import TrainingStopped
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_train.checkpoint import checkpoints, read_cursor
from siku_train.guard import FEWEST, LossGuard
from siku_train.losses import LossFile
from siku_train.pretrain import CHECKPOINTS, LOSSES_FILE, PretrainTrainer
from siku_train.windows import WindowStream


def judge(guard: LossGuard, losses: list[float]) -> None:
    for step, loss in enumerate(losses, 1):
        guard.check(step, loss, documents=lambda: "a, b", newest=Path("checkpoints/step-00000003"))


def test_usual_losses_pass() -> None:
    noise = np.random.default_rng(1).normal(0, 0.5, 400)
    judge(LossGuard(3.0), (8 - np.arange(400) / 80 + noise).tolist())
    mixed = [2.0, 7.5, 6.9, 1.8] * 50  # English and verse in turns
    judge(LossGuard(3.0), mixed)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 9.0])
def test_a_leap_and_no_number_stop(loss: float) -> None:
    with pytest.raises(TrainingStopped, match=r"its documents: a, b\. The newest checkpoint \(checkpoints/") as stopped:
        judge(LossGuard(3.0), [4.0] * FEWEST + [loss])
    assert stopped.value.exit_status == 6
    assert f"step {FEWEST + 1}" in str(stopped.value)


def test_a_leap_is_allowed_when_asked_and_never_no_number() -> None:
    judge(LossGuard(0.0), [4.0] * FEWEST + [50.0])
    with pytest.raises(TrainingStopped):
        judge(LossGuard(0.0), [4.0, float("nan")])


def test_a_resumed_guard_judges_as_if_it_had_never_stopped() -> None:
    with pytest.raises(TrainingStopped):
        judge(LossGuard(3.0, [4.0] * FEWEST), [9.0])


class Spoiled:
    """A stream whose window at one position is made of the rarest id over and over: a planted bad batch."""

    def __init__(self, stream: Any, bad: int) -> None:
        self.stream, self.bad = stream, bad

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, position: int) -> dict[str, torch.Tensor]:
        example: dict[str, torch.Tensor] = self.stream[position]
        if position // 2 == self.bad:
            example["labels"] = torch.where(example["labels"] == -100, -100, 380)
        return example


def test_a_planted_batch_stops_the_run_before_it_is_saved_and_the_run_goes_on_from_before(
    make_model: Callable[..., Any], make_plan: Callable[..., Any], options: Any, tmp_path: Path
) -> None:
    def start(**changes: Any) -> PretrainTrainer:
        chosen = msgspec.structs.replace(
            options, tokens=64 * 2 * 22, save_every=6, evaluate_every=22, learning_rate=3e-2, **changes
        )
        plan = make_plan(chosen)
        # of one source only, which the model learns well enough to be surprised
        order = WindowOrder(mixture_shares(plan.stream.reader.counts(), {"odd": 0.0}), seed=3)
        stream = Spoiled(WindowStream(plan.stream.reader, order, total=44), 19)
        return PretrainTrainer(make_model(chosen), msgspec.structs.replace(plan, stream=stream), tmp_path)

    stopped = start(max_loss_leap=1.0)
    with pytest.raises(TrainingStopped, match=r"loss of step 20 .* leaps over the") as told:
        stopped.run()
    expected = stopped.plan.step_documents(20)
    assert expected in str(told.value)
    assert expected.startswith("even document ")
    assert read_cursor(checkpoints(tmp_path / CHECKPOINTS)[-1]).step == 18
    assert [step for step, _ in LossFile(tmp_path / LOSSES_FILE).steps()][-1] == 19
    resumed = start(max_loss_leap=0.0)
    assert resumed.run().steps == 22
    assert resumed._initial_global_step == 18


def test_a_learning_rate_that_is_far_too_high_ends_the_run(
    make_model: Callable[..., Any], make_plan: Callable[..., Any], options: Any, tmp_path: Path
) -> None:
    chosen = msgspec.structs.replace(options, tokens=64 * 2 * 40, learning_rate=1e4, warmup_steps=20, evaluate_every=40)
    with pytest.raises(TrainingStopped):
        PretrainTrainer(make_model(chosen), make_plan(chosen), tmp_path).run()
