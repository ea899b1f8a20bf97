"""One writer per output folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siku_manifests.atomic import make_folder
from siku_manifests.errors import LockedError, storage_errors

LOCK_FILE = ".lock"


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the kernel lets go of it however the process ends.

    Raises:
        LockedError: another process holds it; the message gives its number.
    """
    path = folder / LOCK_FILE
    make_folder(folder)
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            msg = f"{folder}: process {holder} is working here; wait for it to end, or give another place with --out."
            raise LockedError(msg) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
