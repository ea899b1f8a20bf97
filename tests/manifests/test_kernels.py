"""Compiled code is used again by the next process, and not when a source that it was made from has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INNER = """
from siku_manifests.kernels import kernel

@kernel
def twice(x):
    return {factor} * x
"""
MIDDLE = """
from siku_toy.inner import twice
from siku_manifests.kernels import kernel

@kernel(inline="always")
def through(x):
    return twice(x)
"""
OUTER = """
from siku_toy.middle import through
from siku_manifests.kernels import kernel

@kernel
def outer(x):
    return through(x) + 1
"""
RUN = """
from siku_toy.outer import outer
print(outer(5), sum(outer.stats.cache_hits.values()))
"""


def write(folder: Path, *, factor: int) -> None:
    room = folder / "siku_toy"
    room.mkdir(exist_ok=True)
    (room / "__init__.py").touch()
    (room / "outer.py").write_text(OUTER)
    (room / "middle.py").write_text(MIDDLE)
    (room / "inner.py").write_text(INNER.format(factor=factor))


def run(folder: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", RUN],
        env=os.environ | {"PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_change_in_a_module_two_imports_away_is_seen(tmp_path: Path) -> None:
    write(tmp_path, factor=2)
    assert run(tmp_path) == ["11", "0"]
    assert run(tmp_path) == ["11", "1"]
    write(tmp_path, factor=3)
    assert run(tmp_path) == ["16", "0"]
    assert run(tmp_path) == ["16", "1"]


def test_the_folder_for_compiled_code_can_be_given(tmp_path: Path) -> None:
    write(tmp_path, factor=2)
    cache = tmp_path / "cache"
    assert run(tmp_path, NUMBA_CACHE_DIR=str(cache)) == ["11", "0"]
    assert list(cache.rglob("*.nbc"))
    assert run(tmp_path, NUMBA_CACHE_DIR=str(cache)) == ["11", "1"]
