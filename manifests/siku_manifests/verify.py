"""Proof, in four depths, that what lies on disk is what the manifests say.

    files      every recorded file is there with its size and sha256
    contents   the content hash of every shard, the id of the manifest, the equation
    chain      every parent's id is that of the folder it names, and of the committed manifest if there is one
    rebuild    the stages are built again in a fresh folder and their ids compared

Each depth includes the ones before it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from siku_manifests.atomic import write_bytes
from siku_manifests.digest import content_sha256, sha256_file
from siku_manifests.errors import InputError, VerificationError
from siku_manifests.manifest import MANIFEST_FILE, Manifest, read_manifest
from siku_manifests.progress import Progress
from siku_manifests.recipe import Recipe
from siku_manifests.recipefile import recipe_path
from siku_manifests.runner import done_folders, run_stage
from siku_manifests.stage import chain

Level = Literal["files", "contents", "chain", "rebuild"]
LEVELS: tuple[Level, ...] = ("files", "contents", "chain", "rebuild")


def committed_folder(name_or_path: str) -> Path:
    """Where a recipe's committed manifests lie: beside its recipe.toml."""
    return recipe_path(name_or_path).resolve().parent


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to verify."""

    recipe: Recipe
    out: Path
    """Folder of all builds."""
    committed: Path
    """Folder of the recipe's committed manifests."""
    until: str
    """Last stage of the chain."""
    level: Level
    workers: int
    """Processes of a rebuild."""


def verify(request: Request, *, say: Callable[[str], None]) -> None:
    """Check a recipe's finished stages to the depth asked for; `say` receives a line for each.

    Raises:
        InputError: nothing is built.
        VerificationError: something differs; the message lists every difference found.
    """
    recipe = request.recipe
    folders = done_folders(recipe, out=request.out, last=request.until)
    if not folders:
        msg = f"{recipe.name}: nothing is built in {request.out}; run `make corpus RECIPE={recipe.name}` first."
        raise InputError(msg)
    differences: list[str] = []
    for folder in folders:
        found = [*_files(folder), *(_contents(folder) if request.level != "files" else ())]
        manifest = read_manifest(folder)
        say(_verdict(manifest, folder, found))
        differences += found
    if request.level in ("chain", "rebuild"):
        differences += _chain(folders, request.committed, say)
    if request.level == "rebuild":
        differences += _rebuild(request, folders, say)
    if differences:
        listed = "\n  ".join(differences[:20])
        more = f"\n  and {len(differences) - 20} more" if len(differences) > 20 else ""
        msg = f"{recipe.name}: {len(differences)} differences:\n  {listed}{more}"
        raise VerificationError(msg)


def _verdict(manifest: Manifest, folder: Path, found: list[str]) -> str:
    state = f"{len(found)} differences" if found else "verified"
    shards = len(manifest.identity.shards)
    return f"{manifest.identity.kind}: {manifest.id[:12]} {state}, {shards} shards, {folder}"


def _files(folder: Path) -> Iterator[str]:
    manifest = read_manifest(folder)
    size = sum(record.bytes for record in manifest.record.files)
    with Progress(size, unit="bytes", label=f"verify {manifest.identity.kind}") as progress:
        for record in manifest.record.files:
            path = folder / record.path
            if not path.is_file():
                yield f"{path}: missing"
            elif path.stat().st_size != record.bytes:
                yield f"{path}: {path.stat().st_size:,} bytes, the manifest says {record.bytes:,}"
            elif sha256_file(path) != record.sha256:
                yield f"{path}: its sha256 is not that of the manifest"
            progress.advance(record.bytes)


def _contents(folder: Path) -> Iterator[str]:
    manifest = read_manifest(folder)
    for shard in manifest.identity.shards:
        path = folder / shard.path
        if not path.is_file():
            continue  # the level below has said so
        try:
            if content_sha256(path) != shard.content_sha256:
                yield f"{path}: its rows are not those of the manifest"
        except InputError as error:
            yield str(error)
    for source, counts in manifest.record.counts.items():
        if not counts.balanced:
            yield f"{folder}: source {source} does not add up: {counts}"


def _chain(folders: list[Path], committed: Path, say: Callable[[str], None]) -> Iterator[str]:
    ids: dict[str, str] = {}
    for folder in folders:
        manifest = read_manifest(folder)
        kind = manifest.identity.kind
        ids[kind] = manifest.id
        for parent, parent_id in manifest.identity.parents.items():
            if ids.get(parent) != parent_id:
                yield f"{folder}: made from {parent} {parent_id[:12]}, which is not the one here"
        proof = committed / f"{kind}.json"
        if proof.is_file():
            expected = read_manifest(proof)
            found = list(_against(manifest, expected, proof))
            say(f"{kind}: {'differs from' if found else 'equal to'} {proof.parent.name}/{proof.name}, shard by shard")
            yield from found


def _against(manifest: Manifest, expected: Manifest, proof: Path) -> Iterator[str]:
    here = {shard.path: shard.content_sha256 for shard in manifest.identity.shards}
    there = {shard.path: shard.content_sha256 for shard in expected.identity.shards}
    for path in sorted(here.keys() | there.keys()):
        if path not in here:
            yield f"{proof}: shard {path} was not built here"
        elif path not in there:
            yield f"{proof}: does not know shard {path}"
        elif here[path] != there[path]:
            yield f"{proof}: shard {path} has other rows"
    if manifest.id != expected.id and here == there:
        yield f"{proof}: same shards, but another recipe, source or parent (id {expected.id[:12]})"


def _rebuild(request: Request, folders: list[Path], say: Callable[[str], None]) -> Iterator[str]:
    built = {manifest.identity.kind: manifest for manifest in map(read_manifest, folders)}
    with tempfile.TemporaryDirectory(prefix="siku-verify-") as scratch:
        for stage in chain(request.until)[: len(folders)]:
            if not stage.portable:
                say(f"{stage.name}: not rebuilt, its bytes are promised on one kind of machine only")
                break
            manifest, _ = run_stage(stage.name, request.recipe, out=Path(scratch), workers=request.workers, say=say)
            if manifest.id == built[stage.name].id:
                say(f"{stage.name}: rebuilt to the same id")
            else:
                yield from _against(manifest, built[stage.name], Path(stage.name))


def write_committed(recipe: Recipe, *, out: Path, committed: Path, until: str) -> list[Path]:
    """Write the manifests of finished, portable stages beside the recipe, to be committed like a lock file.

    Raises:
        InputError: nothing is built.
    """
    written = []
    folders = done_folders(recipe, out=out, last=until)
    for stage, folder in zip(chain(until), folders, strict=False):
        if stage.portable:
            target = committed / f"{stage.name}.json"
            write_bytes(target, (folder / MANIFEST_FILE).read_bytes())
            written.append(target)
    if not written:
        msg = f"{recipe.name}: nothing is built in {out}; run `make corpus RECIPE={recipe.name}` first."
        raise InputError(msg)
    return written
