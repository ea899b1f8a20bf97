"""The environment of the peers, apart from ours because some would move the pinned pyarrow."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PEERS_HOME = REPOSITORY / ".venv-peers"
PEERS_PYTHON = PEERS_HOME / "bin" / "python"


def make_peers() -> None:
    """The peers' environment, once; without their own dependencies' pins, some of which exclude each other."""
    pins, stamp = REPOSITORY / "benchmarks" / "peers.txt", PEERS_HOME / "peers.txt"
    if stamp.is_file() and stamp.read_text() == pins.read_text():
        return
    venv.create(PEERS_HOME, with_pip=True, clear=True)
    install = [str(PEERS_HOME / "bin" / "pip"), "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(pins)], check=True)
    stamp.write_text(pins.read_text())
