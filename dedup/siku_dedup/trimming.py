"""Repeated substrings inside the stage: of the documents that stay, what stood in an earlier one is cut out.

spell    a shard of documents -> its surviving texts as code points
search   one pass             -> the windows that stood before (substrings.py)

Both phases have no range while the recipe's `substrings` is 0. Earlier means: in a source of higher priority, then
in a source that the recipe names before, then before in the same source. Of a document that goes because too little
is left, that little goes too.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import rfc8785
from numpy.typing import NDArray

from siku_dedup.boilerplate import mended, repeated_lines
from siku_dedup.findings import FATES
from siku_dedup.inputs import document_shards, plan_shards, scopes
from siku_dedup.parts import SignedParts
from siku_dedup.points import Points, column_points
from siku_dedup.substrings import PASS_WINDOWS, Repeats, Spans, Texts, find_repeats, spans, without
from siku_dedup.survivors import EXACT
from siku_manifests.findings import Examples, Finding, Table
from siku_manifests.shards import read_batches, read_table
from siku_manifests.stage import Context, Range

CUTS = "cuts"
"""Folder of what was cut out, a file a shard."""
SHOWN = 6
CUT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("begin", pa.int64()),
        ("end", pa.int64()),
        ("found_in", pa.string()),
        ("found_at", pa.int64()),
        ("text", pa.string()),
    ]
)


def plan_spelling(context: Context) -> list[Range]:
    """One range a shard; none if substrings are not looked for."""
    return plan_shards(context) if context.recipe.dedup.substrings else []


def spell(context: Context, range_: Range, out: Path) -> None:
    """Write the texts of a shard's surviving documents as code points, and their rows."""
    shard = document_shards(context)[range_.number]
    fates = np.load(context.part("cluster", 0) / FATES, mmap_mode="r")
    repeated = repeated_lines(context, shard.source)
    row = int(range_.inputs["row"])
    rows, values, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)], [np.zeros(1, np.int64)]
    for read in read_batches([shard.path], columns=["text"]):
        stays = np.asarray(fates[row : row + len(read)]) < EXACT
        points = column_points(mended(read, repeated)["text"].filter(pa.array(stays)))
        values.append(points.values)
        sizes.append(np.diff(points.starts))
        rows.append(row + np.flatnonzero(stays))
        row += len(read)
    for name, column in (("points", values), ("sizes", sizes), ("rows", rows)):
        np.save(out / f"{name}.npy", np.concatenate(column))


