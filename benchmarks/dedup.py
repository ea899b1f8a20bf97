"""Deduplication beside its peers: speed of signatures, and whether what is found is right.

    python benchmarks/dedup.py [--check] [--megabytes 110] [--every 16] [--peers datasketch,daft] [--millions 10,50]

One run, the same documents (Chinese, mixed lengths, near-copies planted at known edit rates), CPU time, one thread,
best of three. Ours goes from an Arrow column to signatures and band keys. A peer runs as a process of its own in
`.venv-peers` (made from `benchmarks/peers.txt`), on every 16th document, since most take minutes for all of them;
what had to be changed to make it do character n-grams is printed. The near-copies' similarities are computed by
Python's own sets. Then come what follows signatures: bands of 10 and 50 million documents by file, a million new
documents against an index of ten, a whole process from Parquet to the kept list, and two workers against one (wall
time: let nothing else run).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dedup_kit.claims import ONE_THREAD, end_to_end_claim, scale_claims, worker_claims
from dedup_kit.quality import THRESHOLD, Claim, N, quality_claims
from dedup_kit.text import make
from peer_kit.environment import PEERS_PYTHON, REPOSITORY, make_peers

from siku_dedup import affine32
from siku_dedup.bands import band_keys, choose_bands
from siku_dedup.ngrams import hash_ngrams
from siku_dedup.points import column_points
from siku_dedup.signing import Signer, sign_points

KIT = Path(__file__).resolve().parent / "dedup_kit"
ROUNDS = 3
BARS = {
    "datasketch": (240, 200),
    "datasketch-xxhash": (110, 95),
    "datatrove": (280, 320),
    "text-dedup": (270, 320),
    "daft": (19, 25),
    "gaoya": (28, 38),
    "rensa": (68, 55),
    "rensa-rho": (40, 32),
}
BARS_SCHEME_DATASKETCH = (40, 27)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Least CPU seconds of some rounds, after one to warm up."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
    return best


def batches(text: Path) -> list[pa.Array]:
    """The keys in the batches in which Parquet gives them."""
    with pq.ParquetFile(text) as file:
        return [batch["key"] for batch in file.iter_batches(batch_size=512, columns=["key"])]


def speed_of_fss1(columns: Sequence[pa.Array], permutations: int) -> float:
    """MB of UTF-8 a CPU second, from text to signatures and band keys."""
    signer = Signer("fss1", permutations, choose_bands(permutations, threshold=THRESHOLD), N)

    def work() -> None:
        for column in columns:
            band_keys(sign_points(column_points(column), signer), signer.bands, salt=N)

    return _megabytes(columns) / cpu_seconds(work)


def speed_of_affine32(columns: Sequence[pa.Array], permutations: int) -> float:
    """MB of UTF-8 a CPU second of the scheme `datasketch` with XXH32."""

    def work() -> None:
        for column in columns:
            affine32.sign(hash_ngrams(column_points(column), n=N, name="xxh32"), permutations=permutations)

    return _megabytes(columns) / cpu_seconds(work)


def _megabytes(columns: Sequence[pa.Array]) -> float:
    return sum(len(column.buffers()[2]) for column in columns) / 1e6


def peer(name: str, text: Path, permutations: int, every: int) -> dict[str, float | str]:
    """What the peer's process reports; the best of some rounds."""
    command = [
        str(PEERS_PYTHON),
        str(KIT / "peers.py"),
        name,
        str(text),
        str(permutations),
        str(every),
    ]
    reports = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False, cwd=tempfile.gettempdir()
        )
        if done.returncode:
            sys.exit(f"peer {name} failed:\n{done.stderr[-2000:]}")
        reports.append(json.loads(done.stdout.strip().splitlines()[-1]))
    best: dict[str, float | str] = min(reports, key=lambda report: report["seconds"])
    return best


