"""The way from documents to tokens, beside the libraries that people use for it.

    python benchmarks/tokens.py [--check] [--copies 4]

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
import pyarrow.parquet as pq
import sentencepiece
import tokenizers

from siku_manifests.manifest import Identity, Record, write_manifest
from siku_manifests.pool import run_ranges
from siku_manifests.recipe import load_recipe
from siku_manifests.runner import resolve
from siku_manifests.stage import Context, load_function
from siku_tokenize import Encoder, TokenFile, write_token_file
from siku_tokenize.stages import TOKENS

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS = REPOSITORY / ".venv-peers" / "bin" / "python"
BARS = {"sentencepiece": 4.5, "tokenizers": 10.0}
FILE_BARS = {"sentencepiece": 5.0, "datatrove": 6.0, "datasets": 6.0}
WINDOW_BAR = 0.6
MIXED_BYTES = 3_000_000
"""Text of each source in the mix for encoding."""
WINDOW_TOKENS = 64_000_000


def build(out: Path) -> dict[str, Path]:
    """The sample's corpus and tokenizer; nothing happens if they are there."""
    for stage in ("documents", "dedup", "tokenizer"):
        command = [sys.executable, "-m", "siku_manifests", stage, "sample", "--out", str(out)]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    recipe = load_recipe(str(REPOSITORY / "manifests" / "sample"))
    return {name: resolve(name, recipe, out=out).folder for name in ("corpus", "tokenizer")}


def mixed_text(corpus: Path) -> pa.Array:
    """Up to MIXED_BYTES of each source, whole documents."""
    parts = []
    for shard in sorted((corpus / "train").glob("*-00000.parquet")):
        texts = pq.read_table(shard, columns=["text"])["text"].combine_chunks()
        ends = np.cumsum(pa.compute.binary_length(texts).to_numpy())
        parts.append(texts.slice(0, int(np.searchsorted(ends, MIXED_BYTES)) + 1))
    return pa.concat_arrays(parts)


def cpu_seconds(work: Callable[[], Any], *, times: int = 3) -> float:
    """The least CPU time of several runs."""
    spent = []
    for _ in range(times):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


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
    """All training text, `copies` times, as one shard of one source."""
    shards = sorted((corpus / "train").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(shard, columns=["id", "text", "source"]) for shard in shards])
    path = folder / "corpus" / "train" / "all-00000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.concat_tables([table] * copies), path, compression="zstd", row_group_size=16_384)
    identity = Identity(kind="corpus", parents={}, recipe={}, shards=())
    record = Record(key="", counts={}, files=(), seed=0, code="", environment={})
    write_manifest(folder / "corpus", identity, record)
    return path


def our_seconds(folder: Path, tokenizer: Path, workers: int) -> tuple[float, int]:
    """Wall time of the tokens stage, start of the worker processes included, and the tokens it wrote."""
    recipe = load_recipe(str(REPOSITORY / "manifests" / "sample"))
    out = folder / f"ours-{workers}"
    parents = {"corpus": folder / "corpus", "tokenizer": tokenizer}
    context = Context(recipe=recipe, folder=out, parents=parents, workers=workers)
    (phase,) = TOKENS.phases
    begun = time.perf_counter()
    (out / "parts" / phase.name).mkdir(parents=True)
    for _ in run_ranges(context, phase, load_function(phase.plan)(context)):
        pass
    load_function(TOKENS.finish)(context)
    return time.perf_counter() - begun, TokenFile(out / "train" / "all").token_count


def compare_files(corpus: Path, tokenizer: Path, copies: int) -> tuple[list[str], bool]:
    """From a shard to ids on disk."""
    lines, held = [], True
    with tempfile.TemporaryDirectory(prefix="siku-tokens-") as scratch:
        folder = Path(scratch)
        shard = write_copies(corpus, folder, copies)
        megabytes = sum(pa.compute.sum(pa.compute.binary_length(b["text"])).as_py() for b in batches(shard)) / 1e6
        seconds, tokens = our_seconds(folder, tokenizer, workers=2)
        expected = (folder / "ours-2" / "train" / "all.bin").read_bytes()
        for name, bar in FILE_BARS.items():
            python = sys.executable if name == "sentencepiece" else str(PEERS)
            out = folder / name
            command = [python, str(REPOSITORY / "benchmarks" / "token_kit" / "peers.py"), name]
            done = subprocess.run([*command, shard, tokenizer, out], check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            written = out if out.is_file() else next(path for path in out.rglob("*") if path.suffix in (".ds", ".bin"))
            equal = written.read_bytes() == expected
            ratio = found["seconds"] / seconds
            held &= equal and ratio >= bar
            lines.append(
                f"token file against {name} {found['version']}: ours {megabytes / seconds:.1f} MB/s of wall time with"
                f" 2 workers, peer {megabytes / found['seconds']:.1f} with one process, ratio {ratio:.1f}, bar {bar};"
                f" ids {'equal' if equal else 'DIFFERENT'}, {tokens:,} tokens"
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
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build")
    options = parser.parse_args()
    folders = build(options.out)
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
