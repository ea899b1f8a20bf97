"""A file from a web server, whole and verified, however often the connection is cut.

What has come lies in FOLDER/bytes.part, what is known of it in FOLDER/state.json, so that a killed download goes on.
Going on asks for the rest under the condition that the file is the same (`If-Range`); a server that ignores the
question, or has another file by now, sends all of it. Where a server gives no mark of its version, the rest is asked
for only if a hash will tell in the end.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from siku_manifests.atomic import write_bytes
from siku_manifests.digest import sha256_file
from siku_manifests.errors import InputError, StorageError
from siku_manifests.progress import Progress
from siku_manifests.registry import no_room
from siku_manifests.report.legible import size as legible
from siku_manifests.web import Passing, Patience, Question, ask, patiently

CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_CUT = "check the network or the proxy; the same command goes on from there"


class Wanted(NamedTuple):
    """A file and all that is known of it beforehand."""

    question: Question
    label: str
    """For the progress bar."""
    bytes: int | None = None
    sha256: str = ""
    git_blob: str = ""
    """git's own hash of the file, which is all that a repository says of a small one."""

    @property
    def is_pinned(self) -> bool:
        """Whether a hash will tell if the right bytes came."""
        return bool(self.sha256 or self.git_blob)


class State(msgspec.Struct, frozen=True):
    """What is known of the bytes that have come."""

    url: str = ""
    version: str = ""
    """The server's mark: a strong entity tag, else the date of the last change."""
    total: int | None = None


