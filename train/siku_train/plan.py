"""What a run is to do, what it says of itself at the end, and how Trainer is told."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch
from transformers import TrainingArguments

from siku_manifests.sections import Pretrain
from siku_train.base import compute_dtype, has_gpu
from siku_train.documents import DocumentNames
from siku_train.launch import world_size
from siku_train.reporting import outside_reporters
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
    name_documents: Callable[[str, Sequence[int]], list[str]] = DocumentNames()
    """Source and numbers in its token file to names for people."""

    @property
    def windows_per_step(self) -> int:
        """Windows in an optimiser step."""
        return self.options.batch * self.options.accumulation

    @property
    def steps(self) -> int:
        """Optimiser steps in the run."""
        return len(self.stream) // self.windows_per_step

    def step_documents(self, step: int, *, most: int = 12) -> str:
        """Name the documents of optimiser step `step`, from 1; the first `most` of them.

        Example:
            "poetry-0001#3, poetry-0001#4 and 9 more"
        """
        first = (step - 1) * self.windows_per_step
        names: list[str] = []
        for position in range(first, first + self.windows_per_step):
            source, window = self.stream.place(position)
            numbers = self.stream.reader.documents(source, window)
            names += [name for name in self.name_documents(source, numbers) if name not in names]
        more = f" and {len(names) - most} more" if len(names) > most else ""
        return ", ".join(names[:most]) + more


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
    on_gpu = has_gpu(options)
    dtype = compute_dtype(options)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=options.accumulation // world_size(),
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
        report_to=outside_reporters(options),
        dataloader_num_workers=options.loader_workers,
        seed=plan.seed,
        fp16=dtype == torch.float16,
        bf16=dtype == torch.bfloat16,
        use_cpu=not on_gpu,
        ddp_backend=("nccl" if on_gpu else "gloo") if world_size() > 1 else None,
        ddp_find_unused_parameters=False,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
    return arguments
