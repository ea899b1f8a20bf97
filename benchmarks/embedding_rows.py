"""Where rows of new vocabulary pieces should start: three ways, on a base that has learned something.

    siku tokenizer sample
    python benchmarks/embedding_rows.py [--build build/sample] [--tokens 1500000] [--steps 30] [--folder F]

A base that starts from noise cannot tell: its old rows mean nothing, so nothing can be inherited from them. So a
small LLaMA is first trained with the base vocabulary on the sample's modern text (Chinese and English), an hour of
one core, and only then extended to the sample's vocabulary by each of the three ways of `[pretrain] new_rows` and
trained on as a recipe would: adapters on all linear layers, embedding and head trained, everything else frozen.
Bits per byte of the same held-out text can be compared between all of them, and with the base itself.

The folder keeps what is made, so that a run that was stopped goes on with the part that it was in.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import transformers
from torch.utils.data import default_collate

from siku_manifests.sections import Pretrain, SeedModel
from siku_tokenize.encode import Encoder
from siku_tokenize.modelfile import Model, read_model
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_tokenize.tokenfile import open_token_writer
from siku_train.base import write_seed_base
from siku_train.loss import use_chunked_loss
from siku_train.losses import LossFile
from siku_train.model import build_model
from siku_train.plan import Plan
from siku_train.pretrain import LOSSES_FILE, PretrainTrainer
from siku_train.validation import Score, Validation, total
from siku_train.vocabulary import base_size, piece_bytes, spell_new_pieces
from siku_train.windows import Reader, WindowStream, open_token_files

SOURCES = ("catalogues", "documentation", "newspaper", "reviews")
"""Modern text. Verse would be most of the sample, and no small model gets it under 2.5 bits per byte."""
WEIGHTS = {"catalogues": 4.0, "documentation": 0.5, "newspaper": 1.0, "reviews": 1.0}
STARTS = ("subpieces", "mean", "random")
SHAPE = SeedModel(hidden=256, intermediate=768, layers=4, heads=4, positions=1024)
LENGTH, BATCH, SEED = 256, 8, 11
EXTENDED_BATCH = 4
"""Windows of a step after extending: small steps, since it is the first ten thousand tokens that tell."""
RATE, WARMUP, DECAY = 2e-3, 40, 0.25
"""Highest learning rate of the base, warm-up steps, and the last share of the run in which the rate falls to 0."""
BAR_BITS = 2.5


def newest(build: Path, stage: str) -> Path:
    """The latest finished folder of a stage."""
    found = sorted(build.glob(f"{stage}-*/manifest.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        sys.exit(f"{build}: no finished {stage}-… there; run `siku tokenizer sample` first")
    return found[-1].parent


def write_tokens(build: Path, folder: Path) -> None:
    """Encode the sample's modern text twice: with the base's pieces and with the extended vocabulary."""
    tokenizer = newest(build, "tokenizer")
    extended = read_model(tokenizer / "tokenizer.model")
    first_new = base_size(tokenizer / "vocabulary.tsv")
    base = dataclasses.replace(extended, pieces=extended.pieces[:first_new])
    corpus = newest(build, "corpus")
    for name, model in (("base", base), ("extended", extended)):
        encoder = Encoder(model)
        for split in ("train", "validation"):
            for source in SOURCES:
                texts = [pq.read_table(path)["text"] for path in sorted((corpus / split).glob(f"{source}-*.parquet"))]
                with open_token_writer(folder / name / split / source, encoder.dtype) as writer:
                    for column in texts:
                        for text in column.to_pylist():
                            ids = np.append(encoder.encode(text), encoder.eos)
                            writer.write(ids, np.array([len(ids)]))
    (folder / "tokenizer.model").write_bytes(extended.raw)
    (folder / "first_new.json").write_text(json.dumps(first_new), encoding="ascii")


def readers(folder: Path, name: str, model: Model) -> tuple[Reader, Validation]:
    """Windows to train on and windows to score, of one of the two vocabularies."""
    encoder = Encoder(model)
    train, held_out = (
        Reader(open_token_files(folder / name / split), LENGTH, encoder.eos) for split in ("train", "validation")
    )
    prefixed = encoder.bos if model.dummy_prefix else -1
    first_new = json.loads((folder / "first_new.json").read_text(encoding="ascii"))
    return train, Validation(
        held_out, piece_bytes(model), windows=8, batch=BATCH, prefixed=prefixed, first_new=first_new
    )


def rate_at(step: int, steps: int) -> float:
    """Learning rate of a step: a warm-up, a plateau, and a straight way down to 0."""
    return RATE * min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))


def train_base(folder: Path, model: Model, tokens: int) -> None:
    """Train all weights of a seeded LLaMA on the base's tokens, and keep it like any other base."""
    reader, validation = readers(folder, "base", model)
    write_seed_base(folder / "noise", SHAPE, vocabulary=len(model.pieces), seed=SEED)
    network: Any = transformers.AutoModelForCausalLM.from_pretrained(folder / "noise", dtype=torch.float32)
    network.train()
    use_chunked_loss(network)
    steps = tokens // (LENGTH * BATCH)
    stream = WindowStream(reader, WindowOrder(mixture_shares(reader.counts(), WEIGHTS), seed=SEED), total=steps * BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05, betas=(0.9, 0.98), fused=True)
    begun = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps)
        batch = default_collate([stream[step * BATCH + row] for row in range(BATCH)])
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(**batch)["loss"] / (batch["labels"] != -100).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 50 == 0 or step + 1 == steps:
            network.save_pretrained(folder / "half")
            print(
                f"step {step + 1} of {steps}, {time.monotonic() - begun:.0f} s: {told(validation.measure(network))}",
                flush=True,
            )
    (folder / "half").rename(folder / "trained")


