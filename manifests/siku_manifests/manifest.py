"""The manifest: what a stage's output is, and the record of how it came to be.

The id is the sha256 of the identity part alone. What is recorded beside it (counts, byte hashes, versions)
explains a build but does not name it: a comment in the code gives no new id to the same data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from siku_manifests.atomic import write_json
from siku_manifests.digest import sha256_value
from siku_manifests.equation import Counts
from siku_manifests.errors import VerificationError

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 1


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class RawRecord(_Part, frozen=True, kw_only=True):
    """One raw file that was read."""

    path: str
    bytes: int
    sha256: str


class SourceRecord(_Part, frozen=True, kw_only=True):
    """One source as it was read: where it came from, its licence, its files."""

    name: str
    where: str
    license: str
    files: tuple[RawRecord, ...]


class Shard(_Part, frozen=True, kw_only=True):
    """One output file by its content, independent of how it is encoded."""

    path: str
    content_sha256: str


class Identity(_Part, frozen=True, kw_only=True):
    """Everything that the id stands for."""

    schema: int = SCHEMA_VERSION
    kind: str
    parents: dict[str, str]
    """Stage name to id."""
    sources: tuple[SourceRecord, ...] = ()
    recipe: dict[str, Any]
    """The slice of the recipe that this stage depends on."""
    shards: tuple[Shard, ...]

    def id(self) -> str:
        """Hexadecimal sha256 of the canonical JSON of this part."""
        return sha256_value(msgspec.to_builtins(self))


class FileRecord(_Part, frozen=True, kw_only=True):
    """One output file by its bytes, which change with pyarrow's version."""

    path: str
    bytes: int
    sha256: str


class Record(_Part, frozen=True, kw_only=True):
    """How this build came to be; outside the id."""

    key: str
    """The stage key: a present manifest with this key means that there is nothing to do."""
    counts: dict[str, Counts]
    files: tuple[FileRecord, ...]
    seed: int
    code: str
    """sha256 of the code of the room and of those it uses."""
    environment: dict[str, str]


class Manifest(_Part, frozen=True, kw_only=True):
    """`manifest.json` of a stage's folder."""

    id: str
    identity: Identity
    record: Record


def write_manifest(folder: Path, identity: Identity, record: Record) -> Manifest:
    """Write `manifest.json`, the last file of a stage: where it is, the stage is complete."""
    manifest = Manifest(id=identity.id(), identity=identity, record=record)
    write_json(folder / MANIFEST_FILE, msgspec.to_builtins(manifest))
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a manifest (or the one in a folder) and check that its id is that of its identity part.

    Raises:
        VerificationError: it is missing, damaged, of another schema version, or its id is wrong.
    """
    file = path / MANIFEST_FILE if path.is_dir() else path
    try:
        manifest = msgspec.json.decode(file.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        msg = f"{file}: there is no manifest; the stage has not been built."
        raise VerificationError(msg) from error
    except msgspec.MsgspecError as error:
        msg = f"{file}: not a manifest of version {SCHEMA_VERSION}: {error}. Rebuild the stage."
        raise VerificationError(msg) from error
    if manifest.identity.schema != SCHEMA_VERSION:
        msg = f"{file}: schema version {manifest.identity.schema}, this Siku reads {SCHEMA_VERSION}. Rebuild the stage."
        raise VerificationError(msg)
    if manifest.identity.id() != manifest.id:
        msg = f"{file}: its id is not that of its contents; the file was edited. Rebuild the stage."
        raise VerificationError(msg)
    return manifest
