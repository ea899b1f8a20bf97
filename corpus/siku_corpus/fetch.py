"""Where a source's raw files lie: its own folder, the unpacked part of a package, or links to fetched files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from siku_corpus.containers import is_archive
from siku_manifests.addresses import WEB_PREFIXES, expand, is_remote
from siku_manifests.cache import source_folder
from siku_manifests.packages import unpack_package, unpacked_folder
from siku_manifests.raw import is_package
from siku_manifests.sections import Source
from siku_manifests.stage import RawFile


class SourceFile(NamedTuple):
    """A raw file as ranges name it."""

    path: str
    """Below the source's root, POSIX."""
    bytes: int


def source_files(source: Source, raw: tuple[RawFile, ...]) -> list[SourceFile]:
    """The files of a source, sorted by path; a package is fetched, verified and unpacked.

    Args:
        source: of the recipe.
        raw: what the runner found; for a package that is its archive, whose members are listed here.

    Raises:
        InputError: the package cannot be fetched, or none of its files matches.
        StorageError: no room in the cache.
    """
    if not is_package(source):
        return sorted(SourceFile(file.path, file.bytes) for file in raw if file.source == source.name)
    root = unpack_package(source.where, source.sha256, globs=source.path, exclude=source.exclude)
    files = (path for path in root.rglob("*") if path.is_file())
    return sorted(SourceFile(path.relative_to(root).as_posix(), path.stat().st_size) for path in files)


def source_root(source: Source) -> Path:
    """The folder below which a source's paths are found, on whichever machine a range is worked on.

    Raises:
        InputError: a package is not in this machine's cache and cannot be fetched, or fetched files are not there.
    """
    if is_remote(source.where):
        return source_folder(source)
    if not is_package(source):
        root = Path(source.where)
        return root.parent if root.is_file() else root
    folder = unpacked_folder(source.sha256, globs=source.path, exclude=source.exclude)
    if not folder.is_dir():
        unpack_package(source.where, source.sha256, globs=source.path, exclude=source.exclude)
    return folder


def chooses_members(source: Source) -> bool:
    """Whether the patterns of a source choose among the members of archives instead of files."""
    if is_package(source):
        return False
    if source.where.startswith(WEB_PREFIXES):
        return any(is_archive(path) for path in expand(source.where))
    return is_archive(source.where) and Path(source.where).is_file()
