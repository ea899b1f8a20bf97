"""Training's speed and memory: packed windows and the loss in chunks, beside the usual way.

    python benchmarks/training.py [--check] [--steps 8]

The peer is the road of the reference system as it describes it: each document cut into windows of 1,024, every
window padded to its full length, an attention mask, and the model's own loss over whole logits. Model, optimiser,
documents and batch size are the same, all on the CPU; what is counted is real tokens, padding not among them.
The ids are random, since only the lengths of the documents matter here; the lengths are deciles of real text
under a vocabulary of 55,296 pieces. Both sides run in turns on one thread, and CPU time is compared, so that a busy
machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader

from siku_manifests.sections import Pretrain, SeedModel
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_tokenize.tokenfile import TokenFile, open_token_writer, write_token_file
from siku_train.base import write_seed_base
from siku_train.embeddings import NewPieces
from siku_train.loss import IGNORE, summed_loss
from siku_train.model import build_model
from siku_train.windows import Reader, WindowStream

VOCABULARY, LENGTH, BATCH, EOS = 55_296, 1024, 2, 2
DECILES = {
    "news (CNews)": [36, 163, 262, 334, 420, 505, 615, 739, 956, 1351, 5702],
    "encyclopaedia (zh-wiki)": [11, 107, 203, 334, 507, 646, 901, 1221, 1643, 2811, 15425],
    "the sample's poems and reviews": [1, 20, 28, 33, 37, 47, 55, 65, 75, 118, 2500],
}
"""Tokens of a document, EOS included."""
BARS = {"news (CNews)": 1.5, "encyclopaedia (zh-wiki)": 1.5, "the sample's poems and reviews": 2.5}
BAR_PLAIN, BAR_MEMORY, BAR_START_SECONDS, BAR_START_MB, BAR_GRADIENT = 0.95, 5.0, 5.0, 300.0, 1e-6

Batch = dict[str, Tensor]
Claim = tuple[str, str, str, float, float]
"""What, ours, the peer's, the ratio, the bar; the ratio must reach the bar."""


def draw_documents(deciles: list[int], tokens: int) -> list[NDArray[np.uint16]]:
    """Documents of random ids whose lengths follow the deciles, `tokens` in all at least."""
    random = np.random.default_rng(0)
    made: list[NDArray[np.uint16]] = []
    while sum(map(len, made)) < tokens:
        size = max(2, round(float(np.interp(random.random() * 10, range(11), deciles))))
        made.append(np.append(random.integers(3, VOCABULARY, size - 1), EOS).astype(np.uint16))
    return made


def packed(documents: list[NDArray[np.uint16]], folder: Path) -> Iterator[tuple[Batch, int]]:
    """Our batches, and the real tokens in each."""
    reader = Reader({"all": write_token_file(folder / "all", documents, np.uint16)}, LENGTH, EOS)
    for first in range(0, reader.counts()["all"] - BATCH, BATCH):
        examples = [reader.example("all", first + i) for i in range(BATCH)]
        yield {name: torch.stack([e[name] for e in examples]) for name in examples[0]}, BATCH * LENGTH


def plain(documents: list[NDArray[np.uint16]], folder: Path) -> Iterator[tuple[Batch, int]]:
    """Our batches without the borders: documents that see each other."""
    for batch, tokens in packed(documents, folder):
        yield {**batch, "position_ids": torch.arange(LENGTH).expand(BATCH, LENGTH)}, tokens


def padded(documents: list[NDArray[np.uint16]], _: Path) -> Iterator[tuple[Batch, int]]:
    """The peer's batches: a window for each piece of a document, filled up with padding."""
    pieces = [d[i : i + LENGTH].astype(np.int64) for d in documents for i in range(0, len(d), LENGTH)]
    np.random.default_rng(1).shuffle(pieces)  # type: ignore[arg-type]  a list will do
    for first in range(0, len(pieces) - BATCH, BATCH):
        ids = np.full((BATCH, LENGTH), EOS)
        mask = np.zeros((BATCH, LENGTH), np.int64)
        for row, piece in enumerate(pieces[first : first + BATCH]):
            ids[row, : len(piece)], mask[row, : len(piece)] = piece, 1
        labels = np.where(mask, ids, IGNORE)
        batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
        yield {name: torch.from_numpy(array) for name, array in batch.items()}, int(mask.sum())


