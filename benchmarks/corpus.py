"""Cleaning beside its peer: speed of rules and filters, of the road from JSON lines to JSON lines, and memory.

    python benchmarks/corpus.py [--check] [--parts rules,whole,memory] [--gigabytes 10] [--documents FOLDER]

One run, the same files (some MB of mixed Chinese documents: newspaper, reviews, and raw corpora beside the checkout
where they lie), CPU time of one process with its children, best of three of ours. The peer, datatrove, runs its own
reader, C4 and Gopher filters and writer as a process of its own in `.venv-peers` (made from `benchmarks/peers.txt`),
once with its default word splitting and once with its Chinese one; a small run before it loads the dictionaries. Ours
repairs mojibake and normalizes as well, which the peer does not. The memory part writes a source of 10 GB, one line of
200 MB in it, builds it with one worker and looks at its resident set; it takes half an hour and 25 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from corpus_kit import memory, ours, text
from peer_kit.environment import PEERS_PYTHON, REPOSITORY, make_peers

KIT = Path(__file__).resolve().parent / "corpus_kit"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"}
PROFILE = "modern"
BAR_RULES = 20.0
BAR_WHOLE = 12.0
BARS_RATIO = {"eng": ("default word splitting", 12), "zho": ("Chinese word splitting", 40)}
BAR_WORKER_BYTES = 1.5e9


class Claim(NamedTuple):
    """A line for people, and whether its bar is reached."""

    text: str
    held: bool


def rules_claim(file: Path) -> Claim:
    """Normalization and filters on texts in memory."""
    speed = file.stat().st_size / 1e6 / ours.rules_and_filters(file, PROFILE)
    return Claim(f"normalization and filters: {speed:.1f} MB/s of one core, bar {BAR_RULES:.0f}", speed >= BAR_RULES)


def whole_claims(file: Path, scratch: Path) -> Iterator[Claim]:
    """JSON lines to JSON lines, ours and the peer's."""
    megabytes = file.stat().st_size / 1e6
    seconds, kept = ours.whole(file, scratch / "ours.jsonl", PROFILE)
    speed = megabytes / seconds
    yield Claim(
        f"JSON lines to JSON lines: {speed:.1f} MB/s of one core ({kept:,} documents kept), bar {BAR_WHOLE:.0f}",
        speed >= BAR_WHOLE,
    )
    make_peers()
    for language, (splitting, bar) in BARS_RATIO.items():
        report = peer(file.parent, scratch / language, language)
        theirs = megabytes / float(report["seconds"])
        line = (
            f"the same by datatrove {report['version']}, {splitting}: ours {speed:.1f} MB/s, peer {theirs:.2f} MB/s"
            f" ({report['kept']:,} kept), ratio {speed / theirs:.0f}, bar {bar}"
        )
        yield Claim(line, speed / theirs >= bar)


def peer(folder: Path, target: Path, language: str) -> dict[str, int | float | str]:
    """What the peer's process reports."""
    command = [str(PEERS_PYTHON), str(KIT / "peer.py"), str(folder), str(target), language]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the peer failed:\n{done.stderr[-2000:]}")
    report: dict[str, int | float | str] = json.loads(done.stdout.strip().splitlines()[-1])
    return report


def memory_claim(file: Path, scratch: Path, gigabytes: float) -> Claim:
    """The largest process of a build of a large source."""
    memory.make(file, scratch, size=int(gigabytes * 1e9))
    usage = memory.build(scratch, workers=1)
    line = (
        f"a source of {gigabytes:g} GB, one line of 200 MB in it: {usage.worker_bytes / 1e9:.2f} GB in the largest"
        f" process, bar {BAR_WORKER_BYTES / 1e9}; built in {usage.seconds:,.0f} s"
    )
    return Claim(line, usage.worker_bytes < BAR_WORKER_BYTES)


def documents_folder() -> Path:
    """The sample's documents stage, built if it is not there."""
    build = [sys.executable, "-m", "siku_manifests", "documents", "sample"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    folders = (REPOSITORY / "build" / "sample").glob("documents-????????")
    return max((folder for folder in folders if (folder / "manifest.json").is_file()), key=lambda f: f.stat().st_mtime)


def claims(options: argparse.Namespace, scratch: Path) -> Iterator[Claim]:
    """What the chosen parts claim."""
    file = scratch / "in" / "mixed.jsonl"
    sources = text.make(options.documents or documents_folder(), file)
    print(f"{file.stat().st_size / 1e6:.1f} MB of mixed documents: {sources}")
    parts = options.parts.split(",")
    if "rules" in parts:
        yield rules_claim(file)
    if "whole" in parts:
        yield from whole_claims(file, scratch)
    if "memory" in parts:
        with tempfile.TemporaryDirectory(prefix="siku-memory-", dir=options.scratch) as large:
            yield memory_claim(file, Path(large), options.gigabytes)


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--parts", default="rules,whole", help="of: rules,whole,memory; default %(default)s")
    parser.add_argument("--gigabytes", type=float, default=10, help="size of the source of the memory part")
    parser.add_argument("--documents", type=Path, default=None, help="a finished documents stage of the sample")
    parser.add_argument("--scratch", type=Path, default=None, help="a folder with room for the memory part")
    options = parser.parse_args()
    os.environ.update(ONE_THREAD)
    held = True
    with tempfile.TemporaryDirectory(prefix="siku-corpus-", dir=options.scratch) as name:
        for claim in claims(options, Path(name)):
            print(f"{'ok  ' if claim.held else 'FAIL'} {claim.text}", flush=True)
            held = held and claim.held
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
