"""Killed outright at any moment, a run ends as if nothing had happened: the same losses, the same weights.

The libraries take ten seconds to import, so each run is a fork of this process instead of a process of its own; a
child counts the Python and C calls of its run and kills itself, without a chance to clean up, at one drawn before.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from siku_manifests.sections import Pretrain
from siku_train.checkpoint import WEIGHTS_FILE, save_adapter
from siku_train.pretrain import CHECKPOINTS, LOSSES_FILE, PretrainTrainer

POINTS = 10
STEPS = 8
SETTINGS: dict[str, Any] = {
    "length": 128,  # an epoch has 29 windows and a run 32
    "batch": 2,
    "accumulation": 2,
    "tokens": 128 * 4 * STEPS,
    "evaluate_every": 2,
    "save_every": 3,
    "loader_workers": 1,
    "dropout": 0.1,
}

Run = Callable[..., int]


@pytest.fixture
def run(make_model: Callable[..., Any], make_plan: Callable[..., Any], options: Pretrain) -> Run:
    """Train in a child, to the end or until call number `stop`; gives the number of calls, 0 if it was killed."""

    def train(folder: Path, optimizer: str, stop: int) -> None:
        chosen = msgspec.structs.replace(options, **SETTINGS, optimizer=optimizer)
        trainer = PretrainTrainer(make_model(chosen), make_plan(chosen), folder)
        calls, this = 0, os.getpid()

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1
            if calls == stop and os.getpid() == this:  # a loading worker inherits the count, and goes on counting
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        trainer.run()
        sys.setprofile(None)
        save_adapter(trainer.model, folder, base="base")
        (folder / "calls").write_text(str(calls))

    def begin(folder: Path, optimizer: str, stop: int = 0) -> int:
        folder.mkdir(exist_ok=True)
        child = os.fork()
        if child == 0:
            try:
                train(folder, optimizer, stop)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return 0
        assert os.WEXITSTATUS(status) == 0
        return int((folder / "calls").read_text())

    return begin


def end(folder: Path) -> tuple[str, str]:
    """What a run leaves: its losses and its adapter."""
    return tuple(hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (LOSSES_FILE, WEIGHTS_FILE))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU", "ignore:.*use of fork")
@pytest.mark.parametrize("optimizer", ["adamw_torch", "paged_adamw_32bit"])
def test_killed_anywhere_and_run_again_it_ends_the_same(run: Run, tmp_path: Path, optimizer: str) -> None:
    calls = run(tmp_path / "whole", optimizer)
    expected = end(tmp_path / "whole")
    places = np.random.default_rng(7 + len(optimizer)).integers(1, calls, POINTS)
    stood = set()
    for number, place in enumerate(sorted(places.tolist())):
        folder = tmp_path / f"killed-{number}"
        assert run(folder, optimizer, place) == 0
        found = sorted((folder / CHECKPOINTS).glob("step-*")) if (folder / CHECKPOINTS).is_dir() else []
        stood.add(len(found))
        assert run(folder, optimizer) > 0
        assert end(folder) == expected, f"killed at call {place} of {calls}"
    assert len(stood) > 1  # some were killed before the first checkpoint, some after
