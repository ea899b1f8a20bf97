"""The runner: is there anything to do, and if so, do it so that a kill at any moment costs one range.

A stage's folder is `OUT/RECIPE/STAGE-KEY8`. While `manifest.json` is absent the folder is under construction
and `parts/PHASE/NNNNN` holds the finished ranges; the manifest is the last file written.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests import findings as findings_format
from siku_manifests.addresses import is_fetched
from siku_manifests.atomic import write_bytes, write_json
from siku_manifests.digest import code_digest, content_sha256, library_versions, sha256_file, sha256_value
from siku_manifests.equation import check_equation
from siku_manifests.errors import InputError, VerificationError
from siku_manifests.lock import folder_lock
from siku_manifests.manifest import (
    FileRecord,
    Identity,
    Manifest,
    RawRecord,
    Record,
    Shard,
    SourceRecord,
    read_manifest,
    write_manifest,
)
from siku_manifests.pool import remove_partial, run_ranges
from siku_manifests.progress import Progress
from siku_manifests.provenance import environment, run_record
from siku_manifests.raw import base_digest, fetch_unpinned, model_digest, question_digests, raw_files, source_digests
from siku_manifests.recipe import Recipe
from siku_manifests.stage import PARTS, Context, Outcome, Phase, Range, RawFile, Stage, chain, find_stage, load_function

BASE_ROOM = "siku_manifests"
FINDINGS_FILE = "findings.json"
RUN_FILE = "run.json"


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a recipe, with its key and folder; nothing heavy was imported to find them."""

    stage: Stage
    recipe: Recipe
    key: str
    folder: Path
    parents: dict[str, Path]
    parent_ids: dict[str, str]
    slice: dict[str, Any]
    code: str

    @property
    def is_done(self) -> bool:
        """Whether a manifest with this key is there."""
        return is_built(self.folder, self.key)


def is_built(folder: Path, key: str) -> bool:
    """Whether a folder holds a finished stage of this key."""
    try:
        return read_manifest(folder).record.key == key
    except VerificationError:
        return False


