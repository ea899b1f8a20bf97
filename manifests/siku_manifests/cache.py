"""What the cache holds of sources with a public address; nothing here asks a server.

CACHE/files/SHA256/NAME          every fetched file, by its content
CACHE/addresses/KEY.json         which content an address had, for what no hash names beforehand
CACHE/repositories/KEY.json      the list of a repository's files at a revision
CACHE/downloads/KEY/             a download under way; KEY.lock keeps a second process out of it
CACHE/members/KEY/               links to the files of one source, under the paths that they have in it
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from siku_manifests.addresses import HUB_PREFIX, Repository, expand, parse_repository
from siku_manifests.archives import path_matches
from siku_manifests.atomic import sync_folder, write_json
from siku_manifests.digest import sha256_file, sha256_value
from siku_manifests.errors import InputError
from siku_manifests.registry import cache_folder, cache_room
from siku_manifests.sections import Source


class RepositoryFile(msgspec.Struct, frozen=True):
    """A file of a repository at a commit."""

    path: str
    bytes: int
    sha256: str = ""
    """Of a file in LFS."""
    git_blob: str = ""
    """git's hash of any other."""


class Listing(msgspec.Struct, frozen=True):
    """The files of a repository at a commit, its card and dot files left out."""

    commit: str
    files: tuple[RepositoryFile, ...]


class RemoteFile(NamedTuple):
    """A file that a source names, with all that is known of it before it is fetched."""

    path: str
    """In the source, POSIX."""
    address: str
    """As the recipe has it; `hf:NAME@COMMIT/PATH` of a repository's file."""
    bytes: int | None = None
    sha256: str = ""
    git_blob: str = ""
    repository: Repository | None = None
    """At the commit; None for a file with an address of its own."""


class FetchedFile(NamedTuple):
    """A file of a source in the cache."""

    path: str
    file: Path
    bytes: int
    sha256: str


class Record(msgspec.Struct, frozen=True):
    """What an address had when it was fetched."""

    address: str
    bytes: int
    sha256: str


class Fetched(NamedTuple):
    """A source that is in the cache."""

    files: tuple[FetchedFile, ...]
    sha256: str
    """What `sha256` of the source would pin it by."""
    revision: str = ""
    """Commit that a branch or tag of a repository was at."""


def known(source: Source) -> Fetched | None:
    """A source as the cache has it, without any question to a server; None where a file is missing."""
    revision = ""
    if source.where.startswith(HUB_PREFIX):
        repository = parse_repository(source.where)
        listing = known_listing(repository)
        if listing is None:
            return None
        wanted, revision = repository_files(source, repository, listing), listing.commit
    else:
        wanted = web_files(source)
    files = [find(file) for file in wanted]
    present = tuple(file for file in files if file)
    return as_fetched(source, present, revision) if len(present) == len(files) else None


def find(file: RemoteFile) -> FetchedFile | None:
    """A file in the cache, by its content where that is known beforehand, else by its address."""
    sha256 = file.sha256
    if not sha256:
        try:
            record = msgspec.json.decode(_record_file(file.address).read_bytes(), type=Record)
        except (OSError, msgspec.MsgspecError):
            return None
        sha256 = record.sha256
    slot = cache_folder() / "files" / sha256
    for present in sorted(slot.glob("*")) if slot.is_dir() else []:
        return FetchedFile(file.path, present, present.stat().st_size, sha256)
    return None


def source_folder(source: Source) -> Path:
    """A folder with the files of a source under the paths that they have in it, as links into the cache.

    Raises:
        InputError: a file is not in the cache.
    """
    fetched = known(source)
    if fetched is None:
        msg = f"source {source.name}: {source.where} is not in the cache of this machine; run siku fetch there first."
        raise InputError(msg)
    folder = cache_folder() / "members" / sha256_value([[file.path, file.sha256] for file in fetched.files])[:16]
    if all((folder / file.path).is_file() for file in fetched.files):
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # links to what somebody removed and fetched anew
    with cache_room(folder.parent), tempfile.TemporaryDirectory(dir=folder.parent, prefix=".link-") as scratch:
        staged = Path(scratch, "files")
        for file in fetched.files:
            link = staged / file.path
            link.parent.mkdir(parents=True, exist_ok=True)
            here = folder / file.path  # where the link will lie when it is followed
            link.symlink_to(os.path.relpath(file.file, here.parent))
        try:
            staged.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster, with the same links
                raise
    return folder


