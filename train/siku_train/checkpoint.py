"""Checkpoints: what a stopped run needs to go on as if it had never stopped, whole or absent.

    checkpoints/step-00000200/
        adapter_model.safetensors   trained weights, each once
        adapter_config.json
        optimizer.pt  scheduler.pt  rng_state.pth  trainer_state.json     in transformers' own form
        cursor.json                 where the run stands, and the size of every file above

A checkpoint is written under another name, flushed to the disk and renamed. The newest whose files have the
sizes that its cursor names is the one to go on from.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from peft import PeftModel
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from siku_manifests.atomic import PARTIAL_SUFFIX, sync_folder, write_json
from siku_manifests.errors import InputError, StorageError, storage_errors
from siku_train.sharding import whole

WEIGHTS_FILE = "adapter_model.safetensors"
MODEL_FILE = "model.safetensors"
CONFIG_FILE = "adapter_config.json"
CURSOR_FILE = "cursor.json"
NO_ROOM_BYTES = 16 * 2**20

Weights = dict[str, Tensor]
"""By the name that each is saved under."""

logger = logging.getLogger(__name__)


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands."""

    step: int
    """Optimiser steps done; the next window is this times the windows in a step."""
    losses_bytes: int
    """Length of losses.jsonl at that step; what a killed run wrote after it is cut off."""
    seconds: float
    """Spent in training steps so far, evaluation and saving left out."""
    files: dict[str, int] = {}
    """Bytes of every file of the checkpoint."""


@contextmanager
def tensor_file_errors(folder: Path) -> Iterator[None]:
    """Tell a full disk from a bug: torch and safetensors report it as errors of their own, without an errno.

    Raises:
        StorageError: writing failed, and there is no room left.
    """
    try:
        with storage_errors(folder):
            yield
    except (RuntimeError, SafetensorError) as error:
        if shutil.disk_usage(folder).free >= NO_ROOM_BYTES:
            raise
        msg = f"{folder}: cannot write, the disk is full; free some room or give another place with --out."
        raise StorageError(msg) from error


def trained_weights(model: Any) -> Weights:
    """Give what training changes by the names it is saved under, whole; to be called by all processes of a run at once.

    Args:
        model: a peft model, whose adapters, embedding and head these are, or any other, of which it is all.
    """
    if not isinstance(model, PeftModel):
        return {name: whole(weight.detach()) for name, weight in model.named_parameters()}
    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: whole(weight) for name, weight in found.items()}
    if model.get_base_model().config.tie_word_embeddings:
        # peft asks for a tied head by its own name, and safetensors writes no memory under two names
        weights = {name: weight.clone() for name, weight in weights.items()}
    return weights


def save_adapter(model: PeftModel, folder: Path, *, base: str, weights: Weights | None = None) -> None:
    """Write the trained weights, each once, and the adapter's configuration.

    peft's own default stores resized embeddings three times over (1,336 MB instead of 445 for two matrices of
    55,296 x 1,024), and a configuration whose lists change order from run to run.

    Args:
        model: the adapted model.
        folder: existing; `adapter_model.safetensors` and `adapter_config.json` are written.
        base: what the configuration names as the base model.
        weights: from `trained_weights`, which is asked where they are not given.
    """
    _write_weights(weights or trained_weights(model), folder / WEIGHTS_FILE)
    config = model.peft_config["default"].to_dict()
    config["base_model_name_or_path"] = base
    config["inference_mode"] = True
    write_json(folder / CONFIG_FILE, _plain(config))


def _write_weights(weights: Weights, path: Path) -> None:
    with tensor_file_errors(path.parent):
        written = {name: weight.contiguous() for name, weight in weights.items()}
        save_file(written, path, metadata={"format": "pt"} if path.name == MODEL_FILE else None)
        path.chmod(0o644)  # safetensors gives it to its owner alone


