"""The road's speed: raw archives to a deduplicated corpus, beside the script that people glue together.

    python benchmarks/road.py [--check] [--workers 2]

One run, the same documents, wall time on the same cores. The peer is written the usual way with well-known
libraries: every document a Python string, OpenCC for script, a set for exact and datasketch's MinHashLSH for near
duplicates (its documented default, character 5-grams). It gets every tenth document, because all of them take it
many minutes; its speed does not grow with fewer documents.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import opencc
import polars
from datasketch import MinHash, MinHashLSH

REPOSITORY = Path(__file__).resolve().parent.parent
BAR_MEGABYTES_PER_SECOND = 3.0
BAR_RATIO = 3.0
BAR_SECOND_RUN_SECONDS = 10.0
PEER_SHARE = 10
NGRAM = 5


def run(arguments: list[str]) -> float:
    """Seconds of wall time of one `siku` command."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "siku_manifests", *arguments], cwd=REPOSITORY, check=False)
    if done.returncode:
        sys.exit(f"siku {' '.join(arguments)} ended with status {done.returncode}")
    return time.perf_counter() - begun


def peer_seconds(texts: list[str]) -> float:
    """Seconds that the usual script takes to clean and deduplicate texts."""
    begun = time.perf_counter()
    converter = opencc.OpenCC("t2s")
    index = MinHashLSH(threshold=0.8, num_perm=128)
    seen: set[str] = set()
    for number, text in enumerate(texts):
        clean = "".join(converter.convert(text).split())
        if clean in seen:
            continue
        seen.add(clean)
        signature = MinHash(num_perm=128)
        signature.update_batch([clean[i : i + NGRAM].encode() for i in range(max(1, len(clean) - NGRAM + 1))])
        if not index.query(signature):
            index.insert(number, signature)
    return time.perf_counter() - begun


def measure(workers: int) -> tuple[list[str], bool]:
    """Lines of claims, and whether all hold."""
    with tempfile.TemporaryDirectory(prefix="siku-road-") as scratch:
        options = ["sample", "--out", scratch]
        run(["documents", *options, "--dry-run"])  # fetches what is not cached: the network is not measured
        seconds = run(["documents", *options, "--workers", str(workers)])
        seconds += run(["dedup", *options, "--workers", str(workers)])
        again = run(["documents", *options]) + run(["dedup", *options])
        (folder,) = (Path(scratch) / "sample").glob("documents-????????")
        counts = json.loads((folder / "manifest.json").read_text())["record"]["counts"].values()
        shards = sorted(folder.glob("*.parquet"))
        texts = polars.concat([polars.read_parquet(path, columns=["text"]) for path in shards])["text"]
        sampled = texts.gather_every(PEER_SHARE).to_list()
    megabytes = sum(count["bytes"] for count in counts) / 1e6
    documents = sum(count["kept"] for count in counts)
    ours = megabytes / seconds
    peer = sum(len(text.encode()) for text in sampled) / 1e6 / peer_seconds(sampled)
    lines = [
        f"documents + dedup, {workers} workers: {ours:.2f} MB/s of kept text, bar {BAR_MEGABYTES_PER_SECOND}"
        f" ({documents:,} documents, {megabytes:.1f} MB, {seconds:.1f} s, {documents / seconds:,.0f} documents/s)",
        f"against the usual script: ours {ours:.2f} MB/s, peer {peer:.2f} MB/s, ratio {ours / peer:.1f},"
        f" bar {BAR_RATIO}",
        f"a second run of both stages: {again:.2f} s, bar {BAR_SECOND_RUN_SECONDS}",
    ]
    held = ours >= BAR_MEGABYTES_PER_SECOND and ours / peer >= BAR_RATIO and again < BAR_SECOND_RUN_SECONDS
    return lines, held


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    lines, held = measure(options.workers)
    print("\n".join(lines))
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