def signature_claims(text: Path, names: Sequence[str], every: int) -> Iterator[Claim]:
    """Ours against each peer, at both sizes."""
    columns = batches(text)
    for place, permutations in enumerate((128, 256)):
        ours = speed_of_fss1(columns, permutations)
        theirs = {name: peer(name, text, permutations, every) for name in names}
        for name, report in theirs.items():
            speed = float(report["bytes"]) / 1e6 / float(report["seconds"])
            bar = BARS[name][place]
            line = (
                f"signatures, K={permutations}: ours {ours:.0f} MB/s, {name} {report['version']} {speed:.2f} MB/s,"
                f" ratio {ours / speed:.0f}, bar {bar}  ({report['change']})"
            )
            yield Claim(line, ours / speed >= bar)
        if "datasketch-xxhash" in theirs:
            report = theirs["datasketch-xxhash"]
            speed = float(report["bytes"]) / 1e6 / float(report["seconds"])
            same = speed_of_affine32(columns[::4], permutations)
            bar = BARS_SCHEME_DATASKETCH[place]
            line = (
                f"scheme datasketch with XXH32, K={permutations}: ours {same:.0f} MB/s, datasketch-xxhash"
                f" {speed:.2f} MB/s, ratio {same / speed:.0f}, bar {bar}"
            )
            yield Claim(line, same / speed >= bar)


def equality_claim(text: Path) -> Claim:
    """Our scheme `datasketch` against datasketch, value by value."""
    import xxhash  # noqa: PLC0415
    from datasketch import MinHash  # noqa: PLC0415

    keys = batches(text)[0].slice(0, 200)
    ours = affine32.sign(hash_ngrams(column_points(keys), n=N, name="xxh32"), permutations=256)
    equal = 0
    for row, key in enumerate(keys.to_pylist()):
        sketch = MinHash(num_perm=256, hashfunc=xxhash.xxh32_intdigest)
        sketch.update_batch([key[i : i + N].encode() for i in range(max(1, len(key) - N + 1))])
        equal += bool(np.array_equal(ours[row], sketch.hashvalues))
    return Claim(
        f"scheme datasketch: {equal} of {len(keys)} signatures equal to datasketch's, bar all", equal == len(keys)
    )


def documents_folder() -> Path:
    """The sample's documents stage, built if it is not there."""
    build = [sys.executable, "-m", "siku_manifests", "documents", "sample"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    folders = (REPOSITORY / "build" / "sample").glob("documents-????????")
    return max((folder for folder in folders if (folder / "manifest.json").is_file()), key=lambda f: f.stat().st_mtime)


def processor() -> str:
    """Its name, and whether it has AVX-512."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")
    wide = any("avx512f" in line for line in lines)
    return f"{name}, {'with' if wide else 'without'} AVX-512"


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--megabytes", type=int, default=110)
    parser.add_argument("--every", type=int, default=16, help="peers get every n-th document")
    parser.add_argument("--peers", default=",".join(BARS), help="of: %(default)s")
    parser.add_argument("--millions", default="10,50", help="documents to group, in millions; empty: none")
    parser.add_argument("--parts", default="signatures,quality,scale,whole,workers", help="of: %(default)s")
    parser.add_argument("--documents", type=Path, default=None, help="a finished documents stage of the sample")
    options = parser.parse_args()
    names = [name for name in options.peers.split(",") if name]
    if names:
        make_peers()
    text = REPOSITORY / "build" / "benchmarks" / f"dedup-{options.megabytes}.parquet"
    if not text.is_file():
        make(options.documents or documents_folder(), text, megabytes=options.megabytes)
    print(f"{pq.read_metadata(text).num_rows:,} documents, {options.megabytes} MB of key text; {processor()}")
    held = True
    parts = options.parts.split(",")
    millions = tuple(int(each) for each in options.millions.split(",") if each)
    peers = PEERS_PYTHON if names else None
    with tempfile.TemporaryDirectory(prefix="siku-dedup-") as name:
        scratch = Path(name)
        chosen = {
            "signatures": lambda: [*signature_claims(text, names, options.every), equality_claim(text)],
            "quality": lambda: quality_claims(text, scratch),
            "scale": lambda: scale_claims(peers, scratch, millions),
            "whole": lambda: [end_to_end_claim(peers, text, scratch)] if peers else [],
            "workers": lambda: worker_claims(text),
        }
        for part, claims in chosen.items():
            for claim in claims() if part in parts else ():
                print(f"{'ok  ' if claim.held else 'FAIL'} {claim.text}", flush=True)
                held = held and claim.held
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