def save_trained(model: Any, folder: Path, *, base: str, weights: Weights | None = None) -> None:
    """Write what training changes: the adapter of a peft model, or the whole of any other.

    Args:
        model: the trained model.
        folder: existing.
        base: what the configuration names as the base model.
        weights: from `trained_weights`, which is asked where they are not given.
    """
    if isinstance(model, PeftModel):
        save_adapter(model, folder, base=base, weights=weights)
        return
    _write_weights(weights or trained_weights(model), folder / MODEL_FILE)
    model.config.save_pretrained(folder)


def load_trained(model: Any, folder: Path) -> None:
    """Put what `save_trained` wrote into a model that was built in the same way.

    Raises:
        InputError: the file is missing or damaged, or belongs to a model of another shape.
    """
    if isinstance(model, PeftModel):
        load_adapter(model, folder)
        return
    path = folder / MODEL_FILE
    try:
        saved = load_file(path)
        found = model.load_state_dict(saved, strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _unusable(path, error) from error
    wrong = [*found.unexpected_keys, *(name for name, _ in model.named_parameters() if name not in saved)]
    if wrong:
        raise _unusable(path, KeyError(f"{wrong[0]} is in one and not in the other"))


def _plain(value: Any) -> Any:
    """The value in JSON types only; sets become sorted lists, so that equal settings give equal bytes."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(str(item) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def load_adapter(model: PeftModel, folder: Path) -> None:
    """Put saved weights into a model that was built in the same way.

    Raises:
        InputError: the file is missing or damaged, or belongs to a model of another shape.
    """
    path = folder / WEIGHTS_FILE
    try:
        result = set_peft_model_state_dict(model, load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _unusable(path, error) from error
    if result.unexpected_keys:
        msg = f"{path}: holds {result.unexpected_keys[0]}, which this model lacks; it belongs to another recipe."
        raise InputError(msg)


def _unusable(path: Path, error: Exception) -> InputError:
    reason = str(error).strip().split("\n", 1)[0]
    return InputError(
        f"{path}: cannot be used ({reason}); remove {path.parent} to go on from the checkpoint before it."
    )


@contextmanager
def new_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """Give a folder to write a checkpoint into; it gets its name when the block ends without error.

    Raises:
        StorageError: no room or no permission.
    """
    final = folder / f"step-{step:08d}"
    partial = final.with_name(final.name + PARTIAL_SUFFIX)
    with storage_errors(folder):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            with tensor_file_errors(partial):
                yield partial
            for path in partial.iterdir():
                with path.open("rb+") as written:
                    os.fsync(written.fileno())
            sync_folder(partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.replace(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(folder)


def write_cursor(folder: Path, cursor: Cursor) -> None:
    """Write `cursor.json`, the last file of a checkpoint, with the sizes of the others."""
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    write_json(folder / CURSOR_FILE, msgspec.to_builtins(msgspec.structs.replace(cursor, files=sizes)))


def read_cursor(folder: Path) -> Cursor | None:
    """Read where a checkpoint stands; None if it is not whole."""
    try:
        cursor = msgspec.json.decode((folder / CURSOR_FILE).read_bytes(), type=Cursor)
        sizes = {name: (folder / name).stat().st_size for name in cursor.files}
    except (OSError, msgspec.MsgspecError):
        return None
    return cursor if sizes == cursor.files else None


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, oldest first, whole or not."""
    return sorted(path for path in folder.glob("step-*") if path.name[5:].isdigit())


def latest_checkpoint(folder: Path) -> Path | None:
    """Find the newest whole checkpoint; None if there is none."""
    for path in reversed(checkpoints(folder)):
        if read_cursor(path) is not None:
            return path
        logger.warning("%s is not whole and is passed over", path)
    return None


def keep_last(folder: Path, count: int) -> None:
    """Remove all but the newest `count` checkpoints, and what a kill left half written."""
    for path in [*checkpoints(folder)[:-count], *folder.glob(f"*{PARTIAL_SUFFIX}")]:
        shutil.rmtree(path)
