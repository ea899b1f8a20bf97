"""Sources that are not on this machine, and how each is got: by a fetch, or by somebody who fills in a form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from siku_manifests.addresses import HUB_PREFIX, is_fetched, is_package, is_remote, parse_repository
from siku_manifests.cache import known
from siku_manifests.errors import InputError
from siku_manifests.packages import is_cached
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source


class Absent(NamedTuple):
    """A source that is not on this machine."""

    source: str
    how: str
    """How to get it, in a sentence or two."""
    by_hand: bool
    """Whether somebody has to get it; else the build fetches it."""


def missing_own(recipe: Recipe) -> list[Absent]:
    """The sources that lie nowhere and have no address."""
    return [
        Absent(source.name, f"{source.where} does not exist. {source.obtain.strip()}".rstrip(), by_hand=True)
        for source in recipe.source
        if not is_fetched(source.where) and not Path(source.where).exists()
    ]


def absent_sources(recipe: Recipe) -> list[Absent]:
    """The sources that are not here; asks no server."""
    own = {one.source: one for one in missing_own(recipe)}
    absent: list[Absent] = []
    for source in recipe.source:
        try:
            if source.name in own:
                absent.append(own[source.name])
            elif is_package(source.where) and not is_cached(source.sha256):
                absent.append(Absent(source.name, source.where, by_hand=False))
            elif is_remote(source.where) and not known(source):
                absent.append(Absent(source.name, _origin(source), by_hand=False))
        except InputError as error:  # what the cache has is not what the recipe says
            absent.append(Absent(source.name, str(error), by_hand=True))
    return absent


def absence(recipe: Recipe, absent: Sequence[Absent]) -> str:
    """What to say of sources that are not here, each on a line where they are several."""
    if len(absent) == 1 and absent[0].by_hand:
        return f"source {absent[0].source}: {absent[0].how} {_place(absent[0].source)}"
    lines = [f"{len(absent)} of {len(recipe.source)} sources of recipe {recipe.name} are not here yet:"]
    lines += [f"  {one.source}: {one.how}" for one in absent]
    if any(one.by_hand for one in absent):
        lines.append(_place("NAME"))
    if not all(one.by_hand for one in absent):
        lines.append(f"What has an address is fetched by: siku fetch {recipe.name}")
    return "\n".join(lines)


def _place(name: str) -> str:
    return f"Put it there, or say where it is with --set source.{name}.where=PLACE."


def _origin(source: Source) -> str:
    if not source.where.startswith(HUB_PREFIX):
        return source.where
    return f"{', '.join(source.path)} of {parse_repository(source.where).shown}"


def require_own(recipe: Recipe) -> None:
    """Say of all sources that somebody has to get which are missing, before anything is fetched or read.

    Raises:
        InputError: with all of them in one message.
    """
    missing = missing_own(recipe)
    if missing:
        raise InputError(absence(recipe, missing))
