"""Deduplication beside its peers: speed of signatures, and whether what is found is right.

    python benchmarks/dedup.py [--check] [--parts signatures-128,quality,…] [--peers datasketch,daft]

One run, the same documents (Chinese, mixed lengths, near-copies planted at known edit rates), CPU time, one thread,
best of some rounds. Ours goes from an Arrow column to signatures and band keys. A peer runs as a process of its own in
`.venv-peers` (made from `benchmarks/peers.txt`), on every 32nd document, since most take minutes for all of them;
what had to be changed to make it do character n-grams is printed. The near-copies' similarities are computed by
Python's own sets. Then come what follows signatures: bands of 10 and 50 million documents by file, a million new
documents against an index of ten, a whole process from Parquet to the kept list, and two workers against one (wall
time: let nothing else run). Each part takes one to four minutes on an idle machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dedup_kit.claims import end_to_end_claim, scale_claims, worker_claims
from dedup_kit.quality import THRESHOLD, Claim, N, quality_claims
from dedup_kit.text import text_of
from peer_kit.environment import PEERS_PYTHON, make_peers
from peer_kit.process import report_of
from peer_kit.timing import cpu_seconds

from siku_dedup import affine32
from siku_dedup.bands import band_keys, choose_bands
from siku_dedup.ngrams import HashName, hash_ngrams
from siku_dedup.points import column_points
from siku_dedup.signing import Signer, sign_points

KIT = Path(__file__).resolve().parent / "dedup_kit"
ROUNDS = 7
PARTS = ("signatures-128", "signatures-256", "quality", "scale-10", "scale-50", "whole", "workers")
BARS = {
    "datasketch": {128: 240, 256: 200},
    "datasketch-xxhash": {128: 110, 256: 95},
    "datatrove": {128: 280, 256: 320},
    "text-dedup": {128: 270, 256: 320},
    "daft": {128: 19, 256: 25},
    "gaoya": {128: 28, 256: 38},
    "rensa": {128: 68, 256: 55},
    "rensa-rho": {128: 40, 256: 32},
}
HASHES: dict[str, tuple[HashName, dict[int, int]]] = {
    "datasketch": ("sha1", {128: 30, 256: 27}),
    "datasketch-xxhash": ("xxh32", {128: 40, 256: 27}),
}
"""The peer whose values the scheme `datasketch` gives with this hash, and by how much it must be faster."""


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

    return _megabytes(columns) / cpu_seconds(work, rounds=ROUNDS)


def speed_of_affine32(columns: Sequence[pa.Array], permutations: int, name: HashName) -> float:
    """MB of UTF-8 a CPU second of the scheme `datasketch`."""

    def work() -> None:
        for column in columns:
            affine32.sign(hash_ngrams(column_points(column), n=N, name=name), permutations=permutations)

    return _megabytes(columns) / cpu_seconds(work, rounds=ROUNDS)


def _megabytes(columns: Sequence[pa.Array]) -> float:
    return sum(len(column.buffers()[2]) for column in columns) / 1e6


def peer(name: str, text: Path, permutations: int, every: int) -> dict[str, float | str]:
    """What the peer's process reports."""
    report = report_of(PEERS_PYTHON, KIT / "peers.py", name, text, permutations, every)
    return report | {"speed": float(report["bytes"]) / 1e6 / float(report["seconds"])}


def signature_claims(text: Path, names: Sequence[str], every: int, permutations: int) -> Iterator[Claim]:
    """Ours against each peer."""
    columns = batches(text)
    ours = speed_of_fss1(columns, permutations)
    for name in names:
        report = peer(name, text, permutations, every)
        speed, bar = float(report["speed"]), BARS[name][permutations]
        line = (
            f"signatures, K={permutations}: ours {ours:.0f} MB/s, {name} {report['version']} {speed:.2f} MB/s,"
            f" ratio {ours / speed:.0f}, bar {bar}  ({report['change']})"
        )
        yield Claim(line, ours / speed >= bar)
        if name in HASHES:
            hash_, bars = HASHES[name]
            same, bar = speed_of_affine32(columns[::4], permutations, hash_), bars[permutations]
            line = (
                f"scheme datasketch with {hash_}, K={permutations}: ours {same:.0f} MB/s, {name} {speed:.2f} MB/s,"
                f" ratio {same / speed:.0f}, bar {bar}"
            )
            yield Claim(line, same / speed >= bar)


def equality_claims(text: Path) -> Iterator[Claim]:
    """Our scheme `datasketch` against datasketch, value by value."""
    import xxhash  # noqa: PLC0415
    from datasketch import MinHash  # noqa: PLC0415

    keys = batches(text)[0].slice(0, 200)
    for name, function in (("sha1", None), ("xxh32", xxhash.xxh32_intdigest)):
        ours = affine32.sign(hash_ngrams(column_points(keys), n=N, name=name), permutations=256)
        equal = 0
        for row, key in enumerate(keys.to_pylist()):
            sketch = MinHash(num_perm=256, hashfunc=function)
            sketch.update_batch([key[i : i + N].encode() for i in range(max(1, len(key) - N + 1))])
            equal += bool(np.array_equal(ours[row], sketch.hashvalues))
        line = f"scheme datasketch with {name}: {equal} of {len(keys)} signatures equal to datasketch's, bar all"
        yield Claim(line, equal == len(keys))


def processor() -> str:
    """Its name, and whether it has AVX-512."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processor")
    wide = any("avx512f" in line for line in lines)
    return f"{name}, {'with' if wide else 'without'} AVX-512"


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    options = arguments()
    names = [name for name in options.peers.split(",") if name]
    if names:
        make_peers()
    peers = PEERS_PYTHON if names else None
    text = text_of(options.megabytes, documents=options.documents)
    print(f"{pq.read_metadata(text).num_rows:,} documents, {options.megabytes} MB of key text; {processor()}")
    held = True
    with tempfile.TemporaryDirectory(prefix="siku-dedup-") as name:
        scratch = Path(name)
        parts: dict[str, Callable[[], Iterable[Claim]]] = {
            "signatures-128": lambda: signature_claims(text, names, options.every, 128),
            "signatures-256": lambda: signature_claims(text, names, options.every, 256),
            "quality": lambda: chain(equality_claims(text), quality_claims(text, scratch)),
            "scale-10": lambda: scale_claims(peers, scratch, 10),
            "scale-50": lambda: scale_claims(peers, scratch, 50),
            "whole": lambda: [end_to_end_claim(peers, text, scratch)] if peers else [],
            "workers": lambda: worker_claims(text),
        }
        for part in options.parts.split(","):
            for claim in parts[part]():
                print(f"{'ok  ' if claim.held else 'FAIL'} {claim.text}", flush=True)
                held = held and claim.held
    sys.exit(options.check and not held)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--megabytes", type=int, default=110)
    parser.add_argument("--every", type=int, default=32, help="peers get every n-th document")
    parser.add_argument("--peers", default=",".join(BARS), help="of: %(default)s; empty: none")
    parser.add_argument("--parts", default=",".join(PARTS), help="of: %(default)s")
    parser.add_argument("--documents", type=Path, default=None, help="a finished documents stage of the sample")
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    main()
