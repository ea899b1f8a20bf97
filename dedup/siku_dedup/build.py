"""The stage `corpus`: documents in, one of each out, split into training and validation.

count    a range of row groups -> its lines                      (only where the recipe asks,
gather   those of a source     -> the lines that it repeats       see boilerplate.py)
sign     a range of row groups -> key texts, hashes, signatures, band keys (parts.py)
cluster  all of them           -> what becomes of each document, and the verified pairs
write    a shard of documents  -> its rows of train/, validation/ and dropped/
"""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rfc8785
from numpy.typing import NDArray

from siku_dedup.boilerplate import describe_lines, mended, repeated_lines
from siku_dedup.clusters import cluster
from siku_dedup.contaminated import CONTAMINATED_FILE, gather_contaminated, write_contaminated
from siku_dedup.exact import first_equal
from siku_dedup.findings import FATES, PAIRS, SOURCES, SUMMARY, SURVIVORS, describe
from siku_dedup.inputs import document_shards, plan_row_groups
from siku_dedup.parts import SignedParts, write_part
from siku_dedup.signing import Signer, sign_texts
from siku_dedup.survivors import CONTAMINATED, EXACT, NEAR, TRAIN, VALIDATION, decide
from siku_dedup.tables import duplicates_table, pairs_table
from siku_manifests.atomic import write_json
from siku_manifests.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA
from siku_manifests.equation import Counts
from siku_manifests.errors import storage_errors
from siku_manifests.shards import read_batches, read_row_groups, write_table
from siku_manifests.stage import Context, Outcome, Range

REASONS = {EXACT: "exact_duplicate", NEAR: "near_duplicate", CONTAMINATED: "contaminated"}
DUPLICATES = "duplicates.parquet"
HAN = "han.npy"


def sign(context: Context, range_: Range, out: Path) -> None:
    """Sign the documents of some row groups."""
    shard = document_shards(context)[range_.inputs["shard"]]
    signer, repeated = _signer(context, shard.source), repeated_lines(context, shard.source)
    ids: list[pa.Array] = []
    batches = []
    for read in read_row_groups(shard.path, range_.inputs["groups"], columns=["id", "text"]):
        batch = mended(read, repeated)
        ids.append(batch["id"])
        batches.append(sign_texts(batch["text"], signer))
    write_part(out, pa.chunked_array(ids, pa.string()), batches, signer)
    if context.recipe.decontaminate.files:
        write_contaminated(context.recipe, [batch.points for batch in batches], out)


def _signer(context: Context, source: str) -> Signer:
    names = [each.name for each in context.recipe.source]
    number = names.index(source)
    return Signer.of(context.recipe.dedup, context.recipe.source[number].profile, source=number)


def plan_clustering(context: Context) -> list[Range]:
    """One range: edges of all bands meet in one union-find."""
    return [Range(0, weight=sum(range_.weight for range_ in plan_row_groups(context)))]


