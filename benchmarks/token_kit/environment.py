"""What both benchmarks of this room need: the stages of the sample."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from peer_kit.environment import REPOSITORY

from siku_manifests.recipe import Recipe, load_recipe
from siku_manifests.runner import resolve

COMMANDS = {"documents": "documents", "dedup": "corpus", "tokenizer": "tokenizer"}


def sample_recipe() -> Recipe:
    """The recipe of the embedded sample."""
    return load_recipe(str(REPOSITORY / "manifests" / "sample"))


def build_sample(out: Path, *, until: str) -> dict[str, Path]:
    """Folders of the sample's stages up to the one that command `until` builds; those that are there are kept."""
    folders = {}
    for command, stage in COMMANDS.items():
        arguments = [sys.executable, "-m", "siku_manifests", command, "sample", "--out", str(out)]
        subprocess.run(arguments, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        folders[stage] = resolve(stage, sample_recipe(), out=out).folder
        if command == until:
            break
    return folders
