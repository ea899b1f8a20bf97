"""Every error that Siku raises on purpose, and the exit status each one means.

    SikuError                 1   a bug, or something nobody foresaw
    ├── RecipeError           2   the recipe or the command line asks for something impossible
    ├── InputError            2   a file or package that the recipe names is missing or is not what it claims
    ├── QuarantineExceeded    3   the build is complete and usable, but more was quarantined than allowed
    ├── VerificationError     4   what lies on disk is not what the manifest says
    ├── StorageError          5   no room, or no permission
    ├── TrainingStopped       6   the loss is no number or leaps; the checkpoint from before it is kept
    ├── LockedError          75   another process works in the same folder
    └── Interrupted         130   stopped by a signal; the same command goes on from here

A message names the thing, the place, what was expected and how to mend it, in a sentence or two: it is
all that a user sees.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar


class SikuError(Exception):
    """Base of all; `exit_status` is what the command ends with."""

    exit_status: ClassVar[int] = 1


class RecipeError(SikuError):
    """The recipe, an override or a command-line option cannot be used as it stands."""

    exit_status = 2


class InputError(SikuError):
    """A raw file, package or parent stage is missing, or is not what the recipe says it is."""

    exit_status = 2


class QuarantineExceeded(SikuError):  # noqa: N818  a state of a finished build
    """The build finished, but set aside more bad records than `max_quarantine`."""

    exit_status = 3


class VerificationError(SikuError):
    """A file, a count or an id differs from its manifest."""

    exit_status = 4


class StorageError(SikuError):
    """The disk is full, read-only, or closed to this user."""

    exit_status = 5


class TrainingStopped(SikuError):  # noqa: N818  what the run did, no fault of the program
    """A training run ended itself because its loss is not a number or leaps; its checkpoints are kept."""

    exit_status = 6


class LockedError(SikuError):
    """Another process holds the output folder."""

    exit_status = 75


class Interrupted(SikuError):  # noqa: N818  what the user did, no fault
    """A signal ended the run; finished work is kept and a rerun continues."""

    exit_status = 130


_STORAGE_ERRNOS = {
    errno.ENOSPC: "the disk is full; free some room or give another place with --out",
    errno.EDQUOT: "the disk quota is used up; free some room or give another place with --out",
    errno.ENOTDIR: "a file is where a folder should be; give another place with --out",
    errno.EEXIST: "a file is where a folder should be; give another place with --out",
    errno.ENAMETOOLONG: "its name is too long; give a shorter place with --out",
    errno.EROFS: "the file system is read-only; give another place with --out",
    errno.EACCES: "permission is denied; change the owner or give another place with --out",
    errno.EPERM: "permission is denied; change the owner or give another place with --out",
}


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an OSError that means "no room" or "no permission" into a StorageError about `path`.

    pyarrow raises plain OSError with an errno where it can; anything else passes through unchanged.
    """
    try:
        yield
    except OSError as error:
        mend = _STORAGE_ERRNOS.get(error.errno or 0)
        if mend is None:
            raise
        msg = f"{error.filename or path}: cannot write, {mend}."
        raise StorageError(msg) from error
