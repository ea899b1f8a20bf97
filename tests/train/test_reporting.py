"""Where losses and speed go while a run lasts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_train.cards import CARDS
from siku_train.meter import Meter, model_flops, note, peak_memory
from siku_train.pretrain import PretrainTrainer
from siku_train.reporting import outside_reporters, reporters


def test_tensorboard_files_hold_the_losses(
    make_model: Callable[..., Any], make_plan: Callable[..., Any], options: Pretrain, tmp_path: Path
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    chosen = msgspec.structs.replace(options, report_to=("tensorboard",), tokens=64 * 2 * 4)
    trainer = PretrainTrainer(make_model(chosen), make_plan(chosen), tmp_path)
    trainer.run()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    written = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert written == [(step, pytest.approx(loss, rel=1e-6)) for step, loss in trainer.losses.steps()]
    assert {"train/tokens_per_second", "train/memory_gb", "eval/loss", "eval/odd_bits_per_byte"} <= set(
        events.Tags()["scalars"]
    )


def test_without_tensorboard_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys.modules["siku_train.reporting"], "is_tensorboard_available", lambda: False)
    assert reporters(Pretrain(), tmp_path) == []
    assert "pip install 'siku[train]'" in caplog.text


def test_others_are_left_to_transformers_and_unknown_ones_refused(tmp_path: Path) -> None:
    assert outside_reporters(Pretrain(report_to=("tensorboard", "wandb"))) == ["wandb"]
    assert reporters(Pretrain(report_to=()), tmp_path) == []
    with pytest.raises(RecipeError, match=r"'telex' is not known; there are .*wandb"):
        outside_reporters(Pretrain(report_to=("telex",)))


def test_the_meter_counts_tokens_and_the_share_of_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 5.0, 7.0])
    monkeypatch.setattr("siku_train.meter.time.monotonic", lambda: next(clock))
    meter = Meter(6e9, CARDS["a100-80"])
    for _ in range(2):
        meter.start()
        meter.stop(10_000)
    found = meter.values(devices=2)
    assert meter.seconds == 4.0
    assert found["tokens_per_second"] == 5000
    assert found["mfu"] == pytest.approx(5000 * 6e9 / (2 * 312e12))
    assert note(3.2141, {**found, "memory_gb": 21.44}) == "loss 3.214, 5,000 tokens/s, MFU 5%, 21.4 GB"
    assert "mfu" not in Meter(6e9, None).values()
    assert peak_memory() > 1e8


def test_frozen_weights_cost_four_operations_and_trained_six(make_model: Callable[..., Any]) -> None:
    linear = torch.nn.Sequential(torch.nn.Linear(10, 20), torch.nn.Linear(20, 10))
    linear[0].weight.requires_grad_(False)
    assert model_flops(linear) == 4 * 200 + 6 * 200
    layers, head, adapters = 2 * 7 * 64 * 64, 384 * 64, 2 * 7 * 8 * 128
    # NF4 keeps two weights in a byte, which must not halve the count; peft keeps the frozen head beside the trained
    assert model_flops(make_model()) == 4 * layers + 6 * head + 6 * adapters
