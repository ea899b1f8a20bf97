"""What a stage is: its declaration, the unit of its work, and what its functions are handed.

A room declares its stages in a light module `stages.py`; the functions are named by import path, so that a
key can be computed, and a finished stage recognised, before pyarrow or torch is imported.

    plan(context)               -> list[Range]   a function of the inputs only, never of workers
    work(context, range_, out)  -> None          idempotent; writes into the empty folder `out`
    finish(context)             -> Outcome       one process; reads the parts, writes the final files

The same three run under any engine: a process pool here, tasks of a cluster or ranks of an array job elsewhere.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests.equation import Counts
from siku_manifests.errors import RecipeError
from siku_manifests.findings import Finding
from siku_manifests.manifest import Manifest, read_manifest
from siku_manifests.recipe import Recipe

PARTS = "parts"


class Phase(msgspec.Struct, frozen=True):
    """A step of a stage whose ranges are independent; the next phase starts when all are done."""

    name: str
    plan: str
    """`module:function`."""
    work: str
    resumable: bool = False
    """Keep a killed range's folder, because the work writes checkpoints into it."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration of a stage; everything in it that decides bytes enters the stage key."""

    name: str
    room: str
    """The package whose code does the work."""
    help: str
    """One line for people."""
    parents: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    """Fields of the recipe that the stage depends on."""
    free: tuple[str, ...] = ()
    """Knobs in them that decide no byte, as `section.knob`: when one is turned a run goes on, or stays done."""
    source_fields: tuple[str, ...] = ()
    """Fields of each `[[source]]` that it depends on."""
    portable: bool = True
    """Whether equal bytes are promised on every machine; false for what floating-point kernels decide."""
    reads_raw: bool = False
    """Whether it reads the sources themselves; only the first stage does."""
    uses: tuple[str, ...] = ()
    """Other rooms whose code it imports."""
    libraries: tuple[str, ...] = ()
    """Distributions whose version decides bytes."""
    phases: tuple[Phase, ...]
    finish: str
    counts: str = ""
    """`module:function` that reads the Counts of a finished range of the first phase, for a dry run that measures."""


class Range(msgspec.Struct, frozen=True):
    """One idempotent unit of a phase's work, small enough to be lost and redone."""

    number: int
    """Position in the plan; parts are read back in this order."""
    source: str = ""
    inputs: dict[str, Any] = {}
    """JSON values: all that `work` needs beyond the context."""
    weight: int = 1
    """Relative cost, usually bytes; moves the progress bar."""


class RawFile(msgspec.Struct, frozen=True, kw_only=True):
    """One raw file of a source; a package counts as one file, its archive."""

    source: str
    path: str
    """Relative to the source's root, POSIX; the archive's name for a package."""
    file: Path
    bytes: int
    sha256: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What every function of a stage is handed."""

    recipe: Recipe
    folder: Path
    """Where the stage is being built."""
    parents: dict[str, Path]
    """Finished folder of each parent."""
    raw: tuple[RawFile, ...] = ()
    workers: int = 1
    """Processes for ranges, or threads inside a phase's only one; bytes must never depend on it."""

    def part(self, phase: str, number: int) -> Path:
        """Folder of one finished range."""
        return self.folder / PARTS / phase / f"{number:05d}"

    def parts(self, phase: str) -> list[Path]:
        """Folders of all finished ranges of a phase, in the plan's order."""
        return sorted(p for p in (self.folder / PARTS / phase).iterdir() if p.name.isdigit())

    def parent_manifest(self, name: str) -> Manifest:
        """Manifest of a parent stage."""
        return read_manifest(self.parents[name])


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `finish` hands back for the manifest and the report."""

    shards: list[str]
    """Final files by POSIX path below the stage's folder; they carry the id."""
    counts: dict[str, Counts]
    findings: list[Finding] = []
    extra_files: list[str] = []
    """Files recorded by their bytes but outside the id: dropped documents, quarantine, logs."""
    environment: dict[str, str] = {}
    """Further versions and hashes worth recording, such as those of a library's dictionaries."""


def load_function(name: str) -> Callable[..., Any]:
    """The function behind `module:function`.

    Raises:
        RecipeError: it needs a library of an extra that is not installed.
    """
    module, _, attribute = name.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("siku_"):
            raise
        msg = f"{module} needs {error.name}, which is not installed; install Siku with pip install 'siku[train]'."
        raise RecipeError(msg) from error
    return function


def find_stage(name: str) -> Stage:
    """A declared stage by name, from whichever room registered it.

    Raises:
        RecipeError: no installed room declares it.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group="siku.stages")}
    if name not in points:
        msg = f"no stage is called {name!r}; there are {', '.join(sorted(points))}."
        raise RecipeError(msg)
    stage = points[name].load()
    if not isinstance(stage, Stage):
        msg = f"entry point siku.stages:{name} is not a Stage."
        raise TypeError(msg)
    return stage


def chain(last: str) -> list[Stage]:
    """A stage and all its ancestors, parents first."""
    ordered: list[Stage] = []

    def visit(name: str) -> None:
        if any(stage.name == name for stage in ordered):
            return
        stage = find_stage(name)
        for parent in stage.parents:
            visit(parent)
        ordered.append(stage)

    visit(last)
    return ordered
