"""Text that comes inside published packages: pinned, fetched, cached, verified. Nothing is installed.

archive = fetch_package("npm:chinese-poetry@2.0.1", sha256)   # CACHE/packages/SHA256/….tgz
folder = unpack_package("npm:chinese-poetry@2.0.1", sha256, globs=["dist/songci/*.json"])
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from siku_manifests.archives import EVERYTHING, unpack_members
from siku_manifests.atomic import write_json
from siku_manifests.digest import sha256_file, sha256_value
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.registry import cache_folder, cache_room, fetch_npm, fetch_pypi, other_hash, parse_spec


def fetch_package(spec: str, sha256: str) -> Path:
    """The archive of a package, from the cache or the registry; its bytes are verified either way.

    Args:
        spec: `npm:NAME@VERSION` or `pypi:NAME==VERSION`.
        sha256: hexadecimal, of the archive (npm's .tgz, a source archive or a wheel).

    Raises:
        RecipeError: the spec is no pinned package, or there is no sha256.
        InputError: no such version, another hash, or the registry cannot be reached.
        StorageError: no room or no permission in the cache.
    """
    package = parse_spec(spec)
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        msg = f"{spec}: sha256 = {sha256!r} is not a hash; give the 64 hexadecimal digits of the archive."
        raise RecipeError(msg)
    packages = cache_folder() / "packages"
    slot = packages / sha256
    for cached in sorted(slot.glob("*")) if slot.is_dir() else []:
        if sha256_file(cached) == sha256:
            return cached
        cached.unlink()
    with cache_room(packages), tempfile.TemporaryDirectory(dir=packages, prefix=".fetch-") as scratch:
        fetch = fetch_npm if package.registry == "npm" else fetch_pypi
        archive = fetch(package, sha256, Path(scratch))
        actual = sha256_file(archive)
        if actual != sha256:
            raise other_hash(package, sha256, actual)
        slot.mkdir(exist_ok=True)
        return archive.replace(slot / archive.name)


def is_cached(sha256: str) -> bool:
    """Whether the archive with this hash lies in the cache, so that fetching it needs no network."""
    return any((cache_folder() / "packages" / sha256).glob("*"))


def unpack_package(spec: str, sha256: str, *, globs: Sequence[str] = EVERYTHING, exclude: Sequence[str] = ()) -> Path:
    """A cached folder with exactly the package's files that match, fetched and unpacked when first wanted.

    Every later call compares the files with the hashes taken when they came out of the verified archive.

    Raises:
        InputError: as `fetch_package`; or no file of the package matches.
        StorageError: no room or no permission in the cache.
    """
    folder = unpacked_folder(sha256, globs=globs, exclude=exclude)
    if folder.is_dir():
        index = _index_path(folder)
        if index.is_file() and _file_hashes(folder) == msgspec.json.decode(index.read_bytes()):
            return folder
        shutil.rmtree(folder)
    archive = fetch_package(spec, sha256)
    with (
        cache_room(folder.parent),
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as scratch,
    ):
        staged = Path(scratch) / "files"
        staged.mkdir()
        if not unpack_members(archive, staged, globs=globs, exclude=exclude):
            msg = f"{spec}: no file inside matches {', '.join(globs)}; look into {archive}."
            raise InputError(msg)
        write_json(_index_path(folder), _file_hashes(staged))
        try:
            staged.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster, with the same files
                raise
    return folder


def unpacked_folder(sha256: str, *, globs: Sequence[str] = EVERYTHING, exclude: Sequence[str] = ()) -> Path:
    """Where `unpack_package` puts a choice of a package's files, whether they are there or not."""
    choice = sha256_value([sha256, sorted(globs), sorted(exclude)])
    return cache_folder() / "members" / choice[:16]


def _index_path(folder: Path) -> Path:
    return folder.with_suffix(".json")


def _file_hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}
