"""Repeated lines inside the stage: counted by range, added up by source, left out when texts are read.

All of it is skipped while the recipe's `repeated_lines` is 0.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from siku_dedup.inputs import document_shards, plan_row_groups
from siku_dedup.lines import count_lines, without_lines
from siku_manifests.findings import Finding, Table
from siku_manifests.shards import read_row_groups, write_table
from siku_manifests.stage import Context, Range

LINES_FILE = "lines.parquet"
SCHEMA = pa.schema([("hash", pa.uint64()), ("documents", pa.int64()), ("line", pa.string())])
SHOWN = 20


def plan_counting(context: Context) -> list[Range]:
    """Row groups, as for signing; nothing if lines are not looked at."""
    return plan_row_groups(context) if context.recipe.dedup.repeated_lines else []


def count(context: Context, range_: Range, out: Path) -> None:
    """In how many documents of a range each line stands."""
    shard = document_shards(context)[range_.inputs["shard"]]
    batches = read_row_groups(shard.path, range_.inputs["groups"], columns=["text"])
    found = count_lines(pa.concat_arrays([batch["text"] for batch in batches]))
    columns = [pa.array(found.hashes), pa.array(found.documents), found.texts]
    write_table(pa.Table.from_arrays(columns, schema=SCHEMA), out / LINES_FILE)


def plan_gathering(context: Context) -> list[Range]:
    """One range for each source with documents."""
    names = list(dict.fromkeys(range_.source for range_ in plan_counting(context)))
    return [Range(number, source=name) for number, name in enumerate(names)]


def gather(context: Context, range_: Range, out: Path) -> None:
    """The repeated lines of a source, most frequent first; memory is that of its different lines."""
    parts = [context.part("count", each.number) for each in plan_counting(context) if each.source == range_.source]
    counts = pa.concat_tables([pq.read_table(part / LINES_FILE, columns=["hash", "documents"]) for part in parts])
    summed = counts.group_by("hash").aggregate([("documents", "sum")])
    enough = pc.greater_equal(summed["documents_sum"], context.recipe.dedup.repeated_lines)
    hashes = summed["hash"].filter(enough).to_numpy()
    order = np.argsort(hashes)
    hashes, documents = hashes[order], summed["documents_sum"].filter(enough).to_numpy()[order]
    spelt = np.full(len(hashes), "", object)
    for part in reversed(parts):  # so that the first spelling is the one that stays
        table = pq.read_table(part / LINES_FILE, columns=["hash", "line"])
        here = np.isin(table["hash"].to_numpy(), hashes)
        rows = table.filter(pa.array(here))
        spelt[np.searchsorted(hashes, rows["hash"].to_numpy())] = rows["line"].to_pylist()
    by_count = np.lexsort((hashes, -documents))
    columns = [pa.array(hashes[by_count]), pa.array(documents[by_count]), pa.array(spelt[by_count], pa.string())]
    write_table(pa.Table.from_arrays(columns, schema=SCHEMA), out / LINES_FILE)


def repeated_lines(context: Context, source: str) -> NDArray[np.uint64]:
    """Hashes of the lines that a source repeats, ascending."""
    for range_ in plan_gathering(context):
        if range_.source == source:
            table = pq.read_table(context.part("gather", range_.number) / LINES_FILE, columns=["hash"])
            return np.sort(table["hash"].to_numpy())
    return np.zeros(0, np.uint64)


def mended(batch: pa.RecordBatch, repeated: NDArray[np.uint64]) -> pa.RecordBatch:
    """The documents without repeated lines."""
    if not len(repeated):
        return batch
    place = batch.schema.get_field_index("text")
    return batch.set_column(place, batch.schema.field(place), without_lines(batch["text"], repeated))


def describe_lines(context: Context) -> list[Finding]:
    """The most repeated lines of each source."""
    rows: list[list[str | int | float]] = []
    for range_ in plan_gathering(context):
        table = pq.read_table(context.part("gather", range_.number) / LINES_FILE)
        shown = table.slice(0, SHOWN).to_pylist()
        rows += [[range_.source, len(table), row["documents"], row["line"]] for row in shown]
    columns = ["source", "repeated lines", "documents", "line"]
    note = f"Each stood in {context.recipe.dedup.repeated_lines:,} documents of its source or more, and was removed."
    return [Table(section="dedup", title="Repeated lines", columns=columns, rows=rows, note=note)] if rows else []
