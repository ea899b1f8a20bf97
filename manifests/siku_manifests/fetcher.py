"""Sources with a public address, brought into the cache: listed, downloaded, verified."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from siku_manifests.addresses import HUB_PREFIX, Repository, mirrored, parse_repository, request_url
from siku_manifests.cache import (
    Fetched,
    FetchedFile,
    RemoteFile,
    as_fetched,
    download_folder,
    find,
    keep_file,
    keep_listing,
    known_listing,
    repository_files,
    web_files,
)
from siku_manifests.download import Download, Wanted
from siku_manifests.errors import InputError
from siku_manifests.hub import Hub
from siku_manifests.registry import cache_folder, cache_room
from siku_manifests.sections import Source
from siku_manifests.web import PATIENCE, Patience, Question, ask, patiently


class Fetcher:
    """Brings sources into the cache.

    Args:
        mirrors: of the recipe.
        say: receives lines for people.
        patience: how long faults of the network are borne.
    """

    def __init__(
        self, mirrors: Mapping[str, str], *, say: Callable[[str], None], patience: Patience = PATIENCE
    ) -> None:
        self._mirrors = mirrors
        self._say = say
        self._patience = patience
        self._refused: dict[Repository, InputError] = {}  # many sources of one repository must not all wait in vain
        self._hub = Hub(mirrors, patience=patience, say=say)

    def fetch(self, source: Source, *, refresh: bool = False) -> Fetched:
        """All files of a source, from the cache where they are there.

        Args:
            source: with an address or a repository.
            refresh: whether to ask again for what nothing pins; the cache keeps what it has.

        Raises:
            InputError: one cannot be had or is not what the recipe names, or no file of the repository matches.
            StorageError: no room or no permission in the cache.
        """
        with cache_room(cache_folder()):
            wanted, revision = self.list(source, refresh=refresh)
            files = tuple(self._bring(file, refresh=refresh) for file in wanted)
        return as_fetched(source, files, revision)

    def list(self, source: Source, *, refresh: bool = False) -> tuple[list[RemoteFile], str]:
        """What a source names, and the commit of a repository; asks the Hub where the cache has no list.

        Raises:
            InputError: there is no such repository, or no file of it matches.
        """
        if not source.where.startswith(HUB_PREFIX):
            return web_files(source), ""
        repository = parse_repository(source.where)
        listing = None if refresh and not repository.is_pinned else known_listing(repository)
        if repository in self._refused:
            raise self._refused[repository]
        if listing is None:
            self._say(f"{source.name}: asking for the files of {repository.shown}")
            try:
                listing = self._hub.list(repository)
            except InputError as error:
                self._refused[repository] = error
                raise
            with cache_room(cache_folder()):
                keep_listing(repository, listing)
        return repository_files(source, repository, listing), listing.commit

    def question(self, file: RemoteFile) -> Question:
        """What to ask for a file."""
        if file.repository:
            return self._hub.question(file.repository, file.path)
        place = mirrored(file.address, self._mirrors)
        return Question(url=request_url(place), name=file.address, mirror=place if place != file.address else "")

    def length(self, file: RemoteFile) -> int | None:
        """Bytes of a file, of which only the head is asked for; None where the server does not say."""
        if file.bytes is not None:
            return file.bytes
        question = self.question(file)._replace(method="HEAD")

        def once() -> int | None:
            with ask(question, timeout=self._patience.timeout) as answer:
                said = answer.headers.get("Content-Length", "")
                return int(said) if said.isdigit() else None

        try:
            return patiently(once, question, patience=self._patience, say=self._say)
        except InputError as error:
            self._say(str(error))
            return None

    def _bring(self, file: RemoteFile, *, refresh: bool) -> FetchedFile:
        again = refresh and not (file.sha256 or file.git_blob)
        found = None if again else find(file)
        if found:
            return found
        with self._alone(file) as folder:
            found = None if again else find(file)  # another process may have brought it meanwhile
            if found:
                return found
            question = self.question(file)
            self._say(f"fetching {question.name}")
            wanted = Wanted(question, file.path, file.bytes, file.sha256, file.git_blob)
            part = Download(wanted, folder, patience=self._patience, say=self._say).run()
            brought = keep_file(file, part)
            shutil.rmtree(folder)
            return brought

    @contextmanager
    def _alone(self, file: RemoteFile) -> Iterator[Path]:
        """The folder of a download, kept from other processes until the end of the block.

        The lock's own file stays: whoever waits for it must not wait for one that was removed.
        """
        folder = download_folder(file)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(f"{file.address}: another process is fetching it; waiting for that")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            folder.mkdir(exist_ok=True)  # whoever held the lock has removed it
            yield folder
        finally:
            os.close(descriptor)
