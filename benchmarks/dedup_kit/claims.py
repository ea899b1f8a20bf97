"""What follows signatures: grouping millions, an index, whole processes, two workers."""

from __future__ import annotations

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
from peer_kit.process import ONE_THREAD, report_of

from siku_dedup.bands import band_keys, choose_bands
from siku_dedup.points import column_points
from siku_dedup.signing import Signer, sign_points

KIT = Path(__file__).resolve().parent
BAR_STAGES, BAR_INSERT = 50, 90
BAR_MEMORY, BAR_WHOLE_MEMORY = 40, 4096
BAR_JOIN = 5.0
BAR_END_TO_END = 12
BAR_WORKERS = {128: 1.6, 256: 1.7}
DATASKETCH_BANDS = 16
NEW, JOINED_MILLIONS = 1_000_000, 10
ROUNDS = 3
REPEATED = 4
"""The text several times over, so that a round takes a second."""


def scale_claims(peers: Path | None, scratch: Path, millions: int) -> Iterator[Claim]:
    """Grouping and uniting band files of so many documents; where they are few, new ones against them too."""
    documents, new = millions * 1_000_000, NEW if millions <= JOINED_MILLIONS else 0
    report = report_of(sys.executable, KIT / "scale.py", documents, new, scratch)
    cost = report["grouping"] / documents / report["bands"]
    name = f"{millions} million documents, {report['bands']} band files"
    line = f"{name}: {report['grouping']:.1f} s of CPU, {report['removed']:,} of {report['planted']:,} planted found"
    yield Claim(line, report["removed"] == report["planted"])
    if peers is not None:
        yield from _scale_ratios(peers, name, cost, int(report["bands"]))
    if not new:
        line = f"{name}: peak memory {report['memory']:.0f} MB, bar {BAR_WHOLE_MEMORY}"
        yield Claim(line, report["memory"] < BAR_WHOLE_MEMORY)
        return
    each = (report["memory"] - report["before"]) / millions
    line = f"{name}: {each:.1f} MB of memory a million documents with the mapped band file, bar {BAR_MEMORY}"
    yield Claim(line, each <= BAR_MEMORY)
    line = f"{new:,} new against {documents:,}: {report['joining']:.2f} s of CPU for all bands, bar {BAR_JOIN}"
    yield Claim(line, report["joining"] < BAR_JOIN)


def _scale_ratios(peers: Path, name: str, cost: float, bands: int) -> Iterator[Claim]:
    """Seconds a document and band beside datatrove's stages, and a document beside datasketch's index."""
    stages = report_of(peers, KIT / "peer_stages.py", "datatrove-stages", 50_000)["seconds"]
    insert = report_of(peers, KIT / "peer_stages.py", "datasketch-insert", 20_000)["seconds"]
    line = (
        f"{name}: {1e9 * cost:.1f} ns a document and band, datatrove's stages {1e9 * stages:.0f} ns, ratio"
        f" {stages / cost:.0f}, bar {BAR_STAGES}"
    )
    yield Claim(line, stages / cost >= BAR_STAGES)
    ratio = insert / cost / bands
    line = (
        f"{name}: {1e9 * cost * bands:.0f} ns a document, datasketch's insert into {DATASKETCH_BANDS} bands"
        f" {1e9 * insert:.0f} ns, ratio {ratio:.0f}, bar {BAR_INSERT}; with as many bands as datasketch"
        f" {ratio * bands / DATASKETCH_BANDS:.0f}"
    )
    yield Claim(line, ratio >= BAR_INSERT)


def end_to_end_claim(peers: Path, text: Path, scratch: Path) -> Claim:
    """Both in a new process, from the same Parquet file to the list of what is kept; CPU time with imports.

    Ours is the best of three rounds of three seconds, datasketch's is one of 42.
    """
    ours = min(_cpu_seconds_of_dedup_files(text, scratch / f"whole-{number}") for number in range(ROUNDS))
    theirs = report_of(peers, KIT / "peer_stages.py", "datasketch-whole", text)["seconds"]
    line = (
        f"Parquet to kept list, new process: {ours:.1f} s of CPU with verification and kept records written, datasketch"
        f" {theirs:.1f} s without, ratio {theirs / ours:.1f}, bar {BAR_END_TO_END}"
    )
    return Claim(line, theirs / ours >= BAR_END_TO_END)


def _cpu_seconds_of_dedup_files(text: Path, out: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import sys; from siku_dedup.command import dedup_files; dedup_files(sys.argv[1:])"
    command = [sys.executable, "-c", code, str(text), "--text", "key", "--out", str(out)]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
