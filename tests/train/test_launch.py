"""Processes that are started together end together. Nothing heavy is imported: each process imports this module."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from siku_manifests.errors import InputError, SikuError
from siku_train.launch import rank, run_processes, world_size


def work_by_rank(folder: Path, what: str) -> None:
    """Leave a trace, then do what the test says; runs in another process."""
    (folder / f"{rank()} of {world_size()}").touch()
    if what == "error" and rank() == 1:
        msg = "the thing is not there; bring it."
        raise InputError(msg)
    if what == "killed" and rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if what != "end":
        time.sleep(60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("error", InputError, "^the thing is not there; bring it.$"),
        (
            "killed",
            SikuError,
            "^process 1 of 2 ended with signal 9, often because memory ran out; run the same command",
        ),
    ],
)
def test_one_that_fails_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: Any, message: str
) -> None:
    monkeypatch.setattr("siku_train.launch.GRACE_SECONDS", 0.5)
    with pytest.raises(error, match=message):
        run_processes(work_by_rank, (tmp_path, what), count=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 of 2", "1 of 2"]
    assert world_size() == 1  # nothing of it stays in this process
