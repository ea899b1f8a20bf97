"""Checkpoints: slim, whole or absent, and usable by peft itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from siku_manifests.errors import InputError, StorageError
from siku_manifests.sections import Pretrain, SeedModel
from siku_train import checkpoint
from siku_train.adapters import trainable_parameters
from siku_train.base import write_seed_base
from siku_train.checkpoint import Cursor
from siku_train.embeddings import NewPieces
from siku_train.model import build_model


def write(folder: Path, step: int, content: bytes = b"weights") -> Path:
    """A small checkpoint of one file."""
    with checkpoint.new_checkpoint(folder, step) as path:
        (path / "file").write_bytes(content)
        checkpoint.write_cursor(path, Cursor(step=step, losses_bytes=step, seconds=0.5))
    return folder / f"step-{step:08d}"


def test_an_adapter_holds_each_trained_weight_once(tmp_path: Path, options: Pretrain) -> None:
    # wide enough that what a file says about itself does not count
    shape = SeedModel(hidden=128, intermediate=256, layers=2, heads=2)
    write_seed_base(tmp_path / "base", shape, vocabulary=1024, seed=1)
    model = build_model(tmp_path / "base", options, pieces=NewPieces(1024, [[5]] * 1024), seed=1)
    checkpoint.save_adapter(model, tmp_path, base="base")
    trained = 4 * trainable_parameters(model)
    assert trained <= (tmp_path / checkpoint.WEIGHTS_FILE).stat().st_size <= 1.05 * trained


def test_an_adapter_comes_back(tmp_path: Path, make_model: Callable[..., Any]) -> None:
    model = make_model()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(1)
    checkpoint.save_adapter(model, tmp_path, base="base")
    fresh = make_model()
    checkpoint.load_adapter(fresh, tmp_path)
    expected = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for name, weight in fresh.named_parameters():
        if weight.requires_grad:
            assert weight.equal(expected[name]), name


def test_the_configuration_names_no_folder_of_this_machine(tmp_path: Path, make_model: Callable[..., Any]) -> None:
    checkpoint.save_adapter(make_model(), tmp_path, base="base")
    config = json.loads((tmp_path / checkpoint.CONFIG_FILE).read_text())
    assert config["base_model_name_or_path"] == "base"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["r"] == 8
    assert "/" not in (tmp_path / checkpoint.CONFIG_FILE).read_text()


def test_an_adapter_of_another_shape_is_refused(
    tmp_path: Path, make_model: Callable[..., Any], options: Pretrain
) -> None:
    checkpoint.save_adapter(make_model(), tmp_path, base="base")
    with pytest.raises(InputError, match="cannot be used"):
        checkpoint.load_adapter(make_model(msgspec.structs.replace(options, rank=16)), tmp_path)


def test_a_damaged_adapter_is_refused(tmp_path: Path, make_model: Callable[..., Any]) -> None:
    checkpoint.save_adapter(make_model(), tmp_path, base="base")
    weights = tmp_path / checkpoint.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be used"):
        checkpoint.load_adapter(make_model(), tmp_path)


def test_the_newest_whole_checkpoint_is_found(tmp_path: Path) -> None:
    assert checkpoint.latest_checkpoint(tmp_path) is None
    first, second = write(tmp_path, 5), write(tmp_path, 10)
    assert checkpoint.latest_checkpoint(tmp_path) == second
    (second / "file").write_bytes(b"cut")
    assert checkpoint.latest_checkpoint(tmp_path) == first
    (first / checkpoint.CURSOR_FILE).write_bytes(b"{")
    assert checkpoint.latest_checkpoint(tmp_path) is None


def test_a_kill_while_writing_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    first = write(tmp_path, 5)

    def write_half() -> None:
        with checkpoint.new_checkpoint(tmp_path, 10) as path:
            (path / "file").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=write_half)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert checkpoint.latest_checkpoint(tmp_path) == first
    checkpoint.keep_last(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with checkpoint.new_checkpoint(tmp_path, 10) as path:
            (path / "file").write_bytes(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_from_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> None:
        with checkpoint.new_checkpoint(tmp_path, 10):
            raise error

    said = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")  # torch's words
    with pytest.raises(RuntimeError):
        fail(said)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    with pytest.raises(StorageError, match="the disk is full"):
        fail(said)
    with pytest.raises(StorageError, match="the disk is full"):
        fail(SafetensorError("I/O error: No space left on device (os error 28)"))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, 5, b"old")
    assert (write(tmp_path, 5, b"new") / "file").read_bytes() == b"new"


def test_only_the_last_are_kept(tmp_path: Path) -> None:
    for step in (1, 9, 10, 100):
        write(tmp_path, step)
        checkpoint.keep_last(tmp_path, 2)
    assert [int(path.name[5:]) for path in checkpoint.checkpoints(tmp_path)] == [10, 100]


def test_the_file_is_plain_safetensors(tmp_path: Path, make_model: Callable[..., Any]) -> None:
    checkpoint.save_adapter(make_model(), tmp_path, base="base")
    names = set(load_file(tmp_path / checkpoint.WEIGHTS_FILE))
    assert {"base_model.model.lm_head.weight", "base_model.model.model.embed_tokens.weight"} <= names
    assert len(names) == 2 * 7 * 2 + 2
