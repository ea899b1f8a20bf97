"""Deduplicate files that are no Siku corpus: the same decisions, without recipe and stages.

OUT/kept/NAME          the records that stay, as they were
OUT/duplicates.parquet each removed record, the one that stays for it, and how similar they are
OUT/known.parquet      with an index: each record that it knows, and as what
OUT/pairs.parquet      each compared pair, estimated and exact similarity
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup.against import known_table, match, spread
from siku_dedup.clusters import Verified, cluster
from siku_dedup.exact import first_equal
from siku_dedup.index import Index
from siku_dedup.parts import SignedParts, write_part
from siku_dedup.records import Columns, read_records, write_records
from siku_dedup.signing import Signer, sign_texts
from siku_dedup.survivors import EXACT, NEAR, decide
from siku_dedup.tables import duplicates_table, pairs_table
from siku_dedup.thresholds import removed_at
from siku_manifests.atomic import make_folder
from siku_manifests.errors import InputError
from siku_manifests.shards import write_table

KEPT = "kept"


class FilesResult(NamedTuple):
    """What was found in some files."""

    documents: int
    known: int
    """Documents that the index holds already, or that hang together with such."""
    exact: int
    near: int
    largest: int
    """Documents in the largest cluster."""
    curve: list[tuple[float, int]]
    """(threshold, near-duplicates that it would remove)."""


def deduplicate_files(
    paths: Sequence[Path],
    out: Path,
    *,
    signer: Signer,
    threshold: float,
    columns: Columns,
    index: Path | None = None,
) -> FilesResult:
    """Keep one of each document of some files.

    Args:
        paths: Parquet or JSON lines, each of another name.
        out: folder to write, see above.
        signer: how documents are signed.
        threshold: Jaccard similarity from which two documents are duplicates.
        columns: of the text and the id.
        index: folder of an index (`index.py`), made if it is not there. What it knows goes, what stays is added.

    Raises:
        InputError: see `records.read_records` and `index.Index`.
        StorageError: no room or no permission.
    """
    _check_names(paths)
    opened = None if index is None else Index(index, signer)
    make_folder(out)
    scratch = Path(tempfile.mkdtemp(prefix="signed-", dir=out))
    try:
        signed = sign_files(paths, scratch, signer=signer, columns=columns)
        return _decide(signed, paths, out, threshold=threshold, index=opened)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sign_files(paths: Sequence[Path], folder: Path, *, signer: Signer, columns: Columns) -> SignedParts:
    """Sign each file's documents into a folder of its own; memory is that of one file, signed."""
    parts = []
    for number, path in enumerate(paths):
        part = folder / f"{number:05d}"
        part.mkdir(parents=True)
        ids, batches = [], []
        for batch in read_records(path, columns):
            ids.append(batch.ids)
            batches.append(sign_texts(batch.texts, signer))
        write_part(part, pa.chunked_array(ids, pa.string()), batches, signer)
        parts.append(part)
    return SignedParts(parts)


def _check_names(paths: Sequence[Path]) -> None:
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            msg = f"{name}: two files have this name, and what is kept is written under it; rename one."
            raise InputError(msg)


def _decide(
    signed: SignedParts, paths: Sequence[Path], out: Path, *, threshold: float, index: Index | None
) -> FilesResult:
    first = first_equal(signed.hashes).astype(np.int64)
    unique = np.flatnonzero(first == np.arange(len(first)))
    found = cluster(signed, unique, threshold=threshold)
    verdicts = decide(
        found.root[first],
        hashes=signed.hashes,
        priority=np.zeros(len(first), np.int64),
        han=signed.han,
        ids=signed,
        validation=(0.0, 0),
    )
    known = np.zeros(len(first), np.bool_)
    if index is not None:
        matches = spread(match(index, signed, unique, threshold=threshold), found.root[unique])
        table = known_table(index, signed, unique, matches)
        write_table(table, out / "known.parquet")
        known = np.isin(first, unique[matches.known >= 0])
    # A cluster is known as a whole or not at all, so no survivor of another document goes.
    kept = (verdicts.fate < EXACT) & ~known
    write_table(duplicates_table(signed, verdicts, but=known), out / "duplicates.parquet")
    write_table(pairs_table(signed, found), out / "pairs.parquet")
    parts = signed.part_of(np.arange(len(signed)))
    for number, path in enumerate(paths):
        write_records(path, kept[parts == number], out / KEPT / path.name)
    if index is not None:
        index.add(signed, np.flatnonzero(kept))
    return FilesResult(
        documents=len(signed),
        known=int(known.sum()),
        exact=int(((verdicts.fate == EXACT) & ~known).sum()),
        near=int(((verdicts.fate == NEAR) & ~known).sum()),
        largest=int(np.bincount(verdicts.survivor).max(initial=0)),
        curve=_curve(found.verified),
    )


def _curve(verified: Verified) -> list[tuple[float, int]]:
    exact: NDArray[np.float64] = verified.exact.astype(np.float64)
    return removed_at(verified.left, verified.right, exact, thresholds=(0.7, 0.75, 0.8, 0.85, 0.9))
