"""A 7B- or 13B-shaped LLaMA on a GPU with the reference's recipe, and what each part of our way is worth there.

    python benchmarks/gpu.py [--shape 7b|13b|tiny] [--device cuda|cpu] [--steps 6] [--only WORD] [--write gpu.md]

Weights are random, written to a temporary folder in bfloat16 (13 GB for 7B, 26 GB for 13B), and taken the whole way
of a run: NF4 with double quantisation, vocabulary 32,000 → 55,296, rank 64 on all linear layers, embedding and head
trained, windows of 1,024, batch 6 × accumulation 2, paged 32-bit AdamW. Every variant turns one thing and runs in a
process of its own. Documents have the lengths of Chinese news. Real tokens a second leave padding out.

`--shape tiny --device cpu` tries the script itself; its figures say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from siku_manifests.sections import Pretrain
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_tokenize.tokenfile import write_token_file
from siku_train import loss as loss_module
from siku_train.embeddings import NewPieces
from siku_train.loss import IGNORE
from siku_train.memory import peak_bytes, recipe_setup
from siku_train.meter import Meter, peak_memory, this_card
from siku_train.model import build_model
from siku_train.plan import Plan
from siku_train.pretrain import PretrainTrainer
from siku_train.shape import measure_shape
from siku_train.validation import Validation
from siku_train.windows import Example, Reader, WindowStream, packed_example

BASE_VOCABULARY, VOCABULARY, EOS = 32_000, 55_296, 2
NEWS_DECILES = [36, 163, 262, 334, 420, 505, 615, 739, 956, 1351, 5702]
"""Tokens of a CNews document under 55,296 pieces."""
SHAPES: dict[str, dict[str, int]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "13b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40},
    "tiny": {"hidden_size": 64, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 2},
}
REFERENCE = Pretrain(
    method="qlora",
    dtype="auto",
    rank=64,
    alpha=16,
    dropout=0.05,
    length=1024,
    batch=6,
    accumulation=2,
    learning_rate=2e-4,
    warmup_steps=1000,
    max_grad_norm=0.3,
    optimizer="paged_adamw_32bit",
    gradient_checkpointing=True,
    evaluate_every=1000,
    evaluate_windows=1,
    save_every=1000,
    report_to=(),
)
VARIANTS: dict[str, dict[str, Any]] = {
    "as the recipe": {},
    "whole logits instead of chunks": {"loss": "whole"},
    "a padded window a piece instead of packing": {"windows": "padded"},
    "eager attention": {"attention": "eager"},
    "flash attention 2": {"attention": "flash_attention_2"},
    "fused AdamW, not paged": {"optimizer": "adamw_torch_fused"},
    "plain AdamW, not paged": {"optimizer": "adamw_torch"},
    "paged 8-bit AdamW": {"optimizer": "paged_adamw_8bit"},
    "no gradient checkpointing, batch 1 × 12": {"gradient_checkpointing": False, "batch": 1, "accumulation": 12},
}


def write_random_base(folder: Path, shape: str) -> None:
    """Write a LLaMA with random weights, a file for each layer, without ever holding the whole."""
    config = LlamaConfig(
        vocab_size=BASE_VOCABULARY,
        tie_word_embeddings=False,
        use_cache=False,
        max_position_embeddings=4096,
        **SHAPES[shape],
    )
    config.save_pretrained(folder)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    files: dict[str, list[str]] = {}
    for name in model.state_dict():
        layer = name.split(".")[2] if ".layers." in name else "rest"
        files.setdefault(f"model-{layer}.safetensors", []).append(name)
    generator = torch.Generator().manual_seed(0)
    sizes = {name: weight.shape for name, weight in model.state_dict().items()}
    for file, names in files.items():
        made = {
            name: torch.ones(sizes[name], dtype=torch.bfloat16)
            if "norm" in name
            else (torch.randn(sizes[name], generator=generator) * 0.02).to(torch.bfloat16)
            for name in names
        }
        save_file(made, folder / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, names in files.items() for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def documents(tokens: int) -> list[np.ndarray[Any, np.dtype[np.uint16]]]:
    """Documents of random ids with the lengths of news, `tokens` in all at least."""
    random = np.random.default_rng(0)
    made: list[np.ndarray[Any, np.dtype[np.uint16]]] = []
    while sum(map(len, made)) < tokens:
        size = round(float(np.interp(random.random() * 10, range(11), NEWS_DECILES)))
        made.append(np.append(random.integers(3, VOCABULARY, size - 1), EOS).astype(np.uint16))
    return made


class PaddedStream(Dataset[Example]):
    """The reference's windows: one for each piece of a document, filled up."""

    def __init__(self, made: list[Any], length: int) -> None:
        pieces = [d[i : i + length + 1].astype(np.int64) for d in made for i in range(0, len(d), length)]
        self.pieces = [piece for piece in pieces if len(piece) > 1]
        np.random.default_rng(1).shuffle(self.pieces)  # type: ignore[arg-type]  a list will do
        self.length = length

    def __len__(self) -> int:
        """Windows that a whole number of steps takes; set by the caller."""
        return self.total

    def __getitem__(self, position: int) -> Example:
        """The window at a position; filling is not learned."""
        return packed_example(self.pieces[position % len(self.pieces)], length=self.length, eos=EOS)

    total = 0


class StepTimes(Meter):
    """A meter that keeps the seconds of each step."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter.flops, meter.card)
        self.steps: list[float] = []

    def stop(self, tokens: int) -> None:
        """Wait for the GPU, then take the time."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        before = self.seconds
        super().stop(tokens)
        self.steps.append(self.seconds - before)


