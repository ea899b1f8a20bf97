"""The functions of the stage `pretrain`: from a tokenizer and token files to an adapter.

One range, since a training run is one long chain; it is resumable through its checkpoints.

    base/            the seeded base model, where the recipe asks for one
    adapter/         trained weights, each once, and their configuration; model/ with the method `full`
    losses.jsonl     every step's loss and every validation
    result.json      scores before and after, steps, tokens, seconds
"""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file

from siku_manifests.atomic import write_json
from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_manifests.shares import asks_for_shares, source_weights
from siku_manifests.stage import Context, Outcome, Range
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_tokenize.present import mixture_table
from siku_tokenize.vocabulary import Vocabulary, open_vocabulary
from siku_train.base import SEEDED, check_origin, has_gpu, write_seed_base
from siku_train.checkpoint import CONFIG_FILE, WEIGHTS_FILE, Weights, save_trained, trained_weights
from siku_train.documents import DocumentNames
from siku_train.launch import rank, run_processes
from siku_train.losses import LossFile
from siku_train.methods import check_method
from siku_train.model import build_model
from siku_train.plan import Plan, Result
from siku_train.pretrain import LOSSES_FILE, PretrainTrainer
from siku_train.reporting import TENSORBOARD
from siku_train.starts import adapter_factors, relative_to_base
from siku_train.story import Story, findings, source_counts
from siku_train.validation import Validation
from siku_train.vocabulary import base_size, piece_bytes, spell_new_pieces
from siku_train.windows import Reader, WindowStream, open_token_files

ADAPTER = "adapter"
MODEL = "model"
BASE = "base"
RESULT_FILE = "result.json"


def plan(context: Context) -> list[Range]:
    """One range: training is one chain of steps."""
    return [Range(0, weight=max(1, context.recipe.pretrain.tokens))]


