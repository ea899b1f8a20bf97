"""What happened to one document: kept, dropped by which rule at which value, or a duplicate of which other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc
import pyarrow.parquet as pq

from siku_corpus.filters import REASONS
from siku_corpus.tell import REFUSED
from siku_manifests.errors import InputError

_KEPT = ("", "train", "validation")
_SHOWN_CHARACTERS = 400


def explain(folders: Sequence[Path], document: str) -> list[str]:
    """Lines for people: what each stage did with a document, and its text as the last of them has it.

    Args:
        folders: finished stages, in their order; those without documents are passed over.
        document: its id.

    Raises:
        InputError: no stage has met it.
    """
    lines: list[str] = []
    text = ""
    for folder in folders:
        stage = folder.name.rpartition("-")[0]
        for part, row in _rows(folder, document):
            lines.append(f"{stage}: {_fate(part, row)}")
            text = row["text"]
    if not lines:
        msg = (
            f"{document}: no stage that is built has met this document; ids are SOURCE/PATH#LOCATOR, as in the column "
            f"`id` of the shards. A record that could not be read is in quarantine/ and has no id."
        )
        raise InputError(msg)
    shown = text[:_SHOWN_CHARACTERS] + ("…" if len(text) > _SHOWN_CHARACTERS else "")
    return [*lines, "", shown]


def _rows(folder: Path, document: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a stage with this id, and the part of its folder that they lie in."""
    source = document.partition("/")[0]
    for part in (*_KEPT, "dropped"):
        for shard in sorted((folder / part).glob(f"{source}-*.parquet")):
            # The ids alone first: a text is decompressed only where the id is.
            ids = pq.read_table(shard, columns=["id"]).column("id")
            place = pc.index(ids, document).as_py()
            if place >= 0:
                yield part, pq.read_table(shard).slice(place, 1).to_pylist()[0]


def _fate(part: str, row: dict[str, Any]) -> str:
    if part != "dropped":
        where = f" for {part}" if part else ""
        meta = ", ".join(f"{key} {value}" for key, value in msgspec.json.decode(row["meta"]).items())
        return f"kept{where}, {len(row['text']):,} characters, language {row['language']}{meta and ', ' + meta}"
    says = (REASONS | REFUSED).get(row["reason"], "")
    detail = ", ".join(f"{key} {value}" for key, value in sorted(msgspec.json.decode(row["detail"]).items()))
    return f"dropped, {row['reason']}" + (f": {says}" if says else "") + (f" ({detail})" if detail else "")
