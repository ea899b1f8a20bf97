"""What both benchmarks of this room need: the peers' environment and the sample's stages."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from siku_manifests.recipe import Recipe, load_recipe
from siku_manifests.runner import resolve

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PEERS_HOME = REPOSITORY / ".venv-peers"
PEERS_PYTHON = PEERS_HOME / "bin" / "python"
COMMANDS = {"documents": "documents", "dedup": "corpus", "tokenizer": "tokenizer"}


def make_peers() -> None:
    """The peers' environment, once; without their own dependencies' pins, some of which exclude each other."""
    pins, stamp = REPOSITORY / "benchmarks" / "peers.txt", PEERS_HOME / "peers.txt"
    if stamp.is_file() and stamp.read_text() == pins.read_text():
        return
    venv.create(PEERS_HOME, with_pip=True, clear=True)
    install = [str(PEERS_HOME / "bin" / "pip"), "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(pins)], check=True)
    stamp.write_text(pins.read_text())


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
