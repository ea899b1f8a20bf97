"""The way from documents to tokens, beside the libraries that people use for it.

    python benchmarks/tokens.py [--check] [--copies 4] [--corpus FOLDER --tokenizer FOLDER]

All on the sample's corpus and tokenizer (built first if they are not), in one run on one machine:

    encoding        CPU seconds of one thread, ids in memory: our Encoder, sentencepiece, tokenizers
    token files     wall seconds from a Parquet shard to ids on disk: ours with two workers, one process of
                    sentencepiece, datatrove's DocumentTokenizer, datasets.map over tokenizers
    windows         a random window of 1,024 + 1 ids from 64 million: TokenFile, slicing np.memmap

Every peer's ids are compared with ours. For the token files the corpus is written `copies` times, so that
what is measured is the work and not the start of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"  # before tokenizers reads it: CPU seconds of one thread are compared

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sentencepiece
import tokenizers
from peer_kit.environment import PEERS_PYTHON, REPOSITORY, make_peers
from peer_kit.timing import cpu_seconds
from token_kit.environment import build_sample, sample_recipe

from siku_manifests.manifest import Identity, Record, write_manifest
from siku_manifests.pool import run_ranges
from siku_manifests.stage import Context, load_function
from siku_tokenize import Encoder, write_token_file
from siku_tokenize.stages import TOKENS

PEERS = REPOSITORY / "benchmarks" / "token_kit" / "peers.py"
BARS = {"sentencepiece": 4.5, "tokenizers": 10.0}
FILE_BARS = {"sentencepiece": 5.0, "datatrove": 6.0, "datasets": 6.0}
WINDOW_BAR = 0.6
MIXED_BYTES = 3_000_000
"""Text of each source in the mix for encoding."""
WINDOW_TOKENS = 64_000_000


def mixed_text(corpus: Path) -> pa.Array:
    """Up to MIXED_BYTES of each source, whole documents."""
    parts = []
    for shard in sorted((corpus / "train").glob("*-00000.parquet")):
        texts = pq.read_table(shard, columns=["text"])["text"].combine_chunks()
        ends = np.cumsum(pc.binary_length(texts).to_numpy())
        parts.append(texts.slice(0, int(np.searchsorted(ends, MIXED_BYTES)) + 1))
    return pa.concat_arrays(parts)


def compare_encoders(texts: pa.Array, tokenizer: Path) -> tuple[list[str], bool]:
    """Encoding in memory; ids must be equal on every document."""
    encoder = Encoder.load(tokenizer / "tokenizer.model")
    reference = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer / "tokenizer.model"))
    exported = tokenizers.Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    exported.encode_special_tokens = True
    documents = texts.to_pylist()
    megabytes = sum(len(document.encode()) for document in documents) / 1e6
    ids, lengths = encoder.encode_batch(texts)
    ours = [found.tolist() for found in np.split(ids, np.cumsum(lengths))[:-1]]
    peers: dict[str, tuple[Callable[[], Any], Callable[[], list[list[int]]]]] = {
        "sentencepiece": (lambda: reference.encode(documents, num_threads=1), lambda: reference.encode(documents)),
        "tokenizers": (
            lambda: exported.encode_batch(documents, add_special_tokens=False),
            lambda: [found.ids for found in exported.encode_batch(documents, add_special_tokens=False)],
        ),
    }
    speed = megabytes / cpu_seconds(lambda: encoder.encode_batch(texts))
    lines, held = [], True
    for name, (work, result) in peers.items():
        equal = sum(a == b for a, b in zip(ours, result(), strict=True))
        peer = megabytes / cpu_seconds(work)
        held &= equal == len(documents) and speed / peer >= BARS[name]
        lines.append(
            f"encoding against {name}: ours {speed:.1f} MB/s of CPU time, peer {peer:.1f}, ratio {speed / peer:.1f},"
            f" bar {BARS[name]}; ids equal on {equal:,} of {len(documents):,} documents, {megabytes:.1f} MB"
        )
    return lines, held


def write_copies(corpus: Path, folder: Path, copies: int) -> Path:
    """All training text, `copies` times, as one shard of one source in a corpus of its own."""
    shards = sorted((corpus / "train").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(shard, columns=["id", "text", "source"]) for shard in shards])
    path = folder / f"corpus-{copies}" / "train" / "all-00000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.concat_tables([table] * copies), path, compression="zstd", row_group_size=16_384)
    identity = Identity(kind="corpus", parents={}, recipe={}, shards=())
    record = Record(key="", counts={}, files=(), seed=0, code="", environment={})
    write_manifest(path.parent.parent, identity, record)
    return path


def our_seconds(shard: Path, tokenizer: Path, out: Path) -> float:
    """Wall time of the tokens stage with two workers, the start of their processes included."""
    parents = {"corpus": shard.parent.parent, "tokenizer": tokenizer}
    context = Context(recipe=sample_recipe(), folder=out, parents=parents, workers=2)
    (phase,) = TOKENS.phases
    begun = time.perf_counter()
    (out / "parts" / phase.name).mkdir(parents=True)
    for _ in run_ranges(context, phase, load_function(phase.plan)(context)):
        pass
    load_function(TOKENS.finish)(context)
    return time.perf_counter() - begun


def peer_file(name: str, shard: Path, tokenizer: Path, out: Path) -> tuple[dict[str, Any], Path]:
    """A peer's report and the ids it wrote."""
    python = sys.executable if name == "sentencepiece" else PEERS_PYTHON
    done = subprocess.run([python, PEERS, name, shard, tokenizer, out], check=True, capture_output=True, text=True)
    written = out if out.is_file() else next(path for path in out.rglob("*") if path.suffix in (".ds", ".bin"))
    return json.loads(done.stdout.splitlines()[-1]), written