class Download:
    """A download in a folder of its own.

    Args:
        wanted: the file.
        folder: for its bytes; what lies there from an earlier run is used.
        patience: how long faults are borne.
        say: receives lines for people.
    """

    def __init__(self, wanted: Wanted, folder: Path, *, patience: Patience, say: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._part = folder / "bytes.part"
        self._state_file = folder / "state.json"
        self._patience = patience
        self._say = say
        self._went_on = False

    def run(self) -> Path:
        """Bring the file; gives the path of its bytes, which are verified and flushed to disk.

        Raises:
            InputError: it cannot be had, or is another file than the recipe names.
            StorageError: there is no room for it.
        """
        name = self._wanted.question.subject
        for last in (False, True):
            patiently(self._attempt, self._wanted.question, patience=self._patience, say=self._say, reached=self._size)
            problem = self._problem()
            if not problem:
                break
            self._discard()
            if last or not self._went_on:
                msg = f"{name}: {problem}"
                raise InputError(msg)
            self._say(f"{name}: the parts do not fit together; fetching it from the start")
        with self._part.open("rb+") as written:
            os.fsync(written.fileno())
        return self._part

    def _attempt(self) -> None:
        """Ask for what is missing and append it."""
        state, have = self._state(), self._size()
        if have and have == state.total:
            return
        same_place = state.url == self._wanted.question.url
        if have and not (self._wanted.is_pinned or (same_place and state.version)):
            self._discard()
            have = 0
        asked: dict[str, str] = {}
        if have:
            asked["Range"] = f"bytes={have}-"
            if same_place and state.version:
                asked["If-Range"] = state.version
        question = self._wanted.question
        with ask(question._replace(headers={**question.headers, **asked}), timeout=self._patience.timeout) as answer:
            start, total = self._place(answer, have, state if same_place else State())
            if answer.status == 416:
                return
            self._check_kind(answer, total)
            self._check_room(total, start)
            self._went_on = self._went_on or start > 0
            write_bytes(self._state_file, msgspec.json.encode(State(question.url, _version(answer.headers), total)))
            with self._part.open("r+b" if start else "wb") as part:
                part.seek(start)
                part.truncate()
                self._copy(answer, part, start=start, total=total)

    def _place(self, answer: http.client.HTTPResponse, have: int, state: State) -> tuple[int, int | None]:
        """Where the body begins in the file, and how long the file is.

        Raises:
            Passing: the answer does not fit what is there, which is given up.
        """
        said = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        total = int(said[3]) if said and said[3] != "*" else None
        if answer.status == 200:
            length = answer.headers.get("Content-Length", "")
            return 0, int(length) if length.isdigit() else None
        if answer.status == 416 and total == have:
            return have, total  # all had come when the last run ended
        version = _version(answer.headers)
        changed = bool(state.version and version and version != state.version) or state.total not in {None, total}
        if answer.status != 206 or not said or said[1] is None or int(said[1]) != have or changed:
            self._discard()
            raise Passing("the rest does not fit what is there", mend="try a mirror")
        return have, total

    def _check_kind(self, answer: http.client.HTTPResponse, total: int | None) -> None:
        wanted = self._wanted
        kind = answer.headers.get_content_type()
        if not wanted.is_pinned and kind == "text/html" and not wanted.label.lower().endswith((".html", ".htm")):
            msg = (
                f"{wanted.question.subject}: what comes is a web page and no file, most often a notice or a log-in; "
                f"find the file's own address, or pin its sha256."
            )
            raise InputError(msg)
        packed = answer.headers.get("Content-Encoding", "identity").lower() != "identity"
        if packed and not wanted.is_pinned and not wanted.label.lower().endswith((".gz", ".tgz")):
            msg = (
                f"{wanted.question.subject}: the server packs the file although it was asked not to; pin the sha256 of "
                f"what it is to be, or try a mirror."
            )
            raise InputError(msg)
        if total is None and not wanted.is_pinned and not answer.chunked:
            msg = (
                f"{wanted.question.subject}: the server does not say how long the file is, so a cut would not be "
                f"noticed; pin its sha256."
            )
            raise InputError(msg)
        if wanted.bytes is not None and total not in {None, wanted.bytes}:
            msg = (
                f"{wanted.question.subject}: the server has a file of {total:,} bytes, expected are {wanted.bytes:,}; "
                f"try again without the mirror, or with one."
            )
            raise InputError(msg)

    def _check_room(self, total: int | None, start: int) -> None:
        free = shutil.disk_usage(self._part.parent).free
        if total is not None and total - start > free:
            msg = f"{no_room(self._part.parent)} Needed are {legible(total - start)}, free are {legible(free)}."
            raise StorageError(msg)

    def _copy(self, answer: http.client.HTTPResponse, part: IO[bytes], *, start: int, total: int | None) -> None:
        done = start
        with Progress(total or self._wanted.bytes or 0, unit="bytes", label=self._wanted.label, done=start) as progress:
            while chunk := answer.read1(CHUNK_BYTES):
                part.write(chunk)
                done += len(chunk)
                progress.advance(len(chunk))
        if total is not None and done < total:
            raise Passing(f"the connection was cut at {legible(done)} of {legible(total)}", mend=_CUT)

    def _problem(self) -> str:
        """What is wrong with the whole file; empty where nothing is."""
        wanted = self._wanted
        if wanted.bytes is not None and self._size() != wanted.bytes:
            return f"the file has {self._size():,} bytes, expected are {wanted.bytes:,}; try a mirror."
        expected = wanted.sha256 or wanted.git_blob
        actual = sha256_file(self._part) if wanted.sha256 else _git_blob(self._part) if wanted.git_blob else ""
        if actual == expected:
            return ""
        with self._part.open("rb") as part:
            head = part.read(512).lstrip().lower()
        if head.startswith((b"<!doctype html", b"<html")):
            return "what came is a web page and no file, most often a notice or a log-in; find the file's own address."
        kind = "sha256" if wanted.sha256 else "git hash"
        return (
            f"the file has {kind} {actual}, expected is {expected}; one of the two was changed, so find out which "
            f"before you correct the recipe."
        )

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _state(self) -> State:
        try:
            return msgspec.json.decode(self._state_file.read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError):
            return State()

    def _discard(self) -> None:
        self._part.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)


def _version(headers: http.client.HTTPMessage) -> str:
    """A mark that changes with every byte; weak tags do not."""
    tag: str = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _git_blob(path: Path) -> str:
    """Git's hash of a file: sha1 of its kind, its length and its bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
