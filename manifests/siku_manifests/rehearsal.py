"""A dry run: what a stage would do, what it would reuse, and, tried on a small part, what it would cost.

A stage that can count what a finished range holds is rehearsed: about one range in a hundred of each source is
worked for real in a folder that is thrown away, and time, disk and documents are scaled by the raw bytes. A source of
few ranges is known from few, so the figures are expectations, not promises.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from siku_manifests.absent import absence, absent_sources
from siku_manifests.equation import Counts
from siku_manifests.errors import InputError
from siku_manifests.progress import Progress
from siku_manifests.raw import raw_files
from siku_manifests.recipe import Recipe
from siku_manifests.report.legible import size
from siku_manifests.runner import Resolved, resolve
from siku_manifests.stage import Context, Range, RawFile, find_stage, load_function

ONE_IN = 100
MOST_RANGES = 4
"""Ranges of one source that are tried at most: enough to see its rate, few enough to wait for."""
LARGEST = 128 << 20
"""Raw bytes; a longer range, which can only be a file that is read from end to end, is not tried."""


class Expected(NamedTuple):
    """What a source will come to."""

    source: str
    weight: int
    """Raw bytes of all its ranges."""
    longest: int
    """Raw bytes of its longest range, which one worker does alone."""
    tried: int
    """Raw bytes that were worked; 0 where no range was short enough."""
    seconds: float
    disk: int
    counts: Counts
    """Of what was tried, not scaled."""

    @property
    def factor(self) -> float:
        """The whole over what was tried."""
        return self.weight / self.tried if self.tried else 0.0


def plan_lines(name: str, recipe: Recipe, *, out: Path, workers: int, say: Callable[[str], None]) -> list[str]:
    """What `run_stage` would do, for people; writes nothing but the cache of raw files.

    Args:
        name: of the stage.
        recipe: the whole recipe.
        out: the folder of all builds.
        workers: processes that would do it.
        say: receives lines on the way.

    Raises:
        InputError: a parent or a raw source is missing.
    """
    absent = absent_sources(recipe) if find_stage(name).reads_raw else []
    if any(one.by_hand for one in absent):
        raise InputError(absence(recipe, absent))
    lacking = absence(recipe, absent).splitlines() if absent else []
    try:
        resolved = resolve(name, recipe, out=out)
    except InputError:
        if not lacking:
            raise
        return lacking  # nothing pins a source that is not here: there is no key yet
    lines = [f"{name} of recipe {recipe.name}, key {resolved.key[:8]}", f"  folder: {resolved.folder}"]
    lines += [f"  parent: {parent} {resolved.parent_ids[parent][:12]}" for parent in resolved.parents]
    if resolved.is_done:
        return [*lines, "  nothing to do: it is built"]
    if lacking:
        return [*lines, *(f"  {line}" for line in lacking)]
    raw = raw_files(recipe, folder=resolved.folder.parent, say=say) if resolved.stage.reads_raw else ()
    context = Context(recipe=recipe, folder=resolved.folder, parents=resolved.parents, raw=raw, workers=workers)
    first = resolved.stage.phases[0]
    planned: list[Range] = load_function(first.plan)(context)
    waiting = [range_ for range_ in planned if not context.part(first.name, range_.number).is_dir()]
    if resolved.stage.counts and waiting:
        lines += _rehearsal_lines(rehearse(resolved, context, waiting), raw, workers=workers, folder=out)
    else:
        lines += _weight_lines(planned)
    phases = ", ".join(phase.name for phase in resolved.stage.phases)
    there = len(planned) - len(waiting)
    return [*lines, f"  phases: {phases}; {there} of {len(planned)} parts of {first.name} are there already"]


def rehearse(resolved: Resolved, context: Context, ranges: Sequence[Range]) -> list[Expected]:
    """Work some of the ranges in a folder that is thrown away.

    Args:
        resolved: the stage; it has a function for counts.
        context: what its functions are handed.
        ranges: those still to be done.
    """
    work, counts_of = load_function(resolved.stage.phases[0].work), load_function(resolved.stage.counts)
    by_source: dict[str, list[Range]] = defaultdict(list)
    for range_ in ranges:
        by_source[range_.source].append(range_)
    chosen = {source: choose(mine) for source, mine in by_source.items()}
    tried = [range_ for mine in chosen.values() for range_ in mine]
    done: dict[str, list[tuple[float, int, Counts]]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="siku-rehearsal-") as scratch,
        Progress(sum(range_.weight for range_ in tried), unit="bytes", label="trying") as progress,
    ):

        def attempt(range_: Range) -> tuple[float, int, Counts]:
            out = Path(scratch, "part")
            out.mkdir()
            begun = time.perf_counter()
            work(context, range_, out)
            seconds = time.perf_counter() - begun
            disk = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
            counts: Counts = counts_of(out)
            shutil.rmtree(out)
            return seconds, disk, counts

        if tried:
            attempt(min(tried, key=lambda range_: range_.weight))  # loads libraries and kernels, which no rate is
        for range_ in tried:
            done[range_.source].append(attempt(range_))
            progress.advance(range_.weight)
    return [
        Expected(
            source=source,
            weight=sum(range_.weight for range_ in mine),
            longest=max(range_.weight for range_ in mine),
            tried=sum(range_.weight for range_ in chosen[source]),
            seconds=sum(seconds for seconds, _, _ in done[source]),
            disk=sum(disk for _, disk, _ in done[source]),
            counts=sum((counts for _, _, counts in done[source]), Counts()),
        )
        for source, mine in by_source.items()
    ]


def choose(ranges: Sequence[Range]) -> list[Range]:
    """Pick some ranges of a source to try, evenly spaced and never one that is too long to wait for."""
    short = [range_ for range_ in ranges if range_.weight <= LARGEST]
    wanted = min(len(short), MOST_RANGES, math.ceil(len(ranges) / ONE_IN))
    return [short[(2 * i + 1) * len(short) // (2 * wanted)] for i in range(wanted)]


def _rehearsal_lines(expected: Sequence[Expected], raw: Sequence[RawFile], *, workers: int, folder: Path) -> list[str]:
    files: dict[str, int] = defaultdict(int)
    for file in raw:
        files[file.source] += 1
    names = max(len(row.source) for row in expected)
    lines = [f"  {'source':<{names}}  {'files':>9}  {'raw':>9}  {'documents':>12}  {'kept':>12}  {'on disk':>9}"]
    for row in expected:
        line = f"  {row.source:<{names}}  {files[row.source]:>9,}  {size(row.weight):>9}"
        if row.tried:
            formed = row.counts.read + row.counts.split - row.counts.joined
            numbers = (round(row.factor * formed), round(row.factor * row.counts.kept))
            line += "".join(f"  {number:>12,}" for number in numbers) + f"  {size(round(row.factor * row.disk)):>9}"
        else:
            line += f"  only in one piece of {size(row.longest)}, which is not tried"
        lines.append(line)
    return [*lines, *_cost_lines([row for row in expected if row.tried], workers=workers, folder=folder)]


def _cost_lines(tried: Sequence[Expected], *, workers: int, folder: Path) -> list[str]:
    """Time and disk of all that was tried; the longest range may outlast what the workers share."""
    shared = sum(row.factor * row.seconds for row in tried) / workers
    alone = max((row.longest * row.seconds / row.tried for row in tried), default=0.0)
    disk = round(sum(row.factor * row.disk for row in tried))
    home = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(home).free
    share = sum(row.tried for row in tried) / max(1, sum(row.weight for row in tried))
    lines = [
        f"  expected from {share:.1%} of the bytes: about {_duration(max(shared, alone))} with {workers} workers, "
        f"{size(disk)} on disk and as much again while it is built ({size(free)} are free)"
    ]
    if 2 * disk > free:
        lines.append(f"  there is not enough room in {home}: give another folder with --out")
    return lines


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _weight_lines(planned: Sequence[Range]) -> list[str]:
    by_source: dict[str, list[int]] = defaultdict(list)
    for range_ in planned:
        by_source[range_.source].append(range_.weight)
    return [
        f"  {source or 'all sources'}: {len(weights)} parts, weight {sum(weights):,}"
        for source, weights in sorted(by_source.items())
    ]
