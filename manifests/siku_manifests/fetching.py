"""`siku fetch`: everything that a recipe names brought into the cache, source by source, and said how each stands.

A build fetches by itself what it lacks; this is for a machine that goes off the network afterwards, and for somebody
who wants to know what a recipe will cost before it runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import NamedTuple

from siku_manifests.absent import missing_own
from siku_manifests.addresses import HUB_PREFIX, is_package, is_remote, parse_repository
from siku_manifests.cache import Fetched, find
from siku_manifests.errors import InputError
from siku_manifests.fetcher import Fetcher
from siku_manifests.packages import fetch_package, is_cached
from siku_manifests.recipe import Recipe
from siku_manifests.registry import cache_folder
from siku_manifests.report.legible import size
from siku_manifests.sections import Source
from siku_manifests.web import Patience

_GLANCE = Patience(attempts=2, timeout=15.0)
"""For sizes, which are good to know and not worth waiting for."""


class Errand(NamedTuple):
    """What to fetch of a recipe."""

    recipe: Recipe
    sources: tuple[Source, ...]
    whole: bool
    """All of it, what the tokenizer starts from included."""


def errand(recipe: Recipe, names: Sequence[str]) -> Errand:
    """The sources of these names, or all.

    Raises:
        RecipeError: no source is called so.
    """
    chosen = tuple(recipe.source_named(name) for name in names)
    return Errand(recipe, chosen or recipe.source, whole=not names)


def fetch(task: Errand, *, refresh: bool, say: Callable[[str], None], show: Callable[[str], None]) -> None:
    """Bring everything that has an address; what is not to be had keeps nothing else from coming.

    Args:
        task: what.
        refresh: whether to ask again for what nothing pins.
        say: receives lines about the way.
        show: receives a line for each source.

    Raises:
        InputError: something is not here in the end; the message has all of it.
        StorageError: no room or no permission in the cache.
    """
    by_hand = {one.source: one.how for one in missing_own(task.recipe)}
    fetcher = Fetcher(task.recipe.mirrors, say=say)
    lacking: dict[str, list[str]] = {}  # many sources often lack one thing
    for source in task.sources:
        try:
            if source.name in by_hand:
                raise InputError(by_hand[source.name])
            if is_remote(source.where):
                for line in _standing(source, fetcher.fetch(source, refresh=refresh)):
                    show(line)
            elif is_package(source.where):
                show(f"{source.name}: {source.where}, {size(_package(source.where, source.sha256, say=say))}")
            else:
                show(f"{source.name}: {source.where}")
        except InputError as error:
            lacking.setdefault(str(error), []).append(source.name)
    base = task.recipe.tokenizer
    if task.whole and is_package(base.base):
        try:
            show(f"[tokenizer] base: {base.base}, {size(_package(base.base, base.base_sha256, say=say))}")
        except InputError as error:
            lacking.setdefault(str(error), []).append("[tokenizer] base")
    if lacking:
        count = sum(len(names) for names in lacking.values())
        msg = f"{count} of {len(task.sources)} sources of recipe {task.recipe.name} are not here:"
        lines = [f"  {', '.join(names)}: {how}" for how, names in lacking.items()]
        raise InputError("\n".join([msg, *lines]))


def _package(where: str, sha256: str, *, say: Callable[[str], None]) -> int:
    if not is_cached(sha256):
        say(f"fetching {where}")
    return fetch_package(where, sha256).stat().st_size


def _standing(source: Source, fetched: Fetched) -> list[str]:
    """What a source came to, and how to pin it where nothing does."""
    count = len(fetched.files)
    what = fetched.files[0].path if count == 1 else f"{count:,} files"
    total = size(sum(file.bytes for file in fetched.files))
    lines = [f"{source.name}: {what}, {total}, sha256 {fetched.sha256}"]
    if source.where.startswith(HUB_PREFIX):
        repository = parse_repository(source.where)
        if not repository.is_pinned:
            at = repository.at(fetched.revision)
            lines.append(f'  not pinned: {repository.revision} moves; to keep what came, write where = "{at}"')
    elif not source.sha256:
        lines.append(f'  not pinned: the address may change; to keep what came, write sha256 = "{fetched.sha256}"')
    return lines


def rehearse(task: Errand, *, say: Callable[[str], None]) -> list[str]:
    """What `fetch` would bring and how much that is; asks servers for lists and lengths, and downloads nothing.

    Raises:
        InputError: a repository cannot be listed.
    """
    by_hand = {one.source: one.how for one in missing_own(task.recipe)}
    fetcher = Fetcher(task.recipe.mirrors, say=say, patience=_GLANCE)
    lines: list[str] = []
    coming, unknown = 0, 0
    packages: set[str] = set()
    for source in task.sources:
        if source.name in by_hand:
            lines.append(f"{source.name}: {by_hand[source.name]}")
        elif is_package(source.where):
            if not is_cached(source.sha256):
                packages.add(source.where)
            there = "to fetch by its client" if source.where in packages else "in the cache"
            lines.append(f"{source.name}: {source.where}, {there}")
        elif not is_remote(source.where):
            lines.append(f"{source.name}: {source.where}")
        else:
            files = [file for file in fetcher.list(source)[0] if find(file) is None]
            lengths = [fetcher.length(file) for file in files]
            coming += sum(length or 0 for length in lengths)
            unknown += lengths.count(None)
            what = f"{_files(len(files))} to fetch, {_amount(lengths)}" if files else "in the cache"
            lines.append(f"{source.name}: {source.where}, {what}")
    place = next(folder for folder in (cache_folder(), *cache_folder().absolute().parents) if folder.exists())
    more = f", {_files(unknown)} of unknown length" if unknown else ""
    more += f", {len(packages)} packages" if packages else ""
    free = size(shutil.disk_usage(place).free)
    return [*lines, f"{size(coming)}{more} would be fetched into {cache_folder()} ({free} are free)"]


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _amount(lengths: Sequence[int | None]) -> str:
    known = size(sum(length or 0 for length in lengths))
    return f"at least {known}" if None in lengths else known
