"""A finished stage as the report sees it: manifest and findings, made fit to be shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests import findings
from siku_manifests.equation import Counts, total
from siku_manifests.errors import InputError
from siku_manifests.findings import Finding
from siku_manifests.manifest import Manifest, read_manifest
from siku_manifests.report.legible import legible

FINDINGS_FILE = "findings.json"


class StageView(msgspec.Struct, frozen=True):
    """One stage of the chain."""

    folder: str
    """Name of its folder, such as `corpus-1f0c9a2b`."""
    manifest: Manifest
    findings: tuple[Finding, ...] = ()
    order: tuple[str, ...] = ()
    """Sources as the recipe lists them."""

    @property
    def name(self) -> str:
        """The stage's name, which is the kind of its dataset."""
        return self.manifest.identity.kind

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts by source, in the recipe's order; what it does not name, such as `all`, by name after it."""
        counts = self.manifest.record.counts
        named = [source for source in self.order if source in counts]
        return {source: counts[source] for source in (*named, *sorted(counts.keys() - set(named)))}

    @property
    def total(self) -> Counts:
        """Counts of all sources together."""
        return total(self.counts.values())

    @property
    def bytes(self) -> int:
        """Size of all recorded files."""
        return sum(file.bytes for file in self.manifest.record.files)


def read_stage(folder: Path) -> StageView:
    """Read a stage's folder; a stage without findings has none to show.

    Raises:
        VerificationError: the manifest is missing, damaged or edited.
        InputError: the findings cannot be read.
    """
    manifest = read_manifest(folder)
    file = folder / FINDINGS_FILE
    try:
        found = findings.decode(file.read_bytes()) if file.exists() else ()
    except findings.FindingError as error:
        msg = f"{file}: {error}; delete the folder and build the stage again."
        raise InputError(msg) from error
    return StageView(folder.name, manifest, found)


def in_recipe_order(stages: Sequence[StageView]) -> list[StageView]:
    """The same stages, counting sources in the order in which the first stage's manifest lists them."""
    order = tuple(source.name for stage in stages for source in stage.manifest.identity.sources)
    return [msgspec.structs.replace(stage, order=order) for stage in stages]


def made_legible(stage: StageView) -> StageView:
    """The same stage with every string in it, keys included, passed through `legible`.

    Once here, at the only door, rather than at each of a hundred places in the template.
    """
    shown: StageView = msgspec.convert(_cleaned(msgspec.to_builtins(stage)), StageView)
    return shown


def legible_findings(blocks: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same blocks with every string in them passed through `legible`."""
    return tuple(msgspec.convert(_cleaned(msgspec.to_builtins(block)), type(block)) for block in blocks)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {legible(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
