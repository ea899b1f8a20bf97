"""The last phase of the stage: a shard of documents becomes its rows of train/, validation/ and dropped/.

What becomes of a document was decided by clustering and is only carried out here; only a document of which the
repeated substrings leave too little is decided on here.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rfc8785
from numpy.typing import NDArray

from siku_dedup.boilerplate import mended, repeated_lines
from siku_dedup.contaminated import CONTAMINATED_FILE
from siku_dedup.findings import FATES
from siku_dedup.inputs import document_shards
from siku_dedup.keytext import key_points
from siku_dedup.survivors import CONTAMINATED, EXACT, NEAR, REPEATED, TRAIN, VALIDATION
from siku_dedup.trimming import CUTS, Trimmed, trim
from siku_manifests.atomic import write_json
from siku_manifests.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA
from siku_manifests.equation import Counts
from siku_manifests.shards import read_batches, write_table
from siku_manifests.stage import Context, Range

REASONS = {
    EXACT: "exact_duplicate",
    NEAR: "near_duplicate",
    CONTAMINATED: "contaminated",
    REPEATED: "repeated_substrings",
}
DUPLICATES = "duplicates.parquet"
HAN = "han.npy"
GONE = "gone.npy"
SPLITS = {"train": TRAIN, "validation": VALIDATION}


def write(context: Context, range_: Range, out: Path) -> None:
    """Divide one shard's documents into train, validation and dropped, and count them."""
    shard, first = document_shards(context)[range_.number], int(range_.inputs["row"])
    verdicts = _Verdicts(context.part("cluster", 0), context.recipe.dedup.threshold)
    trimmed = trim(context, range_.number)
    tables: dict[str, list[pa.RecordBatch]] = {"train": [], "validation": [], "dropped": []}
    repeated = repeated_lines(context, shard.source)
    counts, row = Counts(), first
    for read in read_batches([shard.path]):
        batch = mended(read, repeated)
        fate, details = verdicts.of(row, row + len(batch), trimmed)
        for split, value in SPLITS.items():
            kept = batch.filter(pa.array(fate == value))
            tables[split].append(_trimmed(kept, row + np.flatnonzero(fate == value), trimmed))
        gone = batch.filter(pa.array(fate >= EXACT))
        tables["dropped"].append(_dropped(gone, fate[fate >= EXACT], details))
        counts += _count(fate)
        row += len(batch)
    for folder, batches in tables.items():
        table = pa.Table.from_batches(batches, DROPPED_SCHEMA if folder == "dropped" else DOCUMENT_SCHEMA)
        if folder in SPLITS:
            counts += _sizes(table)
        if len(table) and (folder in SPLITS or context.recipe.keep_dropped):
            write_table(table, out / folder / shard.path.name)
    counts += Counts(han=verdicts.han(first, row, trimmed))
    if len(trimmed.cuts):
        write_table(trimmed.cuts, out / CUTS / shard.path.name)
    np.save(out / GONE, np.array([*trimmed.gone], np.int64))
    write_json(out / "counts.json", msgspec.to_builtins(counts))


class _Verdicts:
    """What the cluster phase decided, read by rows."""

    def __init__(self, folder: Path, threshold: float) -> None:
        self._fates = np.load(folder / FATES, mmap_mode="r")
        self._han = np.load(folder / HAN, mmap_mode="r")
        self._duplicates = pq.read_table(folder / DUPLICATES)
        self._contaminated = pq.read_table(folder / CONTAMINATED_FILE)
        self._threshold = threshold

    def of(self, low: int, high: int, trimmed: Trimmed) -> tuple[NDArray[np.int8], list[str]]:
        """What becomes of each document from row `low` to `high`, and what is said of those that go."""
        fate = np.array(self._fates[low:high])
        details = _duplicate_details(_slice(self._duplicates, low, high), self._threshold)
        held = _slice(self._contaminated, low, high)
        details.update(zip(held["row"].to_pylist(), held["detail"].to_pylist(), strict=True))
        here = {row: detail for row, detail in trimmed.gone.items() if low <= row < high}
        fate[np.array([*here], np.int64) - low] = REPEATED
        details.update(here)
        return fate, [details[row] for row in sorted(details)]

    def han(self, low: int, high: int, trimmed: Trimmed) -> int:
        """Han characters in what stays; they were counted when documents were signed, but for those cut since."""
        han = np.array(self._han[low:high])
        cut = np.array([*trimmed.texts], np.int64) - low
        han[cut] = key_points(pa.array(trimmed.texts.values(), pa.string())).han
        stays = np.asarray(self._fates[low:high]) < EXACT
        stays[np.array([*trimmed.gone], np.int64) - low] = False
        return int(han[stays].sum())


def _slice(table: pa.Table, low: int, high: int) -> pa.Table:
    rows = table["row"].to_numpy()
    begin, end = np.searchsorted(rows, [low, high])
    return table.slice(int(begin), int(end - begin))


def _duplicate_details(duplicates: pa.Table, threshold: float) -> dict[int, str]:
    """By row, what is said of a duplicate in `dropped/`."""
    columns = (duplicates[name].to_pylist() for name in ("row", "duplicate_of", "similarity"))
    return {
        row: rfc8785.dumps({"duplicate_of": survivor, "similarity": round(value, 4), "threshold": threshold}).decode()
        for row, survivor, value in zip(*columns, strict=True)
    }


def _trimmed(batch: pa.RecordBatch, rows: NDArray[np.int64], trimmed: Trimmed) -> pa.RecordBatch:
    """Documents, shape (D,), of these rows, with what is left of those that lost something."""
    cut = np.array([row in trimmed.texts for row in rows.tolist()], np.bool_)
    if not cut.any():
        return batch
    place = batch.schema.get_field_index("text")
    left = pa.array([trimmed.texts[row] for row in rows[cut].tolist()], pa.string())
    return batch.set_column(place, batch.schema.field(place), pc.replace_with_mask(batch["text"], pa.array(cut), left))


def _dropped(gone: pa.RecordBatch, fate: NDArray[np.int8], notes: list[str]) -> pa.RecordBatch:
    reasons = [REASONS[int(value)] for value in fate]
    stage = ["corpus"] * len(gone)
    columns: list[Any] = [gone["id"], gone["source"], stage, reasons, notes, gone["text"]]
    arrays = [
        pa.array(column, pa.string()) if isinstance(column, list) else column.cast(pa.string()) for column in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=DROPPED_SCHEMA)


def _count(fate: NDArray[np.int8]) -> Counts:
    dropped = {name: int((fate == value).sum()) for value, name in REASONS.items()}
    return Counts(
        read=len(fate),
        kept=int((fate < EXACT).sum()),
        dropped={name: count for name, count in dropped.items() if count},
    )


def _sizes(table: pa.Table) -> Counts:
    return Counts(
        characters=pc.sum(pc.utf8_length(table["text"])).as_py() or 0,
        bytes=pc.sum(pc.binary_length(table["text"])).as_py() or 0,
    )
