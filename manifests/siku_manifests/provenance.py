"""Where and with what a build was made: versions for the manifest, times and machine for `run.json`."""

from __future__ import annotations

import datetime
import os
import platform
import resource
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any

from siku_manifests.digest import library_versions


def environment(libraries: Iterable[str]) -> dict[str, str]:
    """Versions that may decide bytes: Python, its Unicode data, the stage's libraries."""
    return {
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
        **library_versions(libraries),
    }


def run_record(*, started: float, workers: int, seconds: dict[str, float]) -> dict[str, Any]:
    """Times (UTC), seconds of each phase, machine and peak memory in MB; never part of an id.

    Peak memory is the largest of this process and any one of its workers.
    """
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "started": datetime.datetime.fromtimestamp(started, datetime.UTC).isoformat(timespec="seconds"),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "workers": workers,
        "peak_memory_mb": kilobytes // 1024,
        "host": platform.node(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
        "system": platform.platform(),
        "command": sys.argv,
    }
