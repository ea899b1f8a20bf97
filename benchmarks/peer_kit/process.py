"""A measured process: one thread for every library, and one line of JSON as its last word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def report_of(*command: object) -> dict[str, Any]:
    """Run a command in a folder where it may leave what it likes, and read what it printed last."""
    words = [str(word) for word in command]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            words, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False, cwd=folder
        )
    if done.returncode:
        sys.exit(f"{' '.join(words[1:])} failed:\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return report
