"""Why a document stays or goes, in lines for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from siku_dedup.bands import band_keys
from siku_dedup.jaccard import jaccard
from siku_dedup.keytext import key_points
from siku_dedup.signing import Signer, sign_points
from siku_manifests.errors import InputError

FOLDERS = ("train", "validation", "dropped")
SHOWN = 10
_LIMIT = 300


class Found(NamedTuple):
    """Where a document of a finished corpus stands."""

    place: str
    text: str
    reason: str
    detail: dict[str, object]


def find_document(folder: Path, document: str) -> Found:
    """Look a document up by id, reading one shard at a time.

    Raises:
        InputError: the corpus has no such document.
    """
    for place in FOLDERS:
        for path in sorted((folder / place).glob("*.parquet")):
            rows = pq.read_table(path, filters=pc.field("id") == document).to_pylist()
            if rows:
                detail = msgspec.json.decode(rows[0].get("detail", "{}"), type=dict[str, object])
                return Found(place, rows[0]["text"], rows[0].get("reason", ""), detail)
    msg = f"{document}: not in {folder}, neither kept nor dropped there; ids begin with their source, as in the shards."
    raise InputError(msg)


def explain_lines(folder: Path, document: str) -> Iterator[str]:
    """What became of one document and why: its verdict, its survivor with the differences, its compared pairs."""
    found = find_document(folder, document)
    yield f"{document}: {'dropped, ' + found.reason if found.reason else 'kept for ' + found.place}"
    for name, value in found.detail.items():
        yield f"  {name}: {value}"
    survivor = found.detail.get("duplicate_of")
    if isinstance(survivor, str):
        yield from (f"  {line}" for line in difference_lines(find_document(folder, survivor).text, found.text))
    yield from _cut_lines(folder, document)
    yield from _pair_lines(folder, document)
    if not found.reason:
        yield from _stands_for(folder, document)


def _cut_lines(folder: Path, document: str) -> Iterator[str]:
    """What was cut out of a document because it stood before."""
    for path in sorted((folder / "cuts").glob("*.parquet")):
        for cut in pq.read_table(path, filters=pc.field("id") == document).to_pylist():
            place = f"they stand in {cut['found_in']} from {cut['found_at']}"
            yield f"  characters {cut['begin']} to {cut['end']} were cut out; {place}:"
            yield f"    {cut['text'][:_LIMIT]}"


def _pair_lines(folder: Path, document: str) -> Iterator[str]:
    matches = (pc.field("left") == document) | (pc.field("right") == document)
    pairs = pq.read_table(folder / "pairs.parquet", filters=matches)
    order = np.argsort(-pairs["exact"].to_numpy(), kind="stable")
    yield f"  compared with {len(pairs):,} documents that share a band and passed the gate"
    for pair in pairs.take(pa.array(order[:SHOWN])).to_pylist():
        other = pair["right"] if pair["left"] == document else pair["left"]
        yield f"    exact {pair['exact']:.3f}, estimated {pair['estimate']:.3f}  {other}"


def _stands_for(folder: Path, document: str) -> Iterator[str]:
    gone = [
        f"{row['reason']}  {row['id']}"
        for path in sorted((folder / "dropped").glob("*.parquet"))
        for row in pq.read_table(path, columns=["id", "reason", "detail"]).to_pylist()
        if document in row["detail"] and msgspec.json.decode(row["detail"]).get("duplicate_of") == document
    ]
    yield f"  stands for {len(gone):,} others"
    yield from (f"    {line}" for line in gone[:SHOWN])


def difference_lines(stays: str, goes: str) -> Iterator[str]:
    """The two texts with what only one of them has: `[-only the one that stays-]`, `{+only the other+}`."""
    left, right = stays[:_LIMIT], goes[:_LIMIT]
    pieces = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(left[a:b])
            continue
        pieces += [f"[-{left[a:b]}-]"] * (b > a) + [f"{{+{right[c:d]}+}}"] * (d > c)
    yield from "".join(pieces).splitlines()
    if max(len(stays), len(goes)) > _LIMIT:
        yield f"… the first {_LIMIT} characters of {len(stays):,} and {len(goes):,}"


def similarity_lines(left: str, right: str, *, signer: Signer, threshold: float) -> Iterator[str]:
    """Key texts, exact and estimated similarity of two texts, and what would become of them."""
    points = key_points(pa.array([left, right], pa.large_string())).points
    signatures = sign_points(points, signer)
    keys = band_keys(signatures, signer.bands, salt=signer.realm)
    row = np.array([0]), np.array([1])
    exact = float(jaccard(points, *row, n=np.array([signer.n]))[0])
    equal = points.text(0) == points.text(1)
    shared = int((keys[:, 0] == keys[:, 1]).sum())
    yield f"keys: {len(points.text(0)):,} and {len(points.text(1)):,} characters{', equal' if equal else ''}"
    yield f"exact similarity of runs of {signer.n} characters: {exact:.4f}"
    yield f"estimated from {signer.permutations} values: {float((signatures[0] == signatures[1]).mean()):.4f}"
    yield f"bands shared: {shared} of {signer.bands.number}; chance of one or more {signer.bands.recall(exact):.4f}"
    verdict = "one document" if equal else "near-duplicates" if exact >= threshold else "two documents"
    yield f"at threshold {threshold}: {verdict}"
