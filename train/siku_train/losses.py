"""`losses.jsonl`: what every optimiser step and every validation found, a line each.

    {"step":0,"validation":{"poetry":{"nats":…,"tokens":…,"text_nats":…,"bytes":…},…}}
    {"step":1,"loss":10.94,"gradient_norm":1.7,"learning_rate":0.0002}

No time stands in it, so equal runs give equal files. A checkpoint remembers how long the file was; what a
killed run wrote after its last checkpoint is cut off before the run goes on.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests.errors import storage_errors
from siku_train.validation import Score


class LossFile:
    """The losses of a run.

    Args:
        path: of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.path.stat().st_size

    def append(self, step: int, **values: Any) -> None:
        """Add a line and see it to the disk.

        Raises:
            StorageError: no room or no permission.
        """
        with storage_errors(self.path), self.path.open("ab") as stream:
            stream.write(msgspec.json.encode({"step": step, **values}) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def cut(self, length: int) -> None:
        """Keep the first `length` bytes; a file that does not exist becomes an empty one."""
        with storage_errors(self.path):
            self.path.touch()
            os.truncate(self.path, length)

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_bytes().splitlines():
            yield msgspec.json.decode(line)

    def steps(self) -> list[tuple[int, float]]:
        """List (step, training loss in nats per token)."""
        return [(line["step"], line["loss"]) for line in self._lines() if "loss" in line]

    def validations(self) -> dict[int, dict[str, Score]]:
        """Give the scores of each source by the step that they were taken after."""
        return {
            line["step"]: msgspec.convert(line["validation"], dict[str, Score])
            for line in self._lines()
            if "validation" in line
        }
