"""Deduplicate files that are no Siku corpus: the same decisions, without recipe and stages.

OUT/kept/NAME          the records that stay, as they were
OUT/duplicates.parquet each removed record, the one that stays for it, and how similar they are
OUT/known.parquet      with an index: each record that it knows, and as what
OUT/pairs.parquet      each compared pair, estimated and exact similarity
OUT/report.html        where asked for: what went, how sure that is, clusters side by side (files_report.py)
"""

from __future__ import annotations

import functools
import multiprocessing
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup.against import known_table, match, spread
from siku_dedup.browse import Look
from siku_dedup.clusters import Verified, cluster
from siku_dedup.exact import first_equal
from siku_dedup.findings import Result, result_of
from siku_dedup.index import Index
from siku_dedup.parts import SignedParts, write_part
from siku_dedup.records import Columns, read_records, write_records
from siku_dedup.signing import SignedBatch, Signer, sign_texts
from siku_dedup.survivors import EXACT, KNOWN, NEAR, decide
from siku_dedup.tables import duplicates_table, pairs_table
from siku_dedup.thresholds import removed_at
from siku_manifests.atomic import make_folder, write_bytes
from siku_manifests.errors import InputError
from siku_manifests.shards import write_table

KEPT = "kept"
REPORT = "report.html"
PART_POINTS = 1 << 24
"""Code points in a part, about: 64 MB of key text, and as much again for signatures and bands of short documents."""


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


class Settings(NamedTuple):
    """How documents are read and compared."""

    signer: Signer
    threshold: float = 0.8
    """Jaccard similarity from which two documents are duplicates."""
    columns: Columns = Columns()
    """Of the text and the id."""
    report: bool = False
    """Whether to write a page to look at, for which some documents are read a second time."""


def deduplicate_files(
    paths: Sequence[Path], out: Path, *, settings: Settings, index: Path | None = None, workers: int = 1
) -> FilesResult:
    """Keep one of each document of some files.

    Args:
        paths: Parquet or JSON lines, each of another name.
        out: folder to write, see above.
        settings: how documents are read and compared.
        index: folder of an index (`index.py`), made if it is not there. What it knows goes, what stays is added.
        workers: processes that sign, a file at a time each; nothing but time depends on them.

    Raises:
        InputError: see `records.read_records` and `index.Index`.
        StorageError: no room or no permission.
    """
    _check_names(paths)
    opened = None if index is None else Index(index, settings.signer)
    make_folder(out)
    scratch = Path(tempfile.mkdtemp(prefix="signed-", dir=out))
    try:
        counts = sign_files(paths, scratch, settings=settings, workers=workers)
        signed = SignedParts(sorted(scratch.glob("*/*")))
        found = _Files(paths, out, counts)
        return _decide(signed, found, settings, opened)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sign_files(paths: Sequence[Path], folder: Path, *, settings: Settings, workers: int = 1) -> list[int]:
    """Sign each file's documents into parts in a folder of its own, 00000/00000 and on; how many each file has."""
    jobs = [(path, folder / f"{number:05d}", settings) for number, path in enumerate(paths)]
    if min(workers, len(jobs)) <= 1:
        return [sign_file(*job) for job in jobs]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn) as pool:
        return list(pool.map(sign_file, *zip(*jobs, strict=True)))


def sign_file(path: Path, folder: Path, settings: Settings) -> int:
    """Sign one file's documents; memory is that of `PART_POINTS` code points of key text, or of one batch."""
    parts, documents = 0, 0
    ids: list[pa.Array] = []
    batches: list[SignedBatch] = []
    for batch in read_records(path, settings.columns):
        ids.append(batch.ids)
        batches.append(sign_texts(batch.texts, settings.signer))
        documents += len(batch.texts)
        if sum(len(each.points.values) for each in batches) >= PART_POINTS:
            _write(folder / f"{parts:05d}", ids, batches, settings.signer)
            parts, ids, batches = parts + 1, [], []
    if batches or not parts:
        _write(folder / f"{parts:05d}", ids, batches, settings.signer)
    return documents


def _write(folder: Path, ids: list[pa.Array], batches: list[SignedBatch], signer: Signer) -> None:
    make_folder(folder)
    write_part(folder, pa.chunked_array(ids, pa.string()), batches, signer)


class _Files(NamedTuple):
    """The files as they were read, and where what stays of them goes."""

    paths: Sequence[Path]
    out: Path
    counts: list[int]
    """Documents of each."""


def _check_names(paths: Sequence[Path]) -> None:
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            msg = f"{name}: two files have this name, and what is kept is written under it; rename one."
            raise InputError(msg)


def _decide(signed: SignedParts, files: _Files, settings: Settings, index: Index | None) -> FilesResult:
    out, threshold = files.out, settings.threshold
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
    if index is not None:
        matches = spread(match(index, signed, unique, threshold=threshold), found.root[unique])
        write_table(known_table(index, signed, unique, matches), out / "known.parquet")
        # A cluster is known as a whole or not at all, so no survivor of another document goes.
        verdicts.fate[np.isin(first, unique[matches.known >= 0])] = KNOWN
    gone = duplicates_table(signed, verdicts)
    gone = gone.add_column(1, "id", signed.id_column(gone["row"].to_numpy()))
    write_table(gone, out / "duplicates.parquet")
    write_table(pairs_table(signed, found), out / "pairs.parquet")
    kept = verdicts.fate < EXACT
    bounds = np.cumsum([0, *files.counts])
    for path, low, high in zip(files.paths, bounds[:-1], bounds[1:], strict=True):
        write_records(path, kept[low:high], out / KEPT / path.name)
    if settings.report:
        _report(
            result_of(verdicts, np.repeat(np.arange(len(files.counts)), files.counts), found), signed, files, settings
        )
    if index is not None:
        index.add(signed, np.flatnonzero(kept))
    return FilesResult(
        documents=len(signed),
        known=int((verdicts.fate == KNOWN).sum()),
        exact=int((verdicts.fate == EXACT).sum()),
        near=int((verdicts.fate == NEAR).sum()),
        largest=int(np.bincount(verdicts.survivor).max(initial=0)),
        curve=_curve(found.verified),
    )


def _report(result: Result, signed: SignedParts, files: _Files, settings: Settings) -> None:
    from siku_dedup.files_report import report_page, texts_of  # noqa: PLC0415  templates cost a third of a second

    names, public = [path.name for path in files.paths], np.zeros(len(files.paths), np.bool_)
    texts = functools.partial(texts_of, files.paths, settings.columns)
    look = Look(names, public, settings.threshold, 0, texts)
    write_bytes(files.out / REPORT, report_page(result, signed, look, settings.signer).encode())


def _curve(verified: Verified) -> list[tuple[float, int]]:
    exact: NDArray[np.float64] = verified.exact.astype(np.float64)
    return removed_at(verified.left, verified.right, exact, thresholds=(0.7, 0.75, 0.8, 0.85, 0.9))