class Bench:
    """One model and its optimiser; both sides train it in turns."""

    def __init__(self, folder: Path, *, hidden: int = 128, vocabulary: int = VOCABULARY) -> None:
        shape = SeedModel(hidden=hidden, intermediate=3 * hidden, layers=2, heads=hidden // 64)
        base = min(vocabulary, 32_000)
        write_seed_base(folder / "base", shape, vocabulary=base, seed=0)
        spelled = [[i] for i in range(vocabulary - base)]
        options = Pretrain(model=shape)
        self.model = build_model(folder / "base", options, pieces=NewPieces(base, spelled), seed=0)
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)

    def ours(self, batch: Batch) -> Tensor:
        """The loss in chunks."""
        total: Tensor = self.model(**batch)["loss"]
        return total / (batch["labels"] != IGNORE).sum()

    def theirs(self, batch: Batch) -> Tensor:
        """The model's own loss over whole logits, which shifts the labels itself."""
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        logits = self.model(**inputs, use_cache=False).logits.float()
        flat = logits[:, :-1].reshape(-1, VOCABULARY)
        return functional.cross_entropy(flat, batch["labels"][:, 1:].reshape(-1), ignore_index=IGNORE)

    def step(self, compute: Callable[[Batch], Tensor], batch: Batch) -> float:
        """CPU seconds of one training step, in which other work on the machine hardly shows."""
        begun = time.process_time()
        compute(batch).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.process_time() - begun


def rates(bench: Bench, sides: dict[str, Any], documents: Any, steps: int) -> dict[str, float]:
    """Real tokens a second of each side: mean tokens of all its batches over the median seconds of a step.

    Every batch of a side costs the same, so a median over steps taken in turns is not moved by a busy moment.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = {name: list(batches(documents, Path(folder))) for name, (batches, _) in sides.items()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(steps + 1):
        for name, (_, compute) in sides.items():
            seconds[name].append(bench.step(compute, made[name][number][0]))
    return {
        name: statistics.mean(tokens for _, tokens in made[name]) / statistics.median(seconds[name][1:])
        for name in sides
    }


def throughput(steps: int) -> Iterator[Claim]:
    """Packed against padded for each kind of document; and against packing without separation."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for kind, deciles in DECILES.items():
            documents = draw_documents(deciles, 4 * BATCH * LENGTH * (steps + 2))
            sides = {"ours": (packed, bench.ours), "padded": (padded, bench.theirs)}
            rate = rates(bench, sides, documents, steps)
            what = f"real tokens/s, packed beside padded, {kind}"
            yield what, f"{rate['ours']:,.0f}", f"{rate['padded']:,.0f}", rate["ours"] / rate["padded"], BARS[kind]
        sides = {"ours": (packed, bench.ours), "plain": (plain, bench.ours)}
        rate = rates(bench, sides, draw_documents(DECILES["news (CNews)"], 4 * BATCH * LENGTH * (steps + 2)), steps)
        what = "tokens/s, documents separated beside not separated"
        yield what, f"{rate['ours']:,.0f}", f"{rate['plain']:,.0f}", rate["ours"] / rate["plain"], BAR_PLAIN


