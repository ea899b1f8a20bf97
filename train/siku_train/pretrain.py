"""The training run: transformers' Trainer with windows, loss, validation and checkpoints of our own.

    PretrainTrainer(model, plan, folder).run()

    folder/losses.jsonl     a line for every optimiser step and every validation, without times: equal runs
                            give equal files
    folder/checkpoints/     see checkpoint.py

Killed at any moment and run again, it goes on from the last checkpoint and ends with the same losses and the
same weights, to the bit, on the same kind of machine with the same number of threads.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl

from siku_manifests.errors import Interrupted, SikuError
from siku_manifests.progress import Progress
from siku_train import checkpoint
from siku_train.adapters import core_model, embedding_names, trainable_parameters
from siku_train.guard import LossGuard
from siku_train.launch import add_over_processes, collected_signals, rank, wait_for_all, world_size
from siku_train.loss import IGNORE
from siku_train.losses import LossFile
from siku_train.meter import Meter, model_flops, note, this_card
from siku_train.optimizer import parameter_groups
from siku_train.plan import Plan, Result, training_arguments
from siku_train.reporting import reporters
from siku_train.sharding import load_whole_state, shard_model, whole_state
from siku_train.validation import total

LOSSES_FILE = "losses.jsonl"
CHECKPOINTS = "checkpoints"
STATE_FILE = "trainer_state.json"
OPTIMIZER_FILE = "optimizer.pt"
SCHEDULER_FILE = "scheduler.pt"


class PretrainTrainer(Trainer):
    """Trains adapters and embeddings on packed windows.

    Args:
        model: from `build_model`.
        plan: what to train on.
        folder: existing; checkpoints and losses go there.
    """

    optimizer: torch.optim.Optimizer | None
    control: TrainerControl
    loss_is_scaled_for_ga = True  # compute_loss divides by the labels of the whole step

    def __init__(self, model: Any, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.speaks = rank() == 0
        self.is_divided = False
        self.batches_done = 0
        self.embeddings = embedding_names(core_model(model))
        self.losses = LossFile(folder / LOSSES_FILE)
        self.guard = LossGuard(plan.options.max_loss_leap)
        self.meter = Meter(model_flops(model), this_card())
        super().__init__(
            model=model,
            args=training_arguments(plan, folder),
            train_dataset=plan.stream,
            eval_dataset=plan.validation,
            callbacks=[_Watch(self), *(reporters(plan.options, folder) if self.speaks else [])],
        )
        # Trainer's word for a model that takes care of its parts and gradients; asked in its __init__ it wants a
        # configuration of that
        self.is_distributed_loading_by_transformers = plan.options.sharding == "full"
        self.remove_callback(PrinterCallback)  # which would print every step's figures to the standard output

    def run(self) -> Result:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            Interrupted: SIGTERM or SIGINT came; a checkpoint was saved.
            TrainingStopped: the loss is not a number, or leaps.
            InputError: a checkpoint cannot be read.
        """
        start = checkpoint.latest_checkpoint(self.folder / CHECKPOINTS)
        if self.is_distributed_loading_by_transformers:
            self._divide_model(start)
        if start is None:
            if self.speaks:
                self.losses.cut(0)
            self._record(0, validation=self.plan.validation.measure(self.model))
        with collected_signals() as self.signals, self._progress(start) as self.progress:
            self.train(resume_from_checkpoint=str(start) if start else None)
        if self.state.global_step < self.plan.steps:
            msg = (
                f"stopped by a signal after step {self.state.global_step} of {self.plan.steps}; a checkpoint was "
                f"saved, and the same command goes on from there."
            )
            raise Interrupted(msg)
        wait_for_all()
        scores = self.losses.validations()
        return Result(
            before=scores[0],
            after=scores[self.plan.steps],
            steps=self.plan.steps,
            tokens=len(self.plan.stream) * self.plan.options.length,
            seconds=self.meter.seconds,
            trainable=trainable_parameters(self.model),
            threads=torch.get_num_threads(),
        )

    # What Trainer asks for -------------------------------------------------------------------------

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Windows in the order of the stream; Trainer skips those that a checkpoint has behind it.

        Of several processes each takes every n-th batch, so that together they read the order of one.
        """
        batches = np.arange(len(self.plan.stream)).reshape(-1, world_size(), self.plan.options.batch)
        return DataLoader(
            self.plan.stream,
            batch_size=self.plan.options.batch,
            sampler=batches[:, rank()].ravel(),
            generator=torch.Generator(),  # else every new iterator would draw from the generator of dropout
            num_workers=self.plan.options.loader_workers,
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:  # noqa: ARG002
        """Embedding and head have a learning rate of their own, and with LoRA+ half of each adapter."""
        if self.optimizer is None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            groups = parameter_groups(self.model.named_parameters(), self.embeddings, self.plan.options)
            self.optimizer = kind(groups, **{**settings, "weight_decay": self.args.weight_decay})
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
        loss = outputs["loss"] / num_items_in_batch * world_size()  # gradients of processes are averaged, not added
        return (loss, outputs) if return_outputs else loss

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Tensor]], device: torch.device) -> Tensor:
        labels = sum(int((batch["labels"] != IGNORE).sum()) for batch in batch_samples)
        return torch.tensor(max(1, add_over_processes(labels, device)), device=device)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Tensor], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One batch forward and backward; a loss that is not a number ends the run.

        What dropout draws is decided by the seed and the batch's place in the run, so it is the same after a
        resumption and for any number of processes.
        """
        place = self.state.global_step * self.plan.options.accumulation + self.batches_done * world_size() + rank()
        torch.manual_seed(xxhash.xxh3_64_intdigest(f"{self.plan.seed} batch {place}".encode()))
        self.batches_done += 1
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not math.isfinite(loss.item()):
            self._judge(self.state.global_step + 1, loss.item())
        return loss

    def _judge(self, step: int, loss: float) -> None:
        self.guard.check(
            step,
            loss,
            documents=lambda: self.plan.step_documents(step),
            newest=checkpoint.latest_checkpoint(self.folder / CHECKPOINTS),
        )

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score the held-out windows and record it."""
        scores = self.plan.validation.measure(self.model)
        self._record(self.state.global_step, validation=scores)
        found = {"eval_loss": total(scores).loss}
        by_source = {f"eval_{source}_bits_per_byte": score.bits_per_byte for source, score in scores.items()}
        self.callback_handler.on_log(self.args, self.state, self.control, {**found, **by_source})
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """Record the loss of a step; the rest of what Trainer would log says when, not what."""
        if "loss" not in logs:
            return
        step = self.state.global_step
        self._judge(step, logs["loss"])
        self._record(step, loss=logs["loss"], gradient_norm=logs["grad_norm"], learning_rate=logs["learning_rate"])
        measured = self.meter.values(devices=world_size())
        self.progress.advance(
            self.plan.windows_per_step * self.plan.options.length,
            note=note(logs["loss"], measured),
        )
        self.callback_handler.on_log(self.args, self.state, self.control, {**logs, **measured})

    def _record(self, step: int, **values: Any) -> None:
        if self.speaks:
            self.losses.append(step, **values)

    def _save_checkpoint(self, model: nn.Module, trial: object) -> None:  # noqa: ARG002  Trainer's signature
        weights, state = checkpoint.trained_weights(self.model), whole_state(self.create_optimizer())
        if self.speaks:
            self._write_checkpoint(self.folder / CHECKPOINTS, weights, state)
        wait_for_all()

    def _write_checkpoint(self, folder: Path, weights: checkpoint.Weights, state: dict[str, Any]) -> None:
        with checkpoint.new_checkpoint(folder, self.state.global_step) as path:
            checkpoint.save_trained(self.model, path, base=self.plan.base, weights=weights)
            torch.save(state, path / OPTIMIZER_FILE)
            torch.save(self.lr_scheduler.state_dict(), path / SCHEDULER_FILE)
            self._save_scaler(str(path))
            self._save_rng_state(str(path))
            self.state.save_to_json(str(path / STATE_FILE))
            checkpoint.write_cursor(
                path,
                checkpoint.Cursor(
                    step=self.state.global_step,
                    losses_bytes=self.losses.size,
                    seconds=self.meter.seconds,
                ),
            )
        checkpoint.keep_last(folder, self.plan.options.keep_checkpoints)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        path = Path(resume_from_checkpoint)
        cursor = checkpoint.read_cursor(path)
        if cursor is None:
            msg = f"{path}: the checkpoint was changed while it was read; run the same command again."
            raise SikuError(msg)
        if not self.is_divided:  # then they were loaded before it was
            checkpoint.load_trained(model or self.model, path)
        self.meter.seconds = cursor.seconds
        if self.speaks:
            self.losses.cut(cursor.losses_bytes)
        wait_for_all()
        self.guard = LossGuard(self.plan.options.max_loss_leap, [loss for _, loss in self.losses.steps()])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            read = partial(torch.load, map_location="cpu", weights_only=True)
            load_whole_state(self.create_optimizer(), read(Path(checkpoint) / OPTIMIZER_FILE))
            self.lr_scheduler.load_state_dict(read(Path(checkpoint) / SCHEDULER_FILE))

    @contextmanager
    def _defer_fsdp_gradient_reduction(self) -> Iterator[None]:
        """Exchange the gradients of a divided model once a step and not once a batch."""
        self.model.set_requires_gradient_sync(False)
        yield
        self.model.set_requires_gradient_sync(True)

    def _divide_model(self, start: Path | None) -> None:
        """Give each process its part of the model, with the weights of a checkpoint if there is one."""
        if start is not None:
            checkpoint.load_trained(self.model, start)
        shard_model(self.model, self.args.device)
        self.is_divided = True

    # Losses, progress, signals ---------------------------------------------------------------------

    def _progress(self, start: Path | None) -> Progress:
        cursor = checkpoint.read_cursor(start) if start else None
        per_step = self.plan.windows_per_step * self.plan.options.length
        done = cursor.step * per_step if cursor else 0
        return Progress(self.plan.steps * per_step, unit="tokens", label="pretrain", done=done, shown=self.speaks)


class _Watch(TrainerCallback):
    """Times the steps, and turns a signal into a last checkpoint."""

    def __init__(self, trainer: PretrainTrainer) -> None:
        self.trainer = trainer

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self.trainer.meter.start()
        self.trainer.batches_done = 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop the clock; after a signal, save and stop."""
        self.trainer.meter.stop(self.trainer.plan.windows_per_step * self.trainer.plan.options.length)
        control.should_log = True
        if state.global_step >= state.max_steps:
            control.should_evaluate = True
        elif add_over_processes(len(self.trainer.signals), args.device):  # all stop after the same step, or none
            control.should_save = True
            control.should_training_stop = True
