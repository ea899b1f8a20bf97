"""Decontamination inside the stage: which documents of a range hold a question, and what `dropped/` says of them."""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rfc8785

from siku_dedup.decontaminate import Decontaminator
from siku_dedup.inputs import texts_at
from siku_dedup.points import Points
from siku_dedup.questions import Question, read_questions
from siku_manifests.findings import Finding, Pair, SideBySide, Table
from siku_manifests.raw import question_files
from siku_manifests.recipe import Recipe
from siku_manifests.shards import write_table
from siku_manifests.stage import Context

CONTAMINATED_FILE = "contaminated.parquet"
SHOWN = 4
SCHEMA = pa.schema([("row", pa.int64()), ("detail", pa.string())])


def write_contaminated(recipe: Recipe, batches: Sequence[Points], out: Path) -> None:
    """Look for the recipe's questions in the key texts of one range; rows count from the range's first document."""
    decontaminator = _decontaminator(tuple(question_files(recipe)), recipe.decontaminate.containment)
    rows: list[int] = []
    details: list[str] = []
    base = 0
    for points in batches:
        found = decontaminator.find(points)
        rows += (base + found.rows).tolist()
        chosen = zip(found.questions.tolist(), found.containment.tolist(), strict=True)
        details += [_detail(decontaminator.questions[number], share) for number, share in chosen]
        base += len(points)
    columns = [pa.array(rows, pa.int64()), pa.array(details, pa.string())]
    write_table(pa.Table.from_arrays(columns, schema=SCHEMA), out / CONTAMINATED_FILE)


@functools.lru_cache(maxsize=1)
def _decontaminator(files: tuple[Path, ...], containment: float) -> Decontaminator:
    """Made once in a process: an index of 10,000 questions takes a second."""
    return Decontaminator([question for file in files for question in read_questions(file)], containment=containment)


def _detail(question: Question, share: float) -> str:
    said: dict[str, Any] = {
        "file": question.file,
        "row": question.row,
        "question": question.text,
        "containment": round(share, 4),
    }
    if question.options:
        said["options"] = list(question.options)
    return rfc8785.dumps(said).decode()


def gather_contaminated(parts: Sequence[Path]) -> pa.Table:
    """What all ranges found, rows counting through the documents of all of them; empty when nothing was looked for."""
    tables = [SCHEMA.empty_table()]
    base = 0
    for part in parts:
        if (part / CONTAMINATED_FILE).is_file():
            table = pq.read_table(part / CONTAMINATED_FILE)
            rows = np.asarray(table["row"]) + base
            tables.append(
                pa.Table.from_arrays([pa.array(rows, pa.int64()), table["detail"].combine_chunks()], schema=SCHEMA)
            )
        base += len(np.load(part / "han.npy", mmap_mode="r"))
    return pa.concat_tables(tables)


def describe_contaminated(context: Context, folder: Path) -> list[Finding]:
    """What was looked for and what was found, by file of questions, with some documents to judge it by."""
    files = tuple(question_files(context.recipe))
    if not files:
        return []
    decontaminator = _decontaminator(files, context.recipe.decontaminate.containment)
    table = pq.read_table(folder / CONTAMINATED_FILE)
    details = [msgspec.json.decode(detail, type=dict[str, Any]) for detail in table["detail"].to_pylist()]
    asked = Counter(question.file for question in decontaminator.questions)
    found = Counter(detail["file"] for detail in details)
    held = Counter(detail["file"] for detail in {(each["file"], each["row"]): each for each in details}.values())
    rows = [[file, asked[file], held[file], found[file]] for file in sorted(found)]
    rows.append(["all", asked.total(), held.total(), found.total()])
    note = f"{decontaminator.too_short:,} questions say too little to be looked for. dropped/ has both texts."
    columns = ["questions from", "questions", "found", "documents removed"]
    blocks: list[Finding] = [Table(section="dedup", title="Decontamination", columns=columns, rows=rows, note=note)]
    shown = list(zip(table["row"].to_pylist(), details, strict=True))[:SHOWN]
    if shown:
        texts = texts_at(context, [row for row, _ in shown])
        pairs = [Pair(said["question"], texts[row], f"{said['file']}, {said['row']}") for row, said in shown]
        title, labels = "Documents that hold a question", {"left_label": "question", "right_label": "document"}
        blocks.append(SideBySide(section="dedup", title=title, pairs=pairs, **labels))
    return blocks
