"""Compiled kernels: machine code from numba, kept on disk until a source that it was made from changes.

numba keeps code by the hash of the file that defines a function. A kernel that calls one of another module has that
one's code inlined, and would go on with it after an edit there. So the stamp here covers the module and all modules
of its room that it imports, directly or through others.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numba
from numba.core import caching

_IMPORT = re.compile(r"^from (siku_\w+(?:\.\w+)*) import (\([^)]*\)|.*)", re.MULTILINE)


def kernel(function: Callable[..., Any] | None = None, *, inline: Literal["never", "always"] = "never") -> Any:
    """Compile a function at its first call; the lock of the interpreter is free while it runs.

    It may call kernels and read constants of its own room's modules, which must be imported at the top of the module
    by `from siku_ROOM.MODULE import …`.

    Args:
        function: to be compiled; left out where the decorator is given options.
        inline: `always` puts it into its callers before types are known.
    """
    if function is None:
        return functools.partial(kernel, inline=inline)
    before = numba.config.CACHE_LOCATOR_CLASSES
    numba.config.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{name}" for name in ("Given", "InTree", "UserWide"))
    try:
        return numba.njit(nogil=True, cache=True, inline=inline)(function)
    finally:
        numba.config.CACHE_LOCATOR_CLASSES = before


class _Stamped:
    """What makes a locator of numba see changes in other modules."""

    _py_file: str

    def get_source_stamp(self) -> str:
        """Digest of all sources that the code is made from."""
        return source_stamp(Path(self._py_file))


class Given(_Stamped, caching.UserProvidedCacheLocator):
    """The folder of NUMBA_CACHE_DIR, if it is set."""


class InTree(_Stamped, caching.InTreeCacheLocator):
    """`__pycache__` beside the module, if it can be written."""


class UserWide(_Stamped, caching.UserWideCacheLocator):
    """The user's cache folder otherwise."""


@functools.cache
def source_stamp(module: Path) -> str:
    """Hexadecimal sha256 over a module that is being imported and the modules of its room that it imports."""
    digest = hashlib.sha256()
    for path in sorted(_sources(module)):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _sources(module: Path) -> set[Path]:
    """The files of a module and of all that it imports from its own folder."""
    found, waiting = set(), [module]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _imported(path):
            file = getattr(sys.modules.get(name), "__file__", None)
            if file is not None and Path(file).parent == module.parent:
                waiting.append(Path(file))
    return found


@functools.cache
def _imported(path: Path) -> list[str]:
    names = []
    for package, members in _IMPORT.findall(path.read_text(encoding="utf-8")):
        names += [package, *(f"{package}.{member}" for member in re.findall(r"\w+", members))]
    return names
