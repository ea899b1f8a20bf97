"""The extended vocabulary on text held out by document, beside the one to beat, the plain merge and the base.

    python benchmarks/tokenizer.py [--check] [--raw FOLDER] [--parts compression fidelity export modes cost]

In one run, learned only from the documents of `sample` and `raw-samples` by the mix in token_kit/heldout.py:

    compression   tokens against LLaMA-2's vocabulary (the first 32,000 pieces of Chinese-LLaMA-Alpaca-2's), against
                  Chinese-LLaMA-Alpaca-2's, and against the plain merge of the same candidates; byte tokens; pieces
                  that are never used
    fidelity      English and code that keep the base's ids; round trips; what a vocabulary must not have
    export        lines on which AutoTokenizer gives sentencepiece's ids, against LlamaTokenizer made by
                  transformers from the same tokenizer.model
    modes         what the optional kinds of pieces save or cost, on a smaller sample
    cost          seconds and memory of learning from 50 MB, in a process of its own

Needs the raw corpora of `raw-samples` and, beside their folder, tokenizers/chinese-llama-alpaca-2.model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import sentencepiece
from peer_kit.environment import PEERS_PYTHON, REPOSITORY, make_peers
from token_kit.compression import compression_claims, raw_news, spelling_claims, unused_claims
from token_kit.fidelity import fidelity_claims
from token_kit.heldout import Split, make_split, some_lines
from token_kit.modes import mode_claims
from token_kit.vocabularies import BASE_PIECES, SEED, Vocabularies, first_pieces, learn_ours, merge_plainly
from transformers import AutoTokenizer

from siku_manifests.sections import Tokenizer
from siku_manifests.shards import read_batches
from siku_tokenize.export import write_tokenizer
from siku_tokenize.modelfile import read_model
from siku_tokenize.prune import count_pieces
from siku_tokenize.sample import Sample, draw_sample
from siku_tokenize.tables import build_tables
from siku_tokenize.trial import hostile_lines

KIT = REPOSITORY / "benchmarks" / "token_kit"
RAW = REPOSITORY.parent / "shared" / "data"
PARTS = ("compression", "fidelity", "export", "modes", "cost")
SAMPLE_BYTES, MODES_BYTES, COST_BYTES = 200_000_000, 12_000_000, 50_000_000
SECONDS_BAR, GIGABYTES_BAR = 180.0, 4.0
EXPORT_LINES, HOSTILE_LINES = 10_000, 2_000
Claim = tuple[str, bool]


def draw(split: Split, budget: int) -> Sample:
    """The sample that the tokenizer stage would draw with the mix's weights."""
    shards = sorted((split.corpus / "train").glob("*.parquet"))
    weights = {source.name: source.weight for source in split.sources}
    batches = read_batches(shards, columns=["id", "source", "text"])
    return draw_sample(batches, weights=weights, seed=SEED, budget=budget)


def mix_claims(split: Split, sample: Sample) -> Iterator[Claim]:
    """What is learned from."""
    total = sum(size for _, size in sample.sources.values())
    gone = sum(lost for _, lost in split.letters.values())
    there = sum(kept for kept, _ in split.letters.values())
    yield (
        f"learned from {total / 1e6:.1f} MB; {gone:,} characters beside {there:,} went, as they repeat text held out",
        (True),
    )
    for source in split.sources:
        documents, size = sample.sources[source.name]
        yield (
            f"    {source.name}: weight {source.weight}, {documents:,} documents, {size / total:.1%} of the bytes",
            True,
        )


def export_claim(models: Vocabularies, sample: pa.Array) -> Claim:
    """Equal ids through transformers, ours and its own."""
    lines = some_lines(sample, EXPORT_LINES - HOSTILE_LINES).to_pylist() + hostile_lines(HOSTILE_LINES, seed=SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        uses = count_pieces(sample, build_tables(models.ours.pieces, dummy_prefix=True))
        write_tokenizer(folder, models.ours, first_new=len(models.base.pieces), uses=uses)
        expected = sentencepiece.SentencePieceProcessor(model_proto=models.ours.raw).encode(lines)
        ours = AutoTokenizer.from_pretrained(folder)(lines)["input_ids"]
        (folder / "lines.json").write_text(json.dumps(lines), encoding="utf-8")
        command = [PEERS_PYTHON, KIT / "converted.py", folder / "tokenizer.model", folder / "lines.json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    equal = [sum(a == b for a, b in zip(found, expected, strict=True)) / len(lines) for found in (ours, peer)]
    line = (
        f"tokenizer.json gives sentencepiece's ids on {equal[0]:.2%} of {len(lines):,} lines, bar 100 %;"
        f" transformers' conversion on {equal[1]:.2%}"
    )
    return line, equal[0] == 1.0


def cost_claim(split: Split, base: Path) -> Claim:
    """The stage on 50 MB."""
    command = [sys.executable, KIT / "cost.py", split.corpus, base, str(COST_BYTES)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(done.stdout.splitlines()[-1])
    line = (
        f"learning from {report['megabytes']:.1f} MB: {report['seconds']:.0f} s and {report['gigabytes']:.2f} GB,"
        f" bars {SECONDS_BAR:.0f} s and {GIGABYTES_BAR:.0f} GB"
    )
    return line, report["seconds"] <= SECONDS_BAR and report["gigabytes"] <= GIGABYTES_BAR


def measure(parts: list[str], *, raw: Path, out: Path) -> Iterator[Claim]:
    """All claims of the parts asked for."""
    split = make_split(out, raw)
    file = raw.parent / "tokenizers" / "chinese-llama-alpaca-2.model"
    base, peer = first_pieces(file, BASE_PIECES), read_model(file)
    if {"compression", "fidelity", "export"}.intersection(parts):
        settings, sample = Tokenizer(), draw(split, SAMPLE_BYTES)
        yield from mix_claims(split, sample)
        ours, candidates, _, seconds = learn_ours(base, sample.texts, settings)
        yield f"made {len(ours.pieces):,} pieces in {seconds:.0f} s", len(ours.pieces) == settings.size
        plain = merge_plainly(base, candidates, sample.texts, size=settings.size)
        models = Vocabularies(base, peer, ours, plain)
        if "compression" in parts:
            yield from compression_claims(models, split.held_out, raw_news(raw / "cnews"))
            yield from spelling_claims(models, split.held_out)
            yield from unused_claims(models, sample.texts, split.held_out)
        if "fidelity" in parts:
            yield from fidelity_claims(models, split.english.to_pylist(), split.held_out)
        if "export" in parts:
            make_peers()
            yield export_claim(models, sample.texts)
    if "modes" in parts:
        yield from mode_claims(base, draw(split, MODES_BYTES).texts, split.held_out)
    if "cost" in parts:
        (out / "base.model").write_bytes(base.raw)
        yield cost_claim(split, out / "base.model")


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--raw", type=Path, default=RAW, help="folder with the corpora of the recipe raw-samples")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "benchmarks" / "tokenizer")
    options = parser.parse_args()
    if not options.raw.is_dir():
        print(
            f"nothing measured: {options.raw} is not here; give the corpora of the recipe raw-samples by --raw FOLDER"
        )
        return
    options.out.mkdir(parents=True, exist_ok=True)
    short = False
    for line, held in measure(options.parts, raw=options.raw.resolve(), out=options.out.resolve()):
        print(f"{line}{'' if held else '  FALLS SHORT'}", flush=True)
        short |= not held
    sys.exit(options.check and short)


if __name__ == "__main__":
    main()
