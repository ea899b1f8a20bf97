"""The training run: transformers' Trainer with windows, loss, validation and checkpoints of our own.

    PretrainTrainer(model, plan, folder).run()

    folder/losses.jsonl     a line for every optimiser step and every validation, without times: equal runs
                            give equal files
    folder/checkpoints/     see checkpoint.py

Killed at any moment and run again, it goes on from the last checkpoint and ends with the same losses and the
same weights, to the bit, on the same kind of machine with the same number of threads.
"""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl

from siku_manifests.errors import Interrupted, SikuError
from siku_manifests.progress import Progress
from siku_train import checkpoint
from siku_train.loss import IGNORE
from siku_train.losses import LossFile
from siku_train.model import embedding_names, trainable_parameters
from siku_train.plan import Plan, Result, training_arguments
from siku_train.validation import total

LOSSES_FILE = "losses.jsonl"
CHECKPOINTS = "checkpoints"
STATE_FILE = "trainer_state.json"


class PretrainTrainer(Trainer):
    """Trains adapters and embeddings on packed windows.

    Args:
        model: from `build_model`.
        plan: what to train on.
        folder: existing; checkpoints and losses go there.
    """

    optimizer: torch.optim.Optimizer | None
    control: TrainerControl

    def __init__(self, model: PeftModel, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.embeddings = embedding_names(model.get_base_model())
        self.losses = LossFile(folder / LOSSES_FILE)
        self.seconds = 0.0
        super().__init__(
            model=model,
            args=training_arguments(plan, folder),
            train_dataset=plan.stream,
            eval_dataset=plan.validation,
            callbacks=[_Watch(self)],
        )

    def run(self) -> Result:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            Interrupted: SIGTERM or SIGINT came; a checkpoint was saved.
            SikuError: the loss is not a number.
            InputError: a checkpoint cannot be read.
        """
        start = checkpoint.latest_checkpoint(self.folder / CHECKPOINTS)
        if start is None:
            self.losses.cut(0)
            self.losses.append(0, validation=self.plan.validation.measure(self.model))
        with self._signals() as self.signals, self._progress(start) as self.progress:
            self.train(resume_from_checkpoint=str(start) if start else None)
        if self.state.global_step < self.plan.steps:
            msg = (
                f"stopped by a signal after step {self.state.global_step} of {self.plan.steps}; a checkpoint was "
                f"saved, and the same command goes on from there."
            )
            raise Interrupted(msg)
        scores = self.losses.validations()
        return Result(
            before=scores[0],
            after=scores[self.plan.steps],
            steps=self.plan.steps,
            tokens=len(self.plan.stream) * self.plan.options.length,
            seconds=self.seconds,
            trainable=trainable_parameters(self.model),
            threads=torch.get_num_threads(),
        )

    # What Trainer asks for -------------------------------------------------------------------------

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Windows in the order of the stream; Trainer skips those that a checkpoint has behind it."""
        return DataLoader(
            self.plan.stream,
            batch_size=self.plan.options.batch,
            sampler=range(len(self.plan.stream)),
            generator=torch.Generator(),  # else every new iterator would draw from the generator of dropout
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:  # noqa: ARG002
        """Two groups: adapters, and embedding and head with a learning rate of their own."""
        if self.optimizer is None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            named = [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
            groups: tuple[list[Tensor], list[Tensor]] = ([], [])
            for name, weight in named:
                groups[any(f".{part}." in name for part in self.embeddings)].append(weight)
            rates = (self.args.learning_rate, self.plan.options.embedding_learning_rate or self.args.learning_rate)
            self.optimizer = kind(
                [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)],
                **{**settings, "weight_decay": self.args.weight_decay},
            )
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Mean loss over the labels of a whole optimiser step, whatever batch each of them is in."""
        outputs = model(**inputs)
        loss = outputs["loss"] / num_items_in_batch
        return (loss, outputs) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        counts = [(batch["labels"] != IGNORE).sum() for batch in batch_samples]
        return torch.stack(counts).sum().clamp(min=1).to(device)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One batch forward and backward; a loss that is not a number ends the run."""
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not math.isfinite(loss.item()):
            first = self.state.global_step * self.plan.windows_per_step
            places = [self.plan.stream.place(first + i) for i in range(self.plan.windows_per_step)]
            msg = (
                f"the loss of step {self.state.global_step + 1} is {loss.item()}; its windows are "
                f"{', '.join(f'{source}:{window}' for source, window in places)}. Lower [pretrain] learning_rate or "
                f"max_grad_norm and run again: it goes on from the last checkpoint."
            )
            raise SikuError(msg)
        return loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the held-out windows and record it."""
        scores = self.plan.validation.measure(self.model)
        self.losses.append(self.state.global_step, validation=scores)
        found = {"eval_loss": total(scores).loss}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """Record the loss of a step; the rest of what Trainer would log says when, not what."""
        if "loss" not in logs:
            return
        step = self.state.global_step
        self.losses.append(
            step, loss=logs["loss"], gradient_norm=logs["grad_norm"], learning_rate=logs["learning_rate"]
        )
        self.progress.advance(
            self.plan.windows_per_step * self.plan.options.length,
            note=f"loss {logs['loss']:.3f}, {self._speed():,.0f} tokens/s",
        )

    def _speed(self) -> float:
        tokens = self.state.global_step * self.plan.windows_per_step * self.plan.options.length
        return tokens / self.seconds if self.seconds else 0.0

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:  # noqa: ARG002  Trainer's signature
        folder = self.folder / CHECKPOINTS
        with checkpoint.new_checkpoint(folder, self.state.global_step) as path:
            checkpoint.save_adapter(self.model, path, base=self.plan.base)
            self._save_optimizer_and_scheduler(str(path))
            self._save_scaler(str(path))
            self._save_rng_state(str(path))
            self.state.save_to_json(str(path / STATE_FILE))
            checkpoint.write_cursor(
                path,
                checkpoint.Cursor(
                    step=self.state.global_step,
                    losses_bytes=self.losses.size,
                    seconds=self.seconds,
                ),
            )
        checkpoint.keep_last(folder, self.plan.options.keep_checkpoints)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: PeftModel | None = None) -> None:
        path = Path(resume_from_checkpoint)
        cursor = checkpoint.read_cursor(path)
        if cursor is None:
            msg = f"{path}: the checkpoint was changed while it was read; run the same command again."
            raise SikuError(msg)
        checkpoint.load_adapter(model or self.model, path)
        self.seconds = cursor.seconds
        self.losses.cut(cursor.losses_bytes)

    # Losses, progress, signals ---------------------------------------------------------------------

    def _progress(self, start: Path | None) -> Progress:
        cursor = checkpoint.read_cursor(start) if start else None
        per_step = self.plan.windows_per_step * self.plan.options.length
        done = cursor.step * per_step if cursor else 0
        return Progress(self.plan.steps * per_step, unit="tokens", label="pretrain", done=done)

    @contextmanager
    def _signals(self) -> Iterator[list[int]]:
        """Collect SIGTERM and SIGINT instead of dying of them: the step is finished and saved first."""
        came: list[int] = []
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        for number in before:
            signal.signal(number, lambda received, _: came.append(received))
        try:
            yield came
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Watch(TrainerCallback):
    """Times the steps, and turns a signal into a last checkpoint."""

    def __init__(self, trainer: PretrainTrainer) -> None:
        self.trainer = trainer
        self.begun = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.begun = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Stop the clock; after a signal, save and stop."""
        self.trainer.seconds += time.monotonic() - self.begun
        control.should_log = True
        if state.global_step >= state.max_steps:
            control.should_evaluate = True
        elif self.trainer.signals:
            control.should_save = True
            control.should_training_stop = True