class Spelled(NamedTuple):
    """The surviving documents in the order in which a first occurrence is looked for."""

    texts: Texts
    rows: list[NDArray[np.int64]]
    """Of each place, the documents' rows among all."""
    place_of: dict[int, int]
    """By number of the shard, its place."""

    def document_at(self, characters: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row of the document that holds each character, and which of its characters it is."""
        place = self.texts.part_of(characters)
        rows, offsets = np.empty_like(characters), np.empty_like(characters)
        for number in np.unique(place):
            here = np.flatnonzero(place == number)
            local = characters[here] - self.texts.bases[number]
            starts = self.texts.parts[number].starts
            document = np.searchsorted(starts, local, side="right") - 1
            rows[here], offsets[here] = self.rows[number][document], local - starts[document]
        return rows, offsets


def read_spelled(context: Context) -> Spelled:
    """Map what `spell` wrote."""
    priority = {source.name: source.priority for source in context.recipe.source}
    ranges = sorted(plan_spelling(context), key=lambda range_: -priority[range_.source])
    by_source = scopes(context.recipe)
    parts, rows = [], []
    for range_ in ranges:
        folder = context.part("spell", range_.number)
        parts.append(Points(np.load(folder / "points.npy", mmap_mode="r"), np.cumsum(np.load(folder / "sizes.npy"))))
        rows.append(np.load(folder / "rows.npy"))
    texts = Texts(parts, [by_source[range_.source] for range_ in ranges])
    return Spelled(texts, rows, {range_.number: place for place, range_ in enumerate(ranges)})


def plan_search(context: Context) -> list[Range]:
    """Passes enough that each holds about `PASS_WINDOWS` windows."""
    if not context.recipe.dedup.substrings:
        return []
    characters = int(read_spelled(context).texts.bases[-1])
    passes = max(1, -(-characters // PASS_WINDOWS))
    return [Range(number, inputs={"passes": passes}, weight=characters) for number in range(passes)]


def search(context: Context, range_: Range, out: Path) -> None:
    """Find the repeats of one pass."""
    texts, size = read_spelled(context).texts, context.recipe.dedup.substrings
    found = find_repeats(texts, size=size, number=range_.number, passes=range_.inputs["passes"])
    np.save(out / "places.npy", found.places)
    np.save(out / "origins.npy", found.origins)


class Trimmed(NamedTuple):
    """What is cut out of one shard's documents."""

    texts: dict[int, str]
    """By row, what is left of a document that loses something and stays."""
    gone: dict[int, str]
    """By row, what `dropped/` says of a document of which too little is left."""
    cuts: pa.Table


def trim(context: Context, shard: int) -> Trimmed:
    """Cut a shard's documents."""
    dedup = context.recipe.dedup
    if not dedup.substrings:
        return Trimmed({}, {}, CUT_SCHEMA.empty_table())
    spelled = read_spelled(context)
    place = spelled.place_of[shard]
    points, rows = spelled.texts.parts[place], spelled.rows[place]
    found = spans(points, _repeats(context, spelled.texts, place), size=dedup.substrings)
    texts: dict[int, str] = {}
    gone: dict[int, str] = {}
    for document, cuts in found.by_document():
        left = without(points.text(document), cuts)
        row = int(rows[document])
        if len(left) >= dedup.substrings_left:
            texts[row] = left
        else:
            removed = sum(end - begin for begin, end in cuts)
            gone[row] = rfc8785.dumps({"characters_cut": removed, "characters_left": len(left)}).decode()
    return Trimmed(texts, gone, _cut_table(context, spelled, place, found))


def _repeats(context: Context, texts: Texts, place: int) -> Repeats:
    """What all passes found in one place, counted from its first character."""
    low, high = texts.bases[place : place + 2]
    places, origins = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for folder in context.parts("search"):
        found = np.load(folder / "places.npy", mmap_mode="r")
        here = slice(*np.searchsorted(found, [low, high]))
        places.append(found[here] - low)
        origins.append(np.load(folder / "origins.npy", mmap_mode="r")[here])
    joined = np.concatenate(places)
    order = np.argsort(joined)
    return Repeats(joined[order], np.concatenate(origins)[order])


def _cut_table(context: Context, spelled: Spelled, place: int, found: Spans) -> pa.Table:
    """Every cut: the document, from and to which character, and where the same stood before."""
    points, rows = spelled.texts.parts[place], spelled.rows[place]
    signed = SignedParts(context.parts("sign"))
    origins, offsets = spelled.document_at(found.origins)
    bounds = zip(found.documents.tolist(), found.begins.tolist(), found.ends.tolist(), strict=True)
    columns: list[Any] = [
        signed.ids(rows[found.documents]),
        found.begins,
        found.ends,
        signed.ids(origins),
        offsets,
        [points.text(document)[begin:end] for document, begin, end in bounds],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, CUT_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=CUT_SCHEMA)


def describe_cuts(context: Context) -> list[Finding]:
    """What was cut out of each source, and the runs that stood in most places."""
    size = context.recipe.dedup.substrings
    rows: list[list[str | int | float]] = []
    often: Counter[str] = Counter()
    for source in dict.fromkeys(range_.source for range_ in plan_spelling(context)):
        paths = sorted((context.folder / CUTS).glob(f"{source}-[0-9]*.parquet"))
        documents = characters = cuts = own = 0
        for path in paths:
            table = read_table(path)
            documents += pc.count_distinct(table["id"]).as_py()
            characters += pc.sum(pc.subtract(table["end"], table["begin"])).as_py()
            cuts += len(table)
            own += pc.sum(pc.equal(table["id"], table["found_in"])).as_py()
            often.update(table["text"].to_pylist())
        rows.append([source, documents, cuts, own, characters])
    if not rows:
        return []
    columns = ["source", "documents trimmed", "runs cut out", "within one document", "characters"]
    note = (
        f"Runs of {size} characters or more that stand earlier in the corpus, letter for letter; the first stays. "
        f"cuts/ has each with the place of the first. A document with fewer than "
        f"{context.recipe.dedup.substrings_left} characters left is dropped as repeated_substrings."
    )
    blocks: list[Finding] = [Table(section="dedup", title="Repeated substrings", columns=columns, rows=rows, note=note)]
    shown = [(f"cut out {count:,} times", text, "") for text, count in often.most_common(SHOWN)]
    if shown:
        blocks.append(Examples(section="dedup", title="What was cut out most often", items=shown))
    return blocks
