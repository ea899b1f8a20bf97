"""Where the documents lie that this stage reads."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from siku_manifests.errors import InputError
from siku_manifests.recipe import Recipe
from siku_manifests.shards import row_group_runs
from siku_manifests.stage import Context, Range

SIGN_BYTES = 32 << 20
"""Of Parquet data before compression, in one range; a range is held in memory."""


class DocumentShard(NamedTuple):
    """One shard of the documents stage."""

    source: str
    path: Path


def document_shards(context: Context) -> list[DocumentShard]:
    """Shards of the documents stage: sources in the recipe's order, shards by number.

    Raises:
        InputError: there is none.
    """
    folder = context.parents["documents"]
    names = sorted(shard.path for shard in context.parent_manifest("documents").identity.shards)
    by_source: dict[str, list[Path]] = {}
    for name in names:
        by_source.setdefault(Path(name).stem.rpartition("-")[0], []).append(folder / name)
    shards = [DocumentShard(source.name, p) for source in context.recipe.source for p in by_source.get(source.name, [])]
    if not shards:
        msg = f"{folder}: the documents stage kept no document; look into its dropped/ and quarantine/ for the reasons."
        raise InputError(msg)
    return shards


def texts_at(context: Context, rows: list[int]) -> dict[int, str]:
    """Texts of documents by row, reading only the row groups that hold them."""
    wanted = sorted(set(rows))
    texts: dict[int, str] = {}
    base = 0
    for shard in document_shards(context):
        with pq.ParquetFile(shard.path) as file:
            for group in range(file.metadata.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                here = [row for row in wanted if base <= row < base + size]
                if here:
                    column: Any = file.read_row_group(group, columns=["text"])["text"]
                    texts.update({row: column[row - base].as_py() for row in here})
                base += size
    return texts


def plan_row_groups(context: Context) -> list[Range]:
    """Row groups of each shard, gathered to `SIGN_BYTES`.

    Raises:
        InputError: a shard is missing or damaged.
    """
    ranges: list[Range] = []
    for number, shard in enumerate(document_shards(context)):
        for groups, size in row_group_runs(shard.path, run_bytes=SIGN_BYTES):
            inputs = {"shard": number, "groups": groups}
            ranges.append(Range(len(ranges), source=shard.source, inputs=inputs, weight=size))
    return ranges


def plan_shards(context: Context) -> list[Range]:
    """One range a shard, with the row at which it begins."""
    ranges: list[Range] = []
    row = 0
    for number, shard in enumerate(document_shards(context)):
        inputs = {"shard": number, "row": row}
        ranges.append(Range(number, source=shard.source, inputs=inputs, weight=shard.path.stat().st_size))
        row += pq.read_metadata(shard.path).num_rows
    return ranges


def scopes(recipe: Recipe) -> dict[str, int]:
    """By source, a number that sources share whose documents may be duplicates of each other."""
    kin = {
        source.name: {"global": "", "snapshot": source.snapshot, "source": source.name}[recipe.dedup.scope]
        for source in recipe.source
    }
    numbers = {name: number for number, name in enumerate(dict.fromkeys(kin.values()))}
    return {source: numbers[name] for source, name in kin.items()}