def told(scores: dict[str, Score]) -> str:
    """Bits per byte of all sources and of each."""
    each = ", ".join(f"{source} {score.bits_per_byte:.3f}" for source, score in scores.items())
    new = total(scores).new
    pieces = f"; new pieces {new.bits_per_byte:.3f}" if new.bytes else ""
    return f"{total(scores).bits_per_byte:.3f} bits per byte ({each}{pieces})"


def train_extended(folder: Path, model: Model, start: str, steps: int) -> dict[int, dict[str, Score]]:
    """Extend the trained base in one way and train on; the scores by step."""
    first_new = json.loads((folder / "first_new.json").read_text(encoding="ascii"))
    out = folder / f"{start}-{steps}"
    if not (out / "done").is_file():
        out.mkdir(exist_ok=True)
        options = Pretrain(
            method="lora", new_rows=start, rank=16, alpha=16, dropout=0.0, length=LENGTH, batch=EXTENDED_BATCH,
            tokens=steps * LENGTH * EXTENDED_BATCH, learning_rate=1e-3, warmup_steps=4, max_grad_norm=1.0,
            optimizer="adamw_torch_fused", evaluate_every=max(1, steps // 3), save_every=max(1, steps // 4), threads=1,
            report_to=(),
        )  # fmt: skip
        reader, validation = readers(folder, "extended", model)
        order = WindowOrder(mixture_shares(reader.counts(), WEIGHTS), seed=SEED)
        adapted = build_model(folder / "trained", options, pieces=spell_new_pieces(model, first_new), seed=SEED)
        plan = Plan(
            options=options, stream=WindowStream(reader, order, total=steps * EXTENDED_BATCH),
            validation=validation, base="trained", seed=SEED,
        )  # fmt: skip
        PretrainTrainer(adapted, plan, out).run()
        (out / "done").touch()
    return LossFile(out / LOSSES_FILE).validations()


def main() -> None:
    """Print bits per byte of the base and of each way to start, by step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build/sample"))
    parser.add_argument("--folder", type=Path, default=Path("build/benchmarks/embedding_rows"))
    parser.add_argument("--tokens", type=int, default=1_500_000, help="that the base is trained on")
    parser.add_argument("--steps", type=int, default=30, help="optimiser steps of 1,024 tokens after extending")
    parser.add_argument("--check", action="store_true", help="judge what the folder holds, and train nothing for it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    folder: Path = options.folder
    if options.check and not all((folder / f"{start}-{options.steps}/done").is_file() for start in STARTS):
        print(f"not run yet in {folder}: it takes an hour or two; start it without --check")
        return
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "first_new.json").is_file():
        write_tokens(options.build, folder)
    extended = read_model(folder / "tokenizer.model")
    first_new = json.loads((folder / "first_new.json").read_text(encoding="ascii"))
    base = dataclasses.replace(extended, pieces=extended.pieces[:first_new])
    if not (folder / "trained").is_dir():
        train_base(folder, base, options.tokens)
    found = {start: train_extended(folder, extended, start, options.steps) for start in STARTS}
    for start, scores in found.items():
        for step, score in sorted(scores.items()):
            print(f"{start}, step {step}: {told(score)}")
    last = {start: total(scores[max(scores)]).bits_per_byte for start, scores in found.items()}
    if options.check and min(last, key=lambda start: last[start]) != STARTS[0]:
        sys.exit(f"{STARTS[0]} is not the best start any more")


if __name__ == "__main__":
    main()