def compare_files(corpus: Path, tokenizer: Path, copies: int) -> tuple[list[str], bool]:
    """From a shard to ids on disk; sentencepiece gets all copies, the slower peers one."""
    lines, held = [], True
    with tempfile.TemporaryDirectory(prefix="siku-tokens-") as scratch:
        folder = Path(scratch)
        shards = {count: write_copies(corpus, folder, count) for count in {1, copies}}
        megabytes = sum(pc.sum(pc.binary_length(batch["text"])).as_py() for batch in batches(shards[1])) / 1e6
        speed = copies * megabytes / our_seconds(shards[copies], tokenizer, folder / "ours")
        expected = np.fromfile(folder / "ours" / "train" / "all.bin", np.uint16)
        for name, bar in FILE_BARS.items():
            count = copies if name == "sentencepiece" else 1
            report, written = peer_file(name, shards[count], tokenizer, folder / name)
            equal = np.array_equal(np.fromfile(written, np.uint16), expected[: len(expected) * count // copies])
            peer = count * megabytes / report["seconds"]
            held &= equal and speed / peer >= bar
            lines.append(
                f"token file against {name} {report['version']}: ours {speed:.1f} MB/s of wall time with two"
                f" workers, peer {peer:.1f} with one process, ratio {speed / peer:.1f}, bar {bar};"
                f" ids {'equal' if equal else 'DIFFERENT'}, {report['tokens']:,} tokens"
            )
    return lines, held


def batches(shard: Path) -> Any:
    """The texts of a shard, some thousand at a time."""
    return pq.ParquetFile(shard).iter_batches(columns=["text"])


def compare_windows() -> tuple[list[str], bool]:
    """Random windows of a file of WINDOW_TOKENS."""
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="siku-windows-") as scratch:
        stem = Path(scratch) / "all"
        chunk = 1_000_000
        chunks = (chance.integers(0, 55_296, chunk, np.uint16) for _ in range(WINDOW_TOKENS // chunk))
        file = write_token_file(stem, chunks, np.uint16)
        plain = np.memmap(stem.with_suffix(".bin"), np.uint16, "r")
        starts = chance.integers(0, file.token_count - 1025, 200_000).tolist()
        ours = cpu_seconds(lambda: [file.window(start, 1025)[0] for start in starts])
        peer = cpu_seconds(lambda: [plain[start : start + 1025][0] for start in starts])
    line = (
        f"a window of 1,025 ids: ours {1e9 * ours / len(starts):.0f} ns, np.memmap {1e9 * peer / len(starts):.0f} ns,"
        f" ratio {ours / peer:.2f}, bar {WINDOW_BAR} at most"
    )
    return [line], ours / peer <= WINDOW_BAR


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--corpus", type=Path, help="folder of a finished corpus stage, instead of the sample's")
    parser.add_argument("--tokenizer", type=Path, help="folder of a finished tokenizer stage")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build")
    options = parser.parse_args()
    folders = {"corpus": options.corpus, "tokenizer": options.tokenizer}
    if None in folders.values():
        folders = build_sample(options.out, until="tokenizer")
    make_peers()
    held = True
    for compare in (
        lambda: compare_encoders(mixed_text(folders["corpus"]), folders["tokenizer"]),
        lambda: compare_files(folders["corpus"], folders["tokenizer"], options.copies),
        compare_windows,
    ):
        lines, good = compare()
        print("\n".join(lines), flush=True)
        held &= good
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
