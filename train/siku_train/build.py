"""The functions of the stage `pretrain`: from a tokenizer and token files to an adapter.

One range, since a training run is one long chain; it is resumable through its checkpoints.

    base/            the seeded base model, where the recipe asks for one
    adapter/         trained weights, each once, and their configuration
    losses.jsonl     every step's loss and every validation
    result.json      scores before and after, steps, tokens, seconds
"""

import shutil
from pathlib import Path

import msgspec
import torch
import transformers

from siku_manifests.atomic import write_json
from siku_manifests.sections import Pretrain
from siku_manifests.shares import source_weights
from siku_manifests.stage import Context, Outcome, Range
from siku_tokenize.encode import Encoder
from siku_tokenize.modelfile import Model, read_model
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_train.checkpoint import save_adapter
from siku_train.losses import LossFile
from siku_train.model import SEEDED, build_model, write_seed_base
from siku_train.plan import Plan, Result
from siku_train.pretrain import LOSSES_FILE, PretrainTrainer
from siku_train.story import Story, findings, source_counts
from siku_train.validation import Validation
from siku_train.vocabulary import base_size, piece_bytes, spell_new_pieces
from siku_train.windows import Reader, WindowStream, open_token_files

ADAPTER = "adapter"
BASE = "base"
RESULT_FILE = "result.json"


def plan(context: Context) -> list[Range]:
    """One range: training is one chain of steps."""
    return [Range(0, weight=max(1, context.recipe.pretrain.tokens))]


def train(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001  the signature of a stage
    """Train to the end, from the last checkpoint in `out` if an earlier run left one.

    Raises:
        InputError: a token file or the base is missing.
        RecipeError: tokenizer and base do not belong together.
        Interrupted: a signal came; a checkpoint was saved.
    """
    options = context.recipe.pretrain
    torch.set_num_threads(options.threads)
    tokenizer = context.parents["tokenizer"]
    pieces = read_model(tokenizer / "tokenizer.model")
    first_new = base_size(tokenizer / "vocabulary.tsv")
    base: str | Path = options.base
    if options.base == SEEDED:
        transformers.utils.logging.disable_progress_bar()  # for two small layers
        base = out / BASE
        write_seed_base(base, options.model, vocabulary=first_new, seed=context.recipe.seed)
    model = build_model(base, options, pieces=spell_new_pieces(pieces, first_new), seed=context.recipe.seed)
    run_plan = make_plan(context, pieces)
    result = PretrainTrainer(model, run_plan, out).run()
    (out / ADAPTER).mkdir(exist_ok=True)
    save_adapter(model, out / ADAPTER, base=run_plan.base)
    write_json(out / RESULT_FILE, msgspec.to_builtins(result))


def make_plan(context: Context, pieces: Model) -> Plan:
    """Open the token files and decide the order of the run."""
    options = context.recipe.pretrain
    encoder = Encoder(pieces)
    readers = [
        Reader(open_token_files(context.parents["tokens"] / split), options.length, encoder.eos)
        for split in ("train", "validation")
    ]
    order = window_order(context, readers[0])
    return Plan(
        options=options,
        stream=WindowStream(readers[0], order, total=run_windows(options, len(order))),
        validation=Validation(
            readers[1],
            piece_bytes(pieces),
            windows=options.evaluate_windows,
            batch=options.batch,
            prefixed=encoder.bos if pieces.dummy_prefix else -1,
        ),
        base=BASE if options.base == SEEDED else options.base,
        seed=context.recipe.seed,
    )


def window_order(context: Context, reader: Reader) -> WindowOrder:
    """Mix the sources by the weights or shares of the recipe."""
    counts = reader.counts()
    weights = source_weights(context.recipe.source, counts)
    return WindowOrder(mixture_shares(counts, weights), seed=context.recipe.seed)


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
    for name in (ADAPTER, BASE):
        if (part / name).is_dir():
            shutil.copytree(part / name, context.folder / name, dirs_exist_ok=True)
    for name in (LOSSES_FILE, RESULT_FILE):
        shutil.copyfile(part / name, context.folder / name)
    result = msgspec.json.decode((part / RESULT_FILE).read_bytes(), type=Result)
    pieces = read_model(context.parents["tokenizer"] / "tokenizer.model")
    run_plan = make_plan(context, pieces)
    story = Story(
        options=context.recipe.pretrain,
        result=result,
        losses=LossFile(context.folder / LOSSES_FILE),
        entropy=run_plan.validation.unigram_entropy(),
        corpus_tokens=sum(file.token_count for file in run_plan.stream.reader.files.values()),
    )
    files = [
        path.relative_to(context.folder).as_posix()
        for name in (ADAPTER, BASE)
        for path in (context.folder / name).glob("*")
    ]
    return Outcome(
        shards=sorted([*files, LOSSES_FILE]),
        counts=source_counts(run_plan.stream),
        findings=findings(story),
        extra_files=[RESULT_FILE],
        environment={"torch threads": str(result.threads)},
    )
