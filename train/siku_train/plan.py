"""What a run is to do, what it says of itself at the end, and how Trainer is told."""

from pathlib import Path

import msgspec
import torch
from transformers import TrainingArguments

from siku_manifests.sections import Pretrain
from siku_train.validation import Score, Validation
from siku_train.windows import WindowStream


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that a run needs beside the model."""

    options: Pretrain
    stream: WindowStream
    validation: Validation
    base: str
    """What the adapter's configuration names as its base."""
    seed: int

    @property
    def windows_per_step(self) -> int:
        """Windows in an optimiser step."""
        return self.options.batch * self.options.accumulation

    @property
    def steps(self) -> int:
        """Optimiser steps in the run."""
        return len(self.stream) // self.windows_per_step


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished run says of itself, besides its losses."""

    before: dict[str, Score]
    after: dict[str, Score]
    steps: int
    tokens: int
    """Places read in training, borders and padding included."""
    seconds: float
    """Spent in training steps, over all of a run's processes."""
    trainable: int
    """Trained parameters."""
    threads: int
    """CPU threads of torch."""


def training_arguments(plan: Plan, folder: Path) -> TrainingArguments:
    """Translate the recipe's section for Trainer."""
    options = plan.options
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulation,
        learning_rate=options.learning_rate,
        lr_scheduler_type=options.schedule,
        warmup_steps=min(options.warmup_steps, plan.steps),
        max_grad_norm=options.max_grad_norm,
        weight_decay=options.weight_decay,
        optim=options.optimizer,
        eval_strategy="steps",
        eval_steps=options.evaluate_every,
        save_strategy="steps",
        save_steps=options.save_every,
        logging_steps=1,
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
        seed=plan.seed,
        fp16=options.dtype == "float16",
        bf16=options.dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
    )
