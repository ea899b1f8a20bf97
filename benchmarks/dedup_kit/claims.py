"""What follows signatures: grouping millions, an index, whole processes, two workers."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
from dedup_kit.quality import THRESHOLD, Claim, N

from siku_dedup.bands import band_keys, choose_bands
from siku_dedup.points import column_points
from siku_dedup.signing import Signer, sign_points

KIT = Path(__file__).resolve().parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
BAR_STAGES, BAR_INSERT = 50, 90
BAR_MEMORY, BAR_WHOLE_MEMORY = 40, 4096
BAR_JOIN = 5.0
BAR_END_TO_END = 12
BAR_WORKERS = {128: 1.6, 256: 1.7}
DATASKETCH_BANDS = 16
ROUNDS = 3
REPEATED = 4
"""The text several times over, so that a round takes a second."""


def _run(python: Path, script: str, *arguments: str) -> dict[str, float]:
    command = [str(python), str(KIT / script), *arguments]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[1:])} failed:\n{done.stderr[-2000:]}")
    report: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return report


def scale_claims(peers: Path | None, scratch: Path, millions: tuple[int, ...]) -> Iterator[Claim]:
    """Grouping and uniting band files of millions of documents; a million new ones against the first size."""
    stages = insert = 0.0
    if peers is not None:
        stages = _run(peers, "peer_stages.py", "datatrove-stages", "50000")["seconds"]
        insert = _run(peers, "peer_stages.py", "datasketch-insert", "20000")["seconds"]
    for place, size in enumerate(millions):
        documents, new = size * 1_000_000, 0 if place else 1_000_000
        report = _run(Path(sys.executable), "scale.py", str(documents), str(new), str(scratch))
        cost = report["grouping"] / documents / report["bands"]
        name = f"{size} million documents, {report['bands']} band files"
        line = (
            f"{name}: {report['grouping']:.1f} s of CPU, {report['removed']:,} of {report['planted']:,} planted found"
        )
        yield Claim(line, report["removed"] == report["planted"])
        if peers is not None:
            line = (
                f"{name}: {1e9 * cost:.1f} ns a document and band, datatrove's stages {1e9 * stages:.0f} ns, ratio"
                f" {stages / cost:.0f}, bar {BAR_STAGES}"
            )
            yield Claim(line, stages / cost >= BAR_STAGES)
            ratio = insert / cost / DATASKETCH_BANDS
            line = (
                f"{name}: {1e9 * cost * DATASKETCH_BANDS:.0f} ns a document at {DATASKETCH_BANDS} bands of 8,"
                f" datasketch insert with as many {1e9 * insert:.0f} ns, ratio {ratio:.0f}, bar {BAR_INSERT}; at our"
                f" {report['bands']} bands {ratio * DATASKETCH_BANDS / report['bands']:.0f}"
            )
            yield Claim(line, ratio >= BAR_INSERT)
        if place:
            line = f"{name}: peak memory {report['memory']:.0f} MB, bar {BAR_WHOLE_MEMORY}"
            yield Claim(line, report["memory"] < BAR_WHOLE_MEMORY)
            continue
        each = (report["memory"] - report["before"]) / size
        line = f"{name}: {each:.1f} MB of memory a million documents with the mapped band file, bar {BAR_MEMORY}"
        yield Claim(line, each <= BAR_MEMORY)
        line = f"{new:,} new against {documents:,}: {report['joining']:.2f} s of CPU for all bands, bar {BAR_JOIN}"
        yield Claim(line, report["joining"] < BAR_JOIN)


def end_to_end_claim(peers: Path, text: Path, scratch: Path) -> Claim:
    """Both in a new process, from the same Parquet file to the list of what is kept; CPU time with imports."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = ["dedup-files", str(text), "--text", "key", "--out", str(scratch / "whole")]
    code = "import sys; from siku_dedup.command import dedup_files; dedup_files(sys.argv[2:])"
    subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ | ONE_THREAD, check=True, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    theirs = _run(peers, "peer_stages.py", "datasketch-whole", str(text))["seconds"]
    line = (
        f"Parquet to kept list, new process: {ours:.1f} s of CPU with verification and kept records written, datasketch"
        f" {theirs:.1f} s without, ratio {theirs / ours:.1f}, bar {BAR_END_TO_END}"
    )
    return Claim(line, theirs / ours >= BAR_END_TO_END)


def worker_claims(text: Path) -> Iterator[Claim]:
    """Wall time of reading and signing with one process and with two."""
    groups = pq.read_metadata(text).num_row_groups
    for permutations, bar in BAR_WORKERS.items():
        walls = {}
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                tasks = [(str(text), group, permutations) for group in range(groups)] * REPEATED
                list(pool.map(_sign, tasks))
                best = float("inf")
                for _ in range(ROUNDS):
                    begun = time.monotonic()
                    list(pool.map(_sign, tasks))
                    best = min(best, time.monotonic() - begun)
            walls[workers] = best
        ratio = walls[1] / walls[2]
        times = f"{walls[1]:.2f} s and {walls[2]:.2f} s"
        line = f"two workers against one, K={permutations}, wall: {times}, ratio {ratio:.2f}, bar {bar}"
        yield Claim(line, ratio >= bar)


def _sign(task: tuple[str, int, int]) -> int:
    name, group, permutations = task
    signer = Signer("fss1", permutations, choose_bands(permutations, threshold=THRESHOLD), N)
    with pq.ParquetFile(name) as file:
        for batch in file.iter_batches(batch_size=512, columns=["key"], row_groups=[group]):
            band_keys(sign_points(column_points(batch["key"]), signer), signer.bands, salt=N)
    return group