def train(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001  the signature of a stage
    """Train to the end, from the last checkpoint in `out` if an earlier run left one.

    Raises:
        InputError: a token file or the base is missing.
        RecipeError: options that do not go together, no GPU for a recipe that wants one, or a tokenizer and a base
            that do not belong together.
        Interrupted: a signal came; a checkpoint was saved.
    """
    options = context.recipe.pretrain
    check_method(options)
    check_origin(options)
    has_gpu(options)
    if options.base == SEEDED:
        transformers.utils.logging.disable_progress_bar()  # for two small layers
        first_new = base_size(context.parents["tokenizer"] / "vocabulary.tsv")
        write_seed_base(out / BASE, options.model, vocabulary=first_new, seed=context.recipe.seed)
    if options.processes > 1:
        run_processes(train_here, (context, out), count=options.processes)
    else:
        train_here(context, out)


def train_here(context: Context, out: Path) -> None:
    """Train in this process, alone or as one of several that share each step."""
    options = context.recipe.pretrain
    torch.set_num_threads(options.threads)
    tokenizer = context.parents["tokenizer"]
    pieces = open_vocabulary(tokenizer)
    first_new = base_size(tokenizer / "vocabulary.tsv")
    base = out / BASE if options.base == SEEDED else options.base
    model = build_model(base, options, pieces=spell_new_pieces(pieces, first_new), seed=context.recipe.seed)
    begun = adapter_factors(model) if options.adapter_start == "pissa" else {}
    run_plan = make_plan(context, pieces)
    result = PretrainTrainer(model, run_plan, out).run()
    weights = trained_weights(model)
    if rank() == 0:
        write_model(model, out, base=run_plan.base, weights=weights, begun=begun)
        write_json(out / RESULT_FILE, msgspec.to_builtins(result))


def write_model(model: Any, out: Path, *, base: str, weights: Weights, begun: Weights) -> None:
    """Write what was trained: `adapter/` for the base as it came, or with the method `full` `model/`.

    Args:
        model: the trained model.
        out: where the folder goes.
        base: what the adapter's configuration names as its base.
        weights: from `trained_weights`.
        begun: adapters that did not begin at zero, as they began.
    """
    folder = out / (ADAPTER if isinstance(model, PeftModel) else MODEL)
    folder.mkdir(exist_ok=True)
    save_trained(model, folder, base=base, weights=weights)
    if begun:
        config = msgspec.json.decode((folder / CONFIG_FILE).read_bytes())
        ordinary, config = relative_to_base(load_file(folder / WEIGHTS_FILE), begun, config)
        save_file(ordinary, folder / WEIGHTS_FILE)
        write_json(folder / CONFIG_FILE, config)


def make_plan(context: Context, pieces: Vocabulary) -> Plan:
    """Open the token files and decide the order of the run."""
    options = context.recipe.pretrain
    encoder = pieces.encoder
    readers = [
        Reader(open_token_files(context.parents["tokens"] / split), options.length, encoder.eos, len(pieces))
        for split in ("train", "validation")
    ]
    lengths = piece_bytes(pieces)
    for reader in readers:
        reader.check(len(lengths))
    order = window_order(context, readers[0])
    return Plan(
        options=options,
        stream=WindowStream(readers[0], order, total=run_windows(options, len(order))),
        validation=Validation(
            readers[1],
            lengths,
            windows=options.evaluate_windows,
            batch=options.batch,
            prefixed=encoder.bos if pieces.prefixed else -1,
            first_new=base_size(context.parents["tokenizer"] / "vocabulary.tsv"),
        ),
        base=BASE if options.base == SEEDED else options.base,
        seed=context.recipe.seed,
        name_documents=DocumentNames.beside(context.parents["tokens"]),
    )


def window_order(context: Context, reader: Reader) -> WindowOrder:
    """Mix the sources by the weights or shares of the recipe.

    Raises:
        RecipeError: both shares and a temperature are asked for.
    """
    options, counts = context.recipe.pretrain, reader.counts()
    if options.temperature != 1 and asks_for_shares(context.recipe.source):
        msg = "pretrain.temperature changes shares that the sources ask for; leave it at 1, or give weights instead."
        raise RecipeError(msg)
    shares = mixture_shares(
        counts,
        source_weights(context.recipe.source, counts),
        temperature=options.temperature,
        epoch_cap=options.epoch_cap or None,
    )
    return WindowOrder(shares, seed=context.recipe.seed)


def run_windows(options: Pretrain, epoch: int) -> int:
    """Count the windows of a run, whole optimiser steps.

    Args:
        options: tokens or epochs, and the size of a step.
        epoch: windows in an epoch of the mixture.

    Example:
        tokens 400,000, windows of 512, 2 a step -> 782
    """
    step = options.batch * options.accumulation
    wanted = -(-options.tokens // options.length) if options.tokens else round(options.epochs * epoch)
    return max(1, -(-wanted // step)) * step


def finish(context: Context) -> Outcome:
    """Copy what the run made to its final place and tell the report."""
    (part,) = context.parts("train")
    for name in (ADAPTER, MODEL, BASE, TENSORBOARD):
        if (part / name).is_dir():
            shutil.copytree(part / name, context.folder / name, dirs_exist_ok=True)
    for name in (LOSSES_FILE, RESULT_FILE):
        shutil.copyfile(part / name, context.folder / name)
    result = msgspec.json.decode((part / RESULT_FILE).read_bytes(), type=Result)
    pieces = open_vocabulary(context.parents["tokenizer"])
    run_plan = make_plan(context, pieces)
    counts = source_counts(run_plan.stream)
    story = Story(
        options=context.recipe.pretrain,
        result=result,
        losses=LossFile(context.folder / LOSSES_FILE),
        entropy=run_plan.validation.unigram_entropy(),
        windows=counts,
        reader=run_plan.stream.reader,
    )
    files = [
        path.relative_to(context.folder).as_posix()
        for name in (ADAPTER, MODEL, BASE)
        for path in (context.folder / name).glob("*")
    ]
    return Outcome(
        shards=sorted([*files, LOSSES_FILE]),
        counts=counts,
        findings=[*findings(story), mixture_table(run_plan.stream.order.shares)],
        extra_files=[RESULT_FILE],
        environment={"torch threads": str(result.threads)},
    )