def list_sha256(files: Sequence[FetchedFile]) -> str:
    """The hash that pins a source: of its file, or of the list that `sha256sum` prints of several, sorted by path."""
    if len(files) == 1:
        return files[0].sha256
    lines = sorted((file.path, f"{file.sha256}  {file.path}\n") for file in files)
    return hashlib.sha256("".join(line for _, line in lines).encode()).hexdigest()


def as_fetched(source: Source, files: tuple[FetchedFile, ...], revision: str) -> Fetched:
    """Put the files of a source together and compare them with its pin.

    Raises:
        InputError: the recipe pins others.
    """
    sha256 = list_sha256(files)
    if source.sha256 and sha256 != source.sha256:
        what = "file has" if len(files) == 1 else f"list of {len(files):,} files has"
        msg = (
            f"{source.where}: the {what} sha256 {sha256}, the recipe expects {source.sha256}; one of the two "
            f"was changed, so find out which before you correct the recipe."
        )
        raise InputError(msg)
    return Fetched(files, sha256, revision)


def web_files(source: Source) -> list[RemoteFile]:
    """The files that the address of a source stands for."""
    files = expand(source.where)
    pin = source.sha256 if len(files) == 1 else ""
    return [RemoteFile(path, address, sha256=pin) for path, address in files.items()]


def repository_files(source: Source, repository: Repository, listing: Listing) -> list[RemoteFile]:
    """The files of a repository that belong to a source.

    Raises:
        InputError: none does.
    """
    at = repository.at(listing.commit)
    files = [
        RemoteFile(file.path, f"{at}/{file.path}", file.bytes, file.sha256, file.git_blob, at)
        for file in listing.files
        if path_matches(file.path, source.path, source.exclude)
    ]
    if not files:
        names = ", ".join(file.path for file in listing.files[:5])
        msg = (
            f"no file of {repository.shown} matches {', '.join(source.path)}; it has "
            f"{len(listing.files):,} files{': ' + names if names else ''}{' …' if len(listing.files) > 5 else ''}."
        )
        raise InputError(msg)
    return files


def known_listing(repository: Repository) -> Listing | None:
    """The list of a repository's files, if it was asked for before."""
    path = _listing_file(repository)
    try:
        return _read_listing(path, path.stat().st_mtime_ns)
    except (OSError, msgspec.MsgspecError):
        return None


@lru_cache(maxsize=16)
def _read_listing(path: Path, changed: int) -> Listing:  # noqa: ARG001  changed: a newer file is read anew
    """A list may have 100,000 files, and each range of a source asks for it."""
    return msgspec.json.decode(path.read_bytes(), type=Listing)


def keep_listing(repository: Repository, listing: Listing) -> None:
    """Remember the list of a repository's files; of a branch, where it was when it was asked for."""
    for revision in {repository, repository.at(listing.commit)}:
        write_json(_listing_file(revision), msgspec.to_builtins(listing))


def keep_file(file: RemoteFile, part: Path) -> FetchedFile:
    """Move verified bytes to their place and remember which address they came from."""
    record = Record(file.address, part.stat().st_size, file.sha256 or sha256_file(part))
    slot = cache_folder() / "files" / record.sha256
    slot.mkdir(parents=True, exist_ok=True)
    target = part.replace(slot / Path(file.path).name)
    sync_folder(slot)
    write_json(_record_file(file.address), msgspec.to_builtins(record))
    return FetchedFile(file.path, target, record.bytes, record.sha256)


def download_folder(file: RemoteFile) -> Path:
    """Where a download of the file lies while it is under way."""
    return cache_folder() / "downloads" / _key(file.address)


def _listing_file(repository: Repository) -> Path:
    return cache_folder() / "repositories" / f"{_key(str(repository))}.json"


def _record_file(address: str) -> Path:
    return cache_folder() / "addresses" / f"{_key(address)}.json"


def _key(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:32]