def cluster_all(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001  there is one range
    """Decide what becomes of each document, and keep what the report and the user want to know of it."""
    dedup = context.recipe.dedup
    signed = SignedParts(context.parts("sign"))
    contaminated = gather_contaminated(context.parts("sign"))
    held = contaminated["row"].to_numpy()
    first = first_equal(signed.hashes).astype(np.int64)
    # A contaminated document must not survive for a clean one. Equal keys hold equal questions, so no key is torn.
    unique = np.setdiff1d(np.flatnonzero(first == np.arange(len(first))), held)
    found = cluster(signed, unique, threshold=dedup.threshold)
    sources = _source_numbers(context, signed)
    verdicts = decide(
        found.root[first],
        hashes=signed.hashes,
        priority=np.array([source.priority for source in context.recipe.source], np.int64)[sources],
        han=signed.han,
        ids=signed,
        validation=(dedup.validation, context.recipe.seed),
    )
    verdicts.fate[held], verdicts.survivor[held] = CONTAMINATED, held
    np.save(out / FATES, verdicts.fate)
    np.save(out / SURVIVORS, verdicts.survivor)
    np.save(out / SOURCES, sources)
    np.save(out / HAN, signed.han)
    write_table(duplicates_table(signed, verdicts), out / DUPLICATES)
    write_table(contaminated, out / CONTAMINATED_FILE)
    write_table(pairs_table(signed, found), out / PAIRS)
    write_json(
        out / SUMMARY,
        {
            "documents": len(signed),
            "unique": len(unique),
            "candidates": found.candidates,
            "unfinished_groups": found.unfinished_groups,
        },
    )


def _source_numbers(context: Context, signed: SignedParts) -> NDArray[np.int64]:
    """Number in the recipe of each document's source, shape (D,)."""
    names = [source.name for source in context.recipe.source]
    by_part = np.array([names.index(range_.source) for range_ in plan_row_groups(context)], np.int64)
    return by_part[signed.part_of(np.arange(len(signed)))]


def plan_writing(context: Context) -> list[Range]:
    """One range a shard, with the row at which it begins."""
    ranges: list[Range] = []
    row = 0
    for number, shard in enumerate(document_shards(context)):
        inputs = {"shard": number, "row": row}
        ranges.append(Range(number, source=shard.source, inputs=inputs, weight=shard.path.stat().st_size))
        row += pq.read_metadata(shard.path).num_rows
    return ranges


def write(context: Context, range_: Range, out: Path) -> None:
    """Divide one shard's documents into train, validation and dropped, and count them."""
    shard = document_shards(context)[range_.inputs["shard"]]
    part = context.part("cluster", 0)
    fates = np.load(part / FATES, mmap_mode="r")
    duplicates, contaminated = pq.read_table(part / DUPLICATES), pq.read_table(part / CONTAMINATED_FILE)
    row = int(range_.inputs["row"])
    counts = Counts()
    kept: dict[str, list[pa.RecordBatch]] = {"train": [], "validation": []}
    dropped: list[pa.RecordBatch] = []
    repeated = repeated_lines(context, shard.source)
    for read in read_batches([shard.path]):
        batch = mended(read, repeated)
        fate = np.asarray(fates[row : row + len(batch)])
        for split, value in (("train", TRAIN), ("validation", VALIDATION)):
            kept[split].append(batch.filter(pa.array(fate == value)))
        gone = batch.filter(pa.array(fate >= EXACT))
        details = _duplicate_details(_slice(duplicates, row, row + len(batch)), context.recipe.dedup.threshold)
        held = _slice(contaminated, row, row + len(batch))
        details.update(zip(held["row"].to_pylist(), held["detail"].to_pylist(), strict=True))
        dropped.append(_dropped(gone, fate[fate >= EXACT], [details[at] for at in sorted(details)]))
        counts += _count(fate)
        row += len(batch)
    tables = {split: pa.Table.from_batches(batches, DOCUMENT_SCHEMA) for split, batches in kept.items()}
    if context.recipe.keep_dropped:
        tables["dropped"] = pa.Table.from_batches(dropped, DROPPED_SCHEMA)
    for folder, table in tables.items():
        if len(table):
            write_table(table, out / folder / shard.path.name)
    counts += _measure([tables["train"], tables["validation"]], context, range_)
    write_json(out / "counts.json", msgspec.to_builtins(counts))


def _slice(duplicates: pa.Table, low: int, high: int) -> pa.Table:
    rows = duplicates["row"].to_numpy()
    begin, end = np.searchsorted(rows, [low, high])
    return duplicates.slice(int(begin), int(end - begin))


def _duplicate_details(duplicates: pa.Table, threshold: float) -> dict[int, str]:
    """By row, what is said of a duplicate in `dropped/`."""
    columns = (duplicates[name].to_pylist() for name in ("row", "duplicate_of", "similarity"))
    return {
        row: rfc8785.dumps({"duplicate_of": survivor, "similarity": round(value, 4), "threshold": threshold}).decode()
        for row, survivor, value in zip(*columns, strict=True)
    }


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


def _measure(tables: list[pa.Table], context: Context, range_: Range) -> Counts:
    """Size of the kept text; Han characters were counted when it was signed."""
    first = int(range_.inputs["row"])
    fates = np.load(context.part("cluster", 0) / FATES, mmap_mode="r")
    han = np.load(context.part("cluster", 0) / HAN, mmap_mode="r")
    rows = pq.read_metadata(document_shards(context)[range_.number].path).num_rows
    kept = np.asarray(fates[first : first + rows]) < EXACT
    return Counts(
        characters=sum(pc.sum(pc.utf8_length(table["text"])).as_py() or 0 for table in tables),
        han=int(han[first : first + rows][kept].sum()),
        bytes=sum(pc.sum(pc.binary_length(table["text"])).as_py() or 0 for table in tables),
    )


def finish(context: Context) -> Outcome:
    """Put the shards in their places, add up the counts and describe what was found."""
    counts: dict[str, Counts] = {source.name: Counts() for source in context.recipe.source}
    shards: list[str] = []
    extra = [PAIRS]
    for range_ in plan_writing(context):
        part = context.part("write", range_.number)
        counts[range_.source] += msgspec.json.decode((part / "counts.json").read_bytes(), type=Counts)
        for path in sorted(part.rglob("*.parquet")):
            name = path.relative_to(part).as_posix()
            _link(path, context.folder / name)
            (extra if name.startswith("dropped/") else shards).append(name)
    clustered = context.part("cluster", 0)
    _link(clustered / PAIRS, context.folder / PAIRS)
    counts = {source: count for source, count in counts.items() if count.read}
    findings = [*describe(context, clustered, counts), *describe_lines(context)]
    return Outcome(shards=shards, counts=counts, extra_files=extra, findings=findings)


def _link(source: Path, target: Path) -> None:
    """Give a part's file its final name too; parts stay whole, so that a killed `finish` can begin again."""
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, target)
