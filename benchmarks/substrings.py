"""Repeated substrings beside a suffix array: the same places, in less time and memory.

    python benchmarks/substrings.py [--check] [--megabytes 110] [--size 50] [--documents FOLDER]

One run, the same documents (those of `dedup.py`: Chinese key texts, a third of them near-copies, so every second
character is repeated or beside a repeat), CPU time, one thread. The peer is libdivsufsort, by which published tools
find repeated substrings; those themselves want a Rust compiler. Ours runs in one pass and in eight, which bound its
memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from dedup_kit.quality import Claim
from dedup_kit.text import text_of
from peer_kit.environment import PEERS_PYTHON, make_peers
from peer_kit.process import report_of

KIT = Path(__file__).resolve().parent / "substring_kit"
BAR_SPEED, BAR_MEMORY = 4, 10
PASSES = 8


def claims(text: Path, size: int) -> Iterator[Claim]:
    """Equal places, ratio of CPU time, bytes a character."""
    one, many = (report_of(sys.executable, KIT / "ours.py", text, size, n) for n in (1, PASSES))
    peer = report_of(PEERS_PYTHON, KIT / "peer.py", text, size)
    found = [(report["repeats"], report["sum"]) for report in (one, many, peer)]
    equal = found[0] == found[1] == found[2]
    line = (
        f"{one['characters']:,} characters, {one['repeats']:,} windows of {size} stood before; {peer['version']} finds"
    )
    yield Claim(f"{line} {'the same' if equal else 'others'}", equal)
    ratio = peer["seconds"] / one["seconds"]
    line = f"ours {one['seconds']:.1f} s of CPU, in {PASSES} passes {many['seconds']:.1f} s, {peer['version']}"
    yield Claim(f"{line} {peer['seconds']:.1f} s, ratio {ratio:.1f}, bar {BAR_SPEED}", ratio >= BAR_SPEED)
    bytes_of = [report["memory"] * 2**20 / report["characters"] for report in (one, many, peer)]
    line = f"memory, bytes a character: {bytes_of[0]:.1f} in one pass, {bytes_of[1]:.1f} in {PASSES}, bar {BAR_MEMORY};"
    yield Claim(f"{line} {peer['version']} {bytes_of[2]:.1f}", bytes_of[1] <= BAR_MEMORY)


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--megabytes", type=int, default=110)
    parser.add_argument("--size", type=int, default=50, help="characters in a window")
    parser.add_argument("--documents", type=Path, default=None, help="a finished documents stage of the sample")
    options = parser.parse_args()
    make_peers()
    text = text_of(options.megabytes, documents=options.documents)
    held = True
    for claim in claims(text, options.size):
        print(f"{'ok  ' if claim.held else 'FAIL'} {claim.text}", flush=True)
        held = held and claim.held
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
