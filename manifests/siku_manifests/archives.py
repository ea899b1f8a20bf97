"""Members of archives as streams: tar with any compression, zip and wheel, never unpacked as a whole.

A gzip stream can be read forwards only, so whoever wants many members of a tar takes them in one pass
(`iterate_members`, `unpack_members`); opening 900 of them one by one would decompress the archive 900 times.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from siku_manifests.errors import InputError

EVERYTHING = ("**/*",)
_TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIP_SUFFIXES = (".zip", ".whl")
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Member(NamedTuple):
    """A file inside an archive."""

    path: str
    """POSIX path; the leading folder that npm (`package/`) and sdists (`NAME-VERSION/`) add is left off."""
    bytes: int
    """Uncompressed size."""


def is_archive(path: Path) -> bool:
    """Whether the name says that this module can look inside."""
    return path.name.endswith(_TAR_SUFFIXES + _ZIP_SUFFIXES)


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    spelled = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(spelled.get(piece) or re.escape(piece) for piece in pieces))


def path_matches(path: str, globs: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Whether a POSIX path matches one of the patterns and none of the excluded ones.

    `*` and `?` stop at a slash; `**/` stands for any number of folders, none included.

    Example:
        path_matches("dist/songci/ci.song.0.json", ["dist/*/ci.*.json"]) -> True
    """
    return any(_pattern(glob).fullmatch(path) for glob in globs) and not any(
        _pattern(glob).fullmatch(path) for glob in exclude
    )


def list_members(archive: Path, globs: Sequence[str] = EVERYTHING, *, exclude: Sequence[str] = ()) -> list[Member]:
    """The files of an archive that match, sorted by path.

    Raises:
        InputError: not an archive, broken, or a member's name leaves the archive's root.
    """
    return sorted(member for member, _ in iterate_members(archive, globs, exclude=exclude))


def iterate_members(
    archive: Path, globs: Sequence[str] = EVERYTHING, *, exclude: Sequence[str] = ()
) -> Generator[tuple[Member, IO[bytes]]]:
    """Each matching file with a stream of its bytes, in archive order and one pass.

    A stream is valid until the next member is asked for; reading a broken one raises what tarfile or zipfile
    raise. Links, devices and folders are passed over.

    Raises:
        InputError: not an archive, broken, or a member's name leaves the archive's root.
    """
    with _broken_archive(archive):
        for member, stream in _members(archive):
            if path_matches(member.path, globs, exclude):
                with closing(stream()) as opened:
                    yield member, opened


@contextmanager
def open_member(archive: Path, path: str) -> Iterator[IO[bytes]]:
    """A stream of one file, valid inside the `with` block.

    In a compressed tar everything before the member is decompressed, O(archive).

    Raises:
        InputError: there is no such member.
    """
    with _broken_archive(archive), closing(iterate_members(archive)) as members:
        for member, stream in members:
            if member.path == path:
                yield stream
                return
    msg = f"{archive}: the archive has no member {path!r}."
    raise InputError(msg)


def unpack_members(
    archive: Path, folder: Path, *, globs: Sequence[str] = EVERYTHING, exclude: Sequence[str] = ()
) -> list[Member]:
    """Write the matching files below `folder` in one pass; gives them sorted by path.

    Raises:
        InputError: broken archive, or a member whose name would leave `folder`.
    """
    written = []
    with _broken_archive(archive):
        for member, stream in iterate_members(archive, globs, exclude=exclude):
            target = folder / member.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
            written.append(member)
    return sorted(written)


def _members(archive: Path) -> Iterator[tuple[Member, Callable[[], IO[bytes]]]]:
    """Every file with a function that opens it: of the members passed over a zip decompresses nothing."""
    if archive.name.endswith(_ZIP_SUFFIXES):
        with zipfile.ZipFile(archive) as opened_zip:
            for entry in opened_zip.infolist():
                if not entry.is_dir():
                    yield (
                        Member(_safe(entry.filename, archive), entry.file_size),
                        partial(opened_zip.open, entry),
                    )
        return
    with tarfile.open(archive, mode="r|*") as opened_tar:
        for info in opened_tar:
            if info.isreg():
                path = _without_wrapper(_safe(info.name, archive), archive)
                yield (
                    Member(path, info.size),
                    cast("Callable[[], IO[bytes]]", partial(opened_tar.extractfile, info)),
                )


def _without_wrapper(path: str, archive: Path) -> str:
    """Leave off a first folder that only repeats the archive's name, and npm's `package/`."""
    first, slash, rest = path.partition("/")
    stem = re.sub(r"\.(tgz|tar(\.\w+)?)$", "", archive.name)
    wrapper = first == stem or (first == "package" and archive.name.endswith(".tgz"))
    return rest if slash and wrapper else path


def _safe(name: str, archive: Path) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        msg = f"{archive}: member {name!r} points outside the archive, which is hostile or broken: do not use it."
        raise InputError(msg)
    return path.as_posix()


@contextmanager
def _broken_archive(archive: Path) -> Iterator[None]:
    if not archive.is_file():
        msg = f"{archive}: there is no such archive."
        raise InputError(msg)
    if not is_archive(archive):
        endings = ", ".join(_TAR_SUFFIXES + _ZIP_SUFFIXES)
        msg = f"{archive}: not an archive that Siku can read; its name should end in {endings}."
        raise InputError(msg)
    try:
        yield
    except _BROKEN as error:
        msg = f"{archive}: the archive is broken ({error}); fetch it again."
        raise InputError(msg) from error
