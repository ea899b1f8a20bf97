"""`siku estimate` beside what others measured and published: peak memory of a training step, and speed.

    python benchmarks/estimate.py [--check]

Sources, read in November 2026:

qwen     README of QwenLM/Qwen, "Profiling of Memory and Speed": one A100-SXM4-80G, CUDA 11.8, batch 1, accumulation 8,
         flash attention 2, gradient checkpointing, rank 64 on all linear layers. Q-LoRA is GPTQ in 4 bits with
         everything that is not quantised in float32; LoRA is all in bfloat16; "LoRA (emb)" trains embedding and head.
         The code computes its loss from whole 16-bit logits: logits, shifted copy, log-softmax and gradient, 8 bytes.
unsloth  docs.unsloth.ai, "Unsloth Benchmarks", column "Hugging Face + FA2": the longest window of Llama-3.1 8B in one
         card's memory; QLoRA in NF4, rank 32 on all linear layers, 8-bit AdamW, batch 1. transformers computes that
         loss in float32: logits in 16 bits, float32 copy, shifted copy, log-softmax and the way back, 16 bytes.
litgpt   tutorials/finetune_lora.md and oom.md of Lightning-AI/litgpt and the table of LLaMA-Factory's README give
         round figures without length or rank; nothing can be checked against them.

What the loss holds for each logit was taken from reading that code, and for unsloth agrees with the published slope.
Nothing here was measured by us: no GPU was at hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from siku_train.cards import CARDS
from siku_train.memory import Setup, peak_bytes
from siku_train.shape import PUBLISHED, Shape, read_shape
from siku_train.speed import estimate_speed

TOLERANCE = 0.15
GB = 1e9
LENGTHS = (256, 512, 1024, 2048, 4096, 8192)
ADAPTER_ONLY: dict[str, Any] = {"embeddings": "frozen", "originals": False}
QWEN_QLORA: dict[str, Any] = {
    "weight_bytes": 0.52,  # 4 bits, and a 16-bit scale and 4-bit zero for 128 weights
    "frozen_bytes": 4.0,
    "stream_bytes": 2,
    "logit_bytes": 8.0,
    **ADAPTER_ONLY,
}
QWEN_LORA: dict[str, Any] = {
    "method": "lora",
    "weight_bytes": 2.0,
    "stream_bytes": 2,
    "logit_bytes": 8.0,
    "trained_bytes": 2.0,
    "gradient_bytes": 2.0,
    "state_bytes": 4.0,
    "step_bytes": 2.0,
}
UNSLOTH: dict[str, Any] = {
    "rank": 32,
    "frozen_bytes": 4.0,
    "stream_bytes": 2,
    "dropout_bytes": 0.0,
    "logit_bytes": 16.0,
    "state_bytes": 2.03,
    **ADAPTER_ONLY,
}
QLORA_GB = {
    "qwen-1.8b": (5.8, 0, 0, 0, 10.2, 15.8),
    "qwen-7b": (11.5, 11.5, 12.3, 13.9, 16.9, 23.5),
    "qwen-14b": (18.7, 18.4, 18.9, 19.9, 23.0, 27.9),
    "qwen-72b": (61.4, 61.4, 62.9, 64.1, 68.0, 75.6),
}
LORA_GB = {"qwen-7b": (20.1, 20.4, 21.5, 23.8, 29.7, 36.6), "qwen-14b": (34.6, 35.1, 35.3, 37.4, 42.5, 55.2)}
LORA_EMB_GB = {"qwen-7b": (33.7, 34.1, 35.2, 35.1, 39.2, 48.5), "qwen-14b": (51.2, 51.1, 51.5, 54.1, 56.8, 67.7)}
LORA_SECONDS = {"qwen-7b": (1.2, 1.5, 2.8, 5.2, 10.1, 21.3), "qwen-14b": (1.6, 2.4, 4.4, 8.4, 17.0, 36.0)}
UNSLOTH_TOKENS = {12: 932, 16: 2551, 24: 5789, 40: 12264, 48: 15502, 80: 28454}


class Claim(NamedTuple):
    """One published figure and our estimate of it."""

    source: str
    what: str
    published: float
    estimated: float
    checked: bool
    """Whether the estimate must be within the tolerance."""

    @property
    def error(self) -> float:
        """Relative to what was published."""
        return self.estimated / self.published - 1


def shape_of(name: str) -> Shape:
    """Give a published shape."""
    return read_shape(PUBLISHED[name], name=name)


def memory_claims() -> Iterator[Claim]:
    """Peak memory: QLoRA, which the tool is for, must agree; of LoRA the longest windows do not."""
    tables: list[tuple[str, dict[str, Any], dict[str, tuple[float, ...]]]] = [
        ("Q-LoRA", QWEN_QLORA, QLORA_GB),
        ("LoRA", {**QWEN_LORA, **ADAPTER_ONLY}, LORA_GB),
        ("LoRA (emb)", QWEN_LORA, LORA_EMB_GB),
    ]
    for method, setup, table in tables:
        for name, row in table.items():
            shape = shape_of(name)
            for length, published in zip(LENGTHS, row, strict=True):
                if published:
                    estimated = peak_bytes(shape, Setup(length=length, **setup)) / GB
                    yield Claim("qwen", f"{name} {method}, {length}, GB", published, estimated, method == "Q-LoRA")
    shape = shape_of("llama-3.1-8b")
    for card, length in UNSLOTH_TOKENS.items():
        estimated = peak_bytes(shape, Setup(length=length, **UNSLOTH)) / GB
        yield Claim("unsloth", f"llama-3.1-8b QLoRA, {length}, GB", card, estimated, True)


def speed_claims() -> Iterator[Claim]:
    """Tokens a second on an A100; NF4 is not among them, since Qwen's 4 bits are unpacked by slower kernels."""
    for name, row in LORA_SECONDS.items():
        shape = shape_of(name)
        for length, seconds in zip(LENGTHS, row, strict=True):
            setup = Setup(length=length, **QWEN_LORA, **ADAPTER_ONLY)
            speed = estimate_speed(shape, setup, CARDS["a100-80"], accumulation=8).tokens_per_second
            yield Claim("qwen", f"{name} LoRA, {length}, tokens/s", 8 * length / seconds, speed, False)


def main() -> None:
    """Print every published figure beside the estimate; with --check, exit 1 if one is further off than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 if an estimate of QLoRA's memory is 15 % off")
    options = parser.parse_args()
    held = True
    for claim in (*memory_claims(), *speed_claims()):
        off = abs(claim.error) > TOLERANCE
        held &= not (claim.checked and off)
        mark = "  FELL SHORT" if claim.checked and off else "  off" if off else ""
        figures = f"{claim.published:9,.1f} {claim.estimated:9,.1f} {claim.error:+5.0%}"
        print(f"{claim.source:8} {claim.what:36} {figures}{mark}")
    sys.exit(0 if held or not options.check else 1)


if __name__ == "__main__":
    main()