def recipe_slice(stage: Stage, recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that a stage depends on; a local source's place on this machine is not part of it."""
    whole = msgspec.to_builtins(recipe)
    part = {section: whole[section] for section in stage.sections}
    for section, _, knob in (name.partition(".") for name in stage.free):
        del part[section][knob]
    if stage.source_fields:
        part["source"] = [{field: source[field] for field in stage.source_fields} for source in whole["source"]]
    if "decontaminate" in part:
        part["decontaminate"]["files"] = question_digests(recipe)
    if "tokenizer" in part:
        part["tokenizer"]["base"] = base_digest(recipe)
    if "pretrain" in part:
        part["pretrain"]["base"] = model_digest(recipe)
    return part


def resolve(name: str, recipe: Recipe, *, out: Path) -> Resolved:
    """Compute a stage's key and folder.

    Raises:
        InputError: a parent stage is not built yet, or a raw source is missing.
    """
    stage = find_stage(name)
    parents: dict[str, Path] = {}
    ids: dict[str, str] = {}
    for parent_name in stage.parents:
        parent = resolve(parent_name, recipe, out=out)
        if not parent.is_done:
            msg = (
                f"{name} of recipe {recipe.name} needs the stage {parent_name}, which is not built from this recipe "
                f"and code in {out}; build it first: siku {command_of(parent_name)} {recipe.name}."
            )
            raise InputError(msg)
        parents[parent_name] = parent.folder
        ids[parent_name] = read_manifest(parent.folder).id
    part = recipe_slice(stage, recipe)
    code = code_digest((BASE_ROOM, stage.room, *stage.uses))
    home = out / recipe.name
    key = sha256_value(
        {
            "stage": stage.name,
            "recipe": part,
            "parents": ids,
            "sources": source_digests(recipe, folder=home) if stage.reads_raw else [],
            "code": code,
            "libraries": library_versions(stage.libraries),
        }
    )
    return Resolved(
        stage=stage,
        recipe=recipe,
        key=key,
        folder=stage_folder(recipe, f"{stage.name}-{key[:8]}", key, out=out),
        parents=parents,
        parent_ids=ids,
        slice=part,
        code=code,
    )


def stage_folder(recipe: Recipe, name: str, key: str, *, out: Path) -> Path:
    """Where a stage is built: with the recipe, or with one that it extends if that has built it already."""
    places = [out / home / name for home in (recipe.name, *recipe.lineage)]
    return next((place for place in places if is_built(place, key)), places[0])


def command_of(stage_name: str) -> str:
    """The command that builds a stage; only the corpus stage is named after what it does."""
    return {"corpus": "dedup"}.get(stage_name, stage_name)


def run_stage(
    name: str, recipe: Recipe, *, out: Path, workers: int, say: Callable[[str], None]
) -> tuple[Manifest, bool]:
    """Build a stage unless it is there.

    Args:
        name: of the stage.
        recipe: the whole recipe.
        out: the folder of all builds.
        workers: processes for ranges.
        say: receives the lines meant for people.

    Returns:
        The stage's manifest, and whether any work was done.

    Raises:
        LockedError: another process is building this recipe there.
        InputError: a parent or a raw source is missing.
        StorageError: no room or no permission.
    """
    if find_stage(name).reads_raw:
        fetch_unpinned(recipe, say=say)
    resolved = resolve(name, recipe, out=out)
    if resolved.is_done:
        shutil.rmtree(resolved.folder / PARTS, ignore_errors=True)  # left by a kill after the manifest was written
        return read_manifest(resolved.folder), False
    with folder_lock(out / recipe.name):
        if resolved.is_done:  # another process finished it between the two looks
            return read_manifest(resolved.folder), False
        return _build(resolved, workers=workers, say=say), True


def _build(resolved: Resolved, *, workers: int, say: Callable[[str], None]) -> Manifest:
    started = time.time()
    raw = raw_files(resolved.recipe, folder=resolved.folder.parent, say=say) if resolved.stage.reads_raw else ()
    context = Context(
        recipe=resolved.recipe, folder=resolved.folder, parents=resolved.parents, raw=raw, workers=workers
    )
    seconds: dict[str, float] = {}
    for phase in resolved.stage.phases:
        begun = time.monotonic()
        _run_phase(context, phase, stage_name=resolved.stage.name, say=say)
        seconds[phase.name] = round(time.monotonic() - begun, 2)
    begun = time.monotonic()
    outcome: Outcome = load_function(resolved.stage.finish)(context)
    check_equation(outcome.counts, stage=resolved.stage.name)
    write_bytes(resolved.folder / FINDINGS_FILE, findings_format.encode(outcome.findings))
    seconds["finish"] = round(time.monotonic() - begun, 2)
    write_json(resolved.folder / RUN_FILE, run_record(started=started, workers=workers, seconds=seconds))
    manifest = write_manifest(resolved.folder, _identity(resolved, raw, outcome), _record(resolved, outcome))
    shutil.rmtree(resolved.folder / PARTS, ignore_errors=True)
    return manifest


def _run_phase(context: Context, phase: Phase, *, stage_name: str, say: Callable[[str], None]) -> None:
    planned: list[Range] = load_function(phase.plan)(context)
    folder = context.folder / PARTS / phase.name
    folder.mkdir(parents=True, exist_ok=True)
    if not phase.resumable:
        remove_partial(folder)
    waiting = [range_ for range_ in planned if not context.part(phase.name, range_.number).is_dir()]
    done = sum(range_.weight for range_ in planned) - sum(range_.weight for range_ in waiting)
    if waiting and done:
        say(f"{stage_name}: resuming {phase.name}, {len(planned) - len(waiting)} of {len(planned)} parts are there")
    label = f"{stage_name}: {phase.name}"
    if len(planned) == 1:
        list(run_ranges(context, phase, waiting))  # one long range shows progress of its own
        return
    unit = "bytes" if done + sum(r.weight for r in waiting) > len(planned) else "parts"
    with Progress(sum(r.weight for r in planned), unit=unit, label=label, done=done) as progress:
        for range_ in run_ranges(context, phase, waiting):
            progress.advance(range_.weight)


def _identity(resolved: Resolved, raw: tuple[RawFile, ...], outcome: Outcome) -> Identity:
    files: dict[str, list[RawRecord]] = {}
    for file in raw:
        record = RawRecord(path=file.path, bytes=file.bytes, sha256=file.sha256)
        files.setdefault(file.source, []).append(record)
    sources = tuple(
        SourceRecord(
            name=source.name,
            where=source.where if is_fetched(source.where) else "local",
            license=source.license,
            files=tuple(files[source.name]),
        )
        for source in resolved.recipe.source
        if source.name in files
    )
    shards = tuple(
        Shard(path=path, content_sha256=content_sha256(resolved.folder / path)) for path in sorted(outcome.shards)
    )
    return Identity(
        kind=resolved.stage.name,
        parents=resolved.parent_ids,
        sources=sources,
        recipe=resolved.slice,
        shards=shards,
    )


def _record(resolved: Resolved, outcome: Outcome) -> Record:
    paths = sorted([*outcome.shards, *outcome.extra_files])
    return Record(
        key=resolved.key,
        counts=outcome.counts,
        files=tuple(
            FileRecord(
                path=path,
                bytes=(resolved.folder / path).stat().st_size,
                sha256=sha256_file(resolved.folder / path),
            )
            for path in paths
        ),
        seed=resolved.recipe.seed,
        code=resolved.code,
        environment={**environment(resolved.stage.libraries), **outcome.environment},
    )


def done_folders(recipe: Recipe, *, out: Path, last: str) -> list[Path]:
    """Finished folders of a recipe's chain, parents first, up to the first stage that is not built."""
    folders: list[Path] = []
    for stage in chain(last):
        try:
            resolved = resolve(stage.name, recipe, out=out)
        except InputError:
            break
        if not resolved.is_done:
            break
        folders.append(resolved.folder)
    return folders