def peak_from_now() -> Callable[[], float]:
    """Give a function that says by how many megabytes this process has grown at its peak since now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak of the imports

    def peak() -> float:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    before = peak()
    return lambda: peak() - before


def loss_memory(kind: str) -> float:
    """Megabytes that the loss of a batch and its gradients add to this process at their peak."""
    hidden = torch.randn(BATCH * LENGTH, 128, requires_grad=True)
    weight = torch.randn(VOCABULARY, 128, requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (BATCH * LENGTH,))
    (hidden[:64] @ weight[:64].T).sum().backward()  # start the thread pool before measuring
    grown = peak_from_now()
    loss = (
        summed_loss(hidden, weight, labels)
        if kind == "chunks"
        else functional.cross_entropy(hidden @ weight.T, labels, reduction="sum")
    )
    loss.backward()
    return grown()


def first_batch(stem: str) -> float:
    """Megabytes that opening a token file, ordering its windows and reading a batch add to this process."""
    grown = peak_from_now()
    read_batch(stem)
    return grown()


def read_batch(stem: str) -> Batch:
    """The first batch of a run over a token file, by the way that a run takes."""
    reader = Reader({"all": TokenFile(stem)}, LENGTH, EOS)
    order = WindowOrder(mixture_shares(reader.counts(), {}), seed=1)
    stream = WindowStream(reader, order, total=len(order))
    batch: Batch = next(iter(DataLoader(stream, batch_size=BATCH, sampler=range(len(stream)))))
    return batch


def gradients() -> Iterator[Claim]:
    """How far loss and gradients in chunks are from the whole ones, in float32."""
    torch.manual_seed(0)
    hidden = torch.randn(512, 128, requires_grad=True)
    weight = torch.randn(VOCABULARY, 128, requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (512,))
    full = functional.cross_entropy(hidden @ weight.T, labels, reduction="sum")
    expected = [full.detach(), *torch.autograd.grad(full, (hidden, weight))]
    chunked = summed_loss(hidden, weight, labels)
    found = [chunked.detach(), *torch.autograd.grad(chunked, (hidden, weight))]
    for what, ours, theirs in zip(
        ("loss", "gradient of the hidden states", "gradient of the head"), found, expected, strict=True
    ):
        off = max(float((ours - theirs).norm() / theirs.norm()), 1e-12)
        yield f"{what} in chunks, relative difference", f"{off:.1e}", f"{BAR_GRADIENT:.0e}", BAR_GRADIENT / off, 1.0


def first_step(stem: str) -> float:
    """Make a model of no size, open a token file and train one step; the caller takes the time."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), hidden=64, vocabulary=512)
        return bench.step(bench.ours, read_batch(stem))


def in_a_process(function: str, argument: str) -> tuple[float, float]:
    """The result of one of the two functions above in a process of its own, and the seconds of the call."""
    command = [sys.executable, __file__, "--measure", function, argument]
    result: list[float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result[0], result[1]


def memory() -> Iterator[Claim]:
    """Peak of the loss in chunks beside the full one."""
    chunks, _ = in_a_process("loss_memory", "chunks")
    full, _ = in_a_process("loss_memory", "full")
    yield (
        "peak memory of the loss, 2 x 1,024 positions",
        f"{chunks:,.0f} MB",
        f"{full:,.0f} MB",
        full / chunks,
        BAR_MEMORY,
    )


def start() -> Iterator[Claim]:
    """Seconds until the first step on a file of a thousand million tokens, and memory for it; no peer but the bar."""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "large"
        document = np.append(np.full(499, 7, np.uint16), np.uint16(EOS))
        with open_token_writer(stem, np.uint16) as writer:
            for _ in range(200):
                writer.write(np.tile(document, 10_000), np.full(10_000, len(document)))
        grown, _ = in_a_process("first_batch", str(stem))
        _, seconds = in_a_process("first_step", str(stem))
    what = "first step on 1,000,000,000 tokens, libraries loaded, the smallest model"
    yield what, f"{seconds:.2f} s", "5 s", BAR_START_SECONDS / seconds, 1.0
    yield "memory for its data", f"{grown:.1f} MB", "300 MB", BAR_START_MB / max(grown, 1.0), 1.0


def main() -> None:
    """Print a line for each claim; with --check, exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 if a claim falls short")
    parser.add_argument("--steps", type=int, default=8, help="measured steps of each side")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        begun = time.perf_counter()
        result = globals()[options.measure[0]](options.measure[1])
        print(json.dumps([result, time.perf_counter() - begun]))
        return
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    held = True
    for what, ours, theirs, ratio, bar in (*gradients(), *memory(), *start(), *throughput(options.steps)):
        held &= ratio >= bar
        print(
            f"{what}: {ours}, peer {theirs}, ratio {ratio:.2f}, bar {bar:.2f}{'' if ratio >= bar else '  FELL SHORT'}",
            flush=True,
        )
    sys.exit(0 if held or not options.check else 1)


if __name__ == "__main__":
    main()
