"""Several processes share a run: the same order, the same losses, and any number may go on with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.torch import load_file

from siku_manifests.errors import Interrupted
from siku_manifests.stage import Context
from siku_train import build
from siku_train.checkpoint import checkpoints, load_adapter, read_cursor
from siku_train.losses import LossFile
from siku_train.pretrain import CHECKPOINTS, LOSSES_FILE, PretrainTrainer
from siku_train.validation import total

Make = Callable[..., Context]


def train(context: Context) -> None:
    context.folder.mkdir(exist_ok=True)
    build.train(context, build.plan(context)[0], context.folder)


def losses(folder: Path) -> tuple[list[float], list[float]]:
    """Training losses of all steps and losses of all validations."""
    file = LossFile(folder / LOSSES_FILE)
    return [loss for _, loss in file.steps()], [total(scores).loss for scores in file.validations().values()]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_read_the_order_of_one(
    make_model: Any, make_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Any, count: int
) -> None:
    plan = make_plan(msgspec.structs.replace(options, batch=2, accumulation=4, tokens=64 * 8 * 3))
    trainer = PretrainTrainer(make_model(), plan, tmp_path)
    read: list[list[int]] = []
    for number in range(count):
        monkeypatch.setenv("RANK", str(number))
        monkeypatch.setenv("WORLD_SIZE", str(count))
        read.append([int(place) for place in trainer.get_train_dataloader().sampler])
    together = np.array(read).reshape(count, -1, 2).transpose(1, 0, 2).ravel()
    assert together.tolist() == list(range(24))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run by one process, filled by the first test that asks."""
    return tmp_path_factory.mktemp("alone")


@pytest.fixture
def run_alone(alone: Path, make_context: Make) -> Path:
    if not (alone / "adapter").exists():
        train(make_context(alone, accumulation=4, tokens=64 * 4 * 8))
    return alone


@pytest.fixture
def signal_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, int], None]]:
    """Send this process SIGTERM once a run has recorded so many lines."""
    threads, over = [], threading.Event()

    def start(folder: Path, lines: int) -> None:
        def watch() -> None:
            path = folder / LOSSES_FILE
            while not over.wait(0.01):
                if path.exists() and path.read_bytes().count(b"\n") >= lines:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        threads.append(threading.Thread(target=watch, daemon=True))
        threads[-1].start()

    yield start
    over.set()
    for thread in threads:
        thread.join()


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(run_alone: Path, make_context: Make, tmp_path: Path) -> None:
    train(make_context(tmp_path, accumulation=4, tokens=64 * 4 * 8, processes=2))
    for found, expected in zip(losses(tmp_path), losses(run_alone), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)  # dropout is on: it draws by place in the run
    assert (tmp_path / "result.json").exists()


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(
    run_alone: Path, make_context: Make, make_model: Any, tmp_path: Path, signal_after: Callable[[Path, int], None]
) -> None:
    changes = {"accumulation": 4, "tokens": 64 * 4 * 8, "save_every": 100}
    signal_after(tmp_path, 4)  # validation, two steps, validation
    with pytest.raises(Interrupted, match="a checkpoint was saved"):
        train(make_context(tmp_path, processes=2, **changes))
    stopped = read_cursor(checkpoints(tmp_path / CHECKPOINTS)[-1])
    assert stopped is not None
    assert 2 <= stopped.step < 8
    train(make_context(tmp_path, processes=1, **changes))
    for found, expected in zip(losses(tmp_path), losses(run_alone), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    load_adapter(make_model(), tmp_path / "adapter")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["qlora", "full"])
def test_a_divided_model_has_the_losses_of_a_whole_one_and_goes_on_as_one(
    make_context: Make, tmp_path: Path, signal_after: Callable[[Path, int], None], method: str
) -> None:
    changes = {"accumulation": 4, "tokens": 64 * 4 * 6, "save_every": 100, "method": method}
    train(make_context(tmp_path / "whole", **changes))
    signal_after(tmp_path / "divided", 4)
    with pytest.raises(Interrupted, match="a checkpoint was saved"):
        train(make_context(tmp_path / "divided", processes=2, sharding="full", **changes))
    train(make_context(tmp_path / "divided", **changes))
    for found, expected in zip(losses(tmp_path / "divided"), losses(tmp_path / "whole"), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    name = "model/model.safetensors" if method == "full" else "adapter/adapter_model.safetensors"
    found, expected = (load_file(tmp_path / part / name) for part in ("divided", "whole"))
    assert found.keys() == expected.keys()
    assert all(found[key].shape == expected[key].shape for key in found)


@pytest.mark.slow
def test_the_other_way_round(
    run_alone: Path, make_context: Make, tmp_path: Path, signal_after: Callable[[Path, int], None]
) -> None:
    changes = {"accumulation": 4, "tokens": 64 * 4 * 8, "save_every": 100}
    signal_after(tmp_path, 4)
    with pytest.raises(Interrupted):
        train(make_context(tmp_path, processes=1, **changes))
    train(make_context(tmp_path, processes=2, **changes))
    for found, expected in zip(losses(tmp_path), losses(run_alone), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
