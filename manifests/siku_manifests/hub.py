"""Dataset repositories of the Hugging Face Hub: their files, listed and named by hash, over plain HTTP.

`HF_ENDPOINT` names a mirror, `HF_TOKEN` an account for repositories whose terms have to be accepted. The list gives
the sha256 of a large file (kept in git LFS) and git's own hash of a small one, so a commit pins every byte.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from siku_manifests.addresses import Repository, mirrored
from siku_manifests.cache import Listing, RepositoryFile
from siku_manifests.errors import InputError
from siku_manifests.web import Patience, Question, read_json

HUB = "https://huggingface.co"
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next')
_CARD = "README.md"


class Hub:
    """The Hub, or its mirror.

    Args:
        mirrors: of the recipe.
        patience: how long faults are borne.
        say: receives lines for people.
    """

    def __init__(self, mirrors: Mapping[str, str], *, patience: Patience, say: Callable[[str], None]) -> None:
        self._endpoint = (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
        self._mirrors = mirrors
        self._patience = patience
        self._say = say

    def list(self, repository: Repository) -> Listing:
        """Ask for the files of a repository; a branch or tag is resolved to the commit that it is at now.

        Raises:
            InputError: there is no such repository or revision, or it may not be seen.
        """
        commit = repository.revision
        if not repository.is_pinned:
            commit = str(self._ask(repository, f"revision/{quote(commit, safe='')}")[0].get("sha", ""))
        pinned = repository.at(commit)
        files = [_file(entry, pinned) for entry in self._tree(pinned) if entry.get("type") == "file"]
        shown = (file for file in files if not PurePosixPath(file.path).name.startswith(".") and file.path != _CARD)
        return Listing(commit, tuple(sorted(shown, key=lambda file: file.path)))

    def question(self, repository: Repository, path: str) -> Question:
        """What to ask for a file; `repository` is at a commit."""
        url = f"{self._endpoint}/datasets/{repository.name}/resolve/{quote(repository.revision, safe='')}/{quote(path)}"
        return self._question(repository, url, name=f"{repository.shown}/{path}")

    def _tree(self, repository: Repository) -> Iterator[dict[str, Any]]:
        """The pages of the list; a mirror's next page is asked from the mirror, whatever it says."""
        page, headers = self._ask(repository, f"tree/{repository.revision}?recursive=true")
        yield from page
        while following := _NEXT.search(headers.get("Link", "")):
            url = re.sub(r"^https?://[^/]+", self._endpoint, following[1])
            page, headers = self._read(self._question(repository, url, name=repository.shown))
            yield from page

    def _ask(self, repository: Repository, what: str) -> tuple[Any, Any]:
        url = f"{self._endpoint}/api/datasets/{repository.name}/{what}"
        return self._read(self._question(repository, url, name=repository.shown))

    def _read(self, question: Question) -> tuple[Any, Any]:
        return read_json(question, patience=self._patience, say=self._say)

    def _question(self, repository: Repository, url: str, *, name: str) -> Question:
        place = mirrored(url, self._mirrors)
        return Question(
            url=place,
            name=name,
            # The environment's mirror is the user's choice; a recipe's may be a stranger's, who gets no token.
            token=os.environ.get("HF_TOKEN", "") if place == url else "",
            if_refused=(
                f"correct the name, or accept its terms at {HUB}/datasets/{repository.name} and set HF_TOKEN to a "
                f"token of that account"
            ),
            if_unreached="set HF_ENDPOINT to a mirror",
            mirror="" if place.startswith(HUB + "/") else place,
        )


def _file(entry: dict[str, Any], repository: Repository) -> RepositoryFile:
    path = str(entry.get("path", ""))
    steps = PurePosixPath(path)
    if not path or steps.is_absolute() or ".." in steps.parts or "\0" in path:
        msg = f"{repository.shown}: file {path!r} points outside it, which is hostile or broken: do not use it."
        raise InputError(msg)
    lfs = entry.get("lfs")
    if lfs:
        return RepositoryFile(path, int(lfs["size"]), sha256=str(lfs["oid"]))
    return RepositoryFile(path, int(entry["size"]), git_blob=str(entry["oid"]))