def whole_loss(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    """The usual loss, over whole logits in float32."""
    logits = functional.linear(hidden.reshape(-1, hidden.shape[-1]), weight).float()
    return functional.cross_entropy(logits, labels.reshape(-1), ignore_index=IGNORE, reduction="sum")


def measure(variant: str, base: Path, steps: int, device: str) -> dict[str, Any]:
    """Train some steps of one variant; peak memory, speed and what was estimated."""
    changes = dict(VARIANTS[variant])
    loss, windows = changes.pop("loss", "chunks"), changes.pop("windows", "packed")
    options = msgspec.structs.replace(REFERENCE, device=device, **changes)
    if loss == "whole":
        loss_module.summed_loss = whole_loss  # read from the module at every call
    made = documents(options.length * options.batch * options.accumulation * (steps + 2))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        reader = Reader({"news": write_token_file(out / "news", made, np.uint16)}, options.length, EOS)
        total = steps * options.batch * options.accumulation
        stream: Any = WindowStream(reader, WindowOrder(mixture_shares(reader.counts(), {}), seed=0), total=total)
        if windows == "padded":
            stream = PaddedStream(made, options.length)
            stream.total = total
        real = sum(int((stream[i]["labels"] != IGNORE).sum()) for i in range(total)) / total
        validation = Validation(reader, np.full(VOCABULARY, 3), windows=1, batch=1)
        spelled = [[i % BASE_VOCABULARY] for i in range(VOCABULARY - BASE_VOCABULARY)]
        model = build_model(base, options, pieces=NewPieces(BASE_VOCABULARY, spelled), seed=0)
        trainer = PretrainTrainer(
            model, Plan(options=options, stream=stream, validation=validation, base="random", seed=0), out
        )
        trainer.meter = meter = StepTimes(trainer.meter)
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        trainer.run()
    seconds = statistics.median(meter.steps[2:] or meter.steps)
    places = options.batch * options.accumulation * options.length / seconds
    card = this_card()
    return {
        "peak_gb": peak_memory() / 1e9,
        "estimated_gb": estimated_bytes(base, options, whole=loss == "whole") / 1e9,
        "real_tokens_per_second": real / options.length * places,
        "mfu": places * meter.flops / (card.teraflops * 1e12) if card else None,
    }


def estimated_bytes(base: Path, options: Pretrain, *, whole: bool) -> float:
    """What `siku estimate` says of this variant."""
    config = LlamaConfig.from_pretrained(base)
    config.vocab_size = VOCABULARY
    with torch.device("meta"):
        shape = measure_shape(LlamaForCausalLM(config), name="random")
    dtype = "float32" if options.device == "cpu" else "bfloat16"
    setup = recipe_setup(options, dtype=dtype)
    # logits in 16 bits, in float32, log-softmax, and its gradient in both
    return peak_bytes(shape, msgspec.structs.replace(setup, logit_bytes=16.0) if whole else setup)


def in_a_process(variant: str, base: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a variant in a fresh process; an error's last line if it ends with one."""
    command = [sys.executable, __file__, "--measure", variant, "--base", str(base)]
    command += ["--steps", str(options.steps), "--device", options.device]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["killed, probably for memory"])[-1]
        return {"error": said.replace(str(base), "BASE").rpartition("Error: ")[2][:120]}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def table(shape: str, results: dict[str, dict[str, Any]]) -> list[str]:
    """Results as lines of Markdown."""
    lines = [
        f"### {shape}",
        "",
        "| variant | peak GB | estimated GB | real tokens/s | MFU |",
        "|---|---:|---:|---:|---:|",
    ]
    for variant, found in results.items():
        if "error" in found:
            lines.append(f"| {variant} | {found['error']} | | | |")
            continue
        mfu = f"{found['mfu']:.1%}" if found["mfu"] else "–"
        lines.append(
            f"| {variant} | {found['peak_gb']:.1f} | {found['estimated_gb']:.1f} | "
            f"{found['real_tokens_per_second']:,.0f} | {mfu} |"
        )
    return [*lines, ""]


def main() -> None:
    """Measure all variants of the shapes asked for, print a table, and write it if told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", choices=SHAPES, help="7b and 13b by default")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=6, help="optimiser steps of each variant; two are not measured")
    parser.add_argument("--only", default="", help="variants whose name has this word")
    parser.add_argument("--check", action="store_true", help="do nothing where there is no GPU")
    parser.add_argument("--write", type=Path, help="replace the part of this file below its line of dashes")
    parser.add_argument("--measure", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    if options.check and not torch.cuda.is_available():
        print("no GPU here: nothing measured")
        return
    if options.measure:
        print(json.dumps(measure(options.measure, options.base, options.steps, options.device)))
        return
    device = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU of a {platform.machine()}"
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    lines = [f"{time.strftime('%Y-%m-%d')}, {device}, {versions}: `{' '.join(['python', *sys.argv])}`", ""]
    for shape in options.shape or ["7b", "13b"]:
        with tempfile.TemporaryDirectory() as folder:
            write_random_base(Path(folder), shape)
            chosen = [variant for variant in VARIANTS if options.only in variant]
            results = {variant: in_a_process(variant, Path(folder), options) for variant in chosen}
        lines += table(shape, results)
    print("\n".join(lines))
    if options.write:
        kept = options.write.read_text(encoding="utf-8").partition("\n---\n")[0]
        options.write.write_text(kept + "\n---\n\n" + "\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
