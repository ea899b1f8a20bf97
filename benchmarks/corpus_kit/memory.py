"""How much memory a worker takes for a source that is larger than memory, with one line of 200 MB in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

RECIPE = """name = "large"
[[source]]
name = "large"
format = "jsonl"
where = "{folder}"
path = ["*.jsonl"]
license = "LicenseRef-mixed"
profile = "modern"
"""
LONG_LINE_BYTES = 200_000_000
ROOM = 2.5
"""Free disk for each byte of the source: itself, its parts, and the shards made of them."""


class Usage(NamedTuple):
    """What a run took."""

    worker_bytes: int
    """Largest resident set of any process below the command."""
    seconds: float
    said: str
    """The last lines of the command."""


def make(text: Path, folder: Path, *, size: int) -> None:
    """Repeat a file up to `size` bytes, a line of 200 MB in the middle of it.

    Raises:
        SystemExit: the disk has no room for it.
    """
    free = shutil.disk_usage(folder).free
    if free < ROOM * size:
        sys.exit(f"{folder}: {free / 1e9:.0f} GB are free, {ROOM * size / 1e9:.0f} GB are needed; choose --gigabytes")
    block = text.read_bytes()
    with (folder / "large.jsonl").open("wb") as stream:
        written = 0
        while written < size:
            if written <= size // 2 < written + len(block):
                stream.write(b'{"text":"' + b"x" * LONG_LINE_BYTES + b'"}\n')
            written += stream.write(block)


def build(folder: Path, *, workers: int) -> Usage:
    """Build the documents stage of the source in `folder`, and watch the memory of its processes."""
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(folder=folder))
    command = [sys.executable, "-m", "siku_manifests", "documents", str(recipe), "--out", str(folder / "build")]
    command += ["--workers", str(workers), "--set", "max_quarantine=1"]
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watch = _Watch(process.pid)
    watch.start()
    _, said = process.communicate()
    watch.done.set()
    watch.join()
    if process.returncode:
        sys.exit(f"the build failed:\n{said[-2000:]}")
    return Usage(watch.largest, time.monotonic() - begun, "\n".join(said.strip().splitlines()[-2:]))


class _Watch(threading.Thread):
    """Asks /proc twice a second for the high-water mark of all processes below one."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.largest = 0
        self._root = root

    def run(self) -> None:
        while not self.done.wait(0.5):
            self.largest = max([self.largest, *map(_peak, _below(self._root))])


def _below(root: int) -> list[int]:
    """A process and all that it started, directly or through others."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def _peak(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
