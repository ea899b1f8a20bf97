"""Files of a source to inputs of a reader: compressed files, zip and tar archives are read inside, never unpacked.

A range of a zip archive is a range of its bytes and owns the members that begin there; a tar or a compressed file
can only be read forwards and is one range.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple
from zipfile import BadZipFile

from siku_corpus.opening import (
    DAMAGE,
    Input,
    Member,
    TooLarge,
    decompressed,
    is_compressed,
    is_damage,
    transcoded,
)
from siku_corpus.records import Bad, Item, Refused
from siku_corpus.sources import Format, Reader
from siku_corpus.zips import Entry, iterate_entries, open_entry

WHOLE = 1 << 62
"""As a range's end: whatever there is."""
_TARS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
_MEMORY_BYTES = 16 << 20
_SHOWN_BYTES = 64 << 10
_SYSTEM_NAMES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


class Part(NamedTuple):
    """What a reader is called with."""

    file: Input
    member: str
    """Path inside the archive; empty for a file of its own."""
    start: int
    end: int


Found = Part | Refused | Bad
"""A part, or why there is none."""


def is_archive(name: str) -> bool:
    """Whether the name ends like an archive with members."""
    return name.lower().endswith((".zip", *_TARS))


def can_be_cut(name: str, format_: Format, *, encoding: str = "") -> bool:
    """Whether workers can start in the middle of a file called so; in a declared encoding it is read forwards."""
    if is_archive(name):
        return name.lower().endswith(".zip")
    return format_.divisible and not encoding and (not is_compressed(name) or name.lower().endswith(format_.opens))


def is_system_file(path: str) -> bool:
    """Whether it is what an operating system leaves beside a user's files, such as `__MACOSX/._1.txt`."""
    *folders, name = path.split("/")
    return "__MACOSX" in folders or name.startswith("._") or name in _SYSTEM_NAMES


def iterate_parts(
    file: Path,
    start: int,
    end: int,
    *,
    format_: Format,
    encoding: str = "",
    wanted: Callable[[str], bool] = lambda _: True,
) -> Iterator[Found]:
    """The parts of a file that belong to [start, end), each valid until the next is asked for.

    Args:
        file: of the source.
        start: first byte of the range.
        end: byte after its last.
        format_: of the source; says which compressions its reader opens itself.
        encoding: that the source declares; readers then see UTF-8.
        wanted: whether a member's path belongs to the source.
    """
    if is_system_file(file.name):
        if start == 0:
            yield Refused("0", "", "system_file")
    elif not is_archive(file.name):
        yield _transcoded(_single(file, "", start, end, format_), encoding)
    else:
        members = _zip_members if file.name.lower().endswith(".zip") else _tar_members
        try:
            for member in members(file, start, end):
                if wanted(member.path):
                    found = _member(member, format_)
                    yield _transcoded(found, encoding) if isinstance(found, Part) else found
        except (*DAMAGE, tarfile.TarError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            if start == 0 or not isinstance(error, BadZipFile):  # each range of a zip sees the same broken directory
                yield Bad("archive", f"broken archive: {error}", _head(file), offset=0)


class _Found(NamedTuple):
    path: str
    open: Callable[[], IO[bytes]]
    obstacle: str = ""


def _zip_members(file: Path, start: int, end: int) -> Iterator[_Found]:
    for entry in iterate_entries(file, start, end):
        yield _Found(entry.path, partial(open_entry, file, entry.info), _obstacle(entry))


def _obstacle(entry: Entry) -> str:
    return "it is encrypted; unpack it with its password" if entry.encrypted else ""


def _tar_members(file: Path, start: int, end: int) -> Iterator[_Found]:  # noqa: ARG001  forwards only
    """A tar is a stream, and readers open a file more than once: a member waits in memory, a large one on disk."""
    plain = file.name.lower().endswith(".tar")
    with (file if plain else decompressed(file)).open("rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for info in tar:
            if not info.isreg():
                continue
            content = tar.extractfile(info)
            assert content is not None  # it is a regular file
            with ExitStack() as stack:
                if info.size <= _MEMORY_BYTES:
                    yield _Found(info.name.removeprefix("./"), partial(io.BytesIO, content.read()))
                else:
                    copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="siku-member-"))
                    shutil.copyfileobj(content, copy, 1 << 20)
                    copy.flush()
                    yield _Found(info.name.removeprefix("./"), partial(_open, Path(copy.name)))


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _member(member: _Found, format_: Format) -> Found:
    if is_system_file(member.path):
        return Refused("0", "", "system_file", member=member.path)
    obstacle = member.obstacle
    if is_archive(member.path):
        obstacle = "an archive inside an archive; unpack the outer one"
    if obstacle:
        return Bad("archive", obstacle, b"", member=member.path)
    return _single(Member(member.path, member.open), member.path, 0, WHOLE, format_)


def _transcoded(part: Part, encoding: str) -> Part:
    return Part(transcoded(part.file, encoding), part.member, 0, WHOLE) if encoding else part


def _single(file: Input, member: str, start: int, end: int, format_: Format) -> Part:
    if is_compressed(file.name) and not file.name.lower().endswith(format_.opens):
        return Part(decompressed(file), member, 0, WHOLE)
    return Part(file, member, start, end)


def read_part(reader: Reader, part: Part) -> Iterator[Item]:
    """What the reader makes of a part; damage that it meets on the way ends it with a quarantined record."""
    try:
        yield from reader(part.file, part.start, part.end)
    except TooLarge as error:
        yield Bad("size", str(error), _head(part.file), offset=0)
    except DAMAGE as error:
        if not is_damage(error):
            raise
        detail = f"the data end in the middle or are broken ({error}); what was read before it is kept"
        yield Bad("archive", detail, _head(part.file))


def _head(file: Input) -> bytes:
    """The first bytes of a broken file, as far as they can be had."""
    try:
        with file.open("rb") as stream:
            return stream.read(_SHOWN_BYTES)
    except DAMAGE:
        return b""
