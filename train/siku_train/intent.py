"""What a recipe's training would do, for a dry run: said before corpus, base or GPU are there."""

from collections.abc import Iterator
from pathlib import Path

import torch

from siku_manifests.errors import SikuError
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Pretrain
from siku_train.base import SEEDED
from siku_train.memory import recipe_setup, trained_parameters
from siku_train.methods import check_method
from siku_train.shape import recipe_shape


def intent_lines(recipe: Recipe) -> Iterator[str]:
    """Say of a recipe's training what is trained, on what, and in which steps.

    Raises:
        RecipeError: options that do not go together.
    """
    options = recipe.pretrain
    check_method(options)
    yield f"  base: {_base(options)}"
    yield f"  trained: {_trained(recipe)}"
    windows = options.batch * options.accumulation
    shared = f", shared by {options.processes} processes" if options.processes > 1 else ""
    yield (
        f"  step: {options.accumulation} × {options.batch} windows of {options.length:,} tokens, "
        f"{windows * options.length:,} tokens{shared}"
    )
    amount = f"{options.tokens:,} tokens" if options.tokens else f"{options.epochs:g} epochs"
    yield (
        f"  run: {amount}, {options.optimizer}, learning rate {options.learning_rate:g} after {options.warmup_steps:,} "
        f"steps, then {options.schedule}"
    )
    gpu = "there is a GPU here" if torch.cuda.is_available() else "there is no GPU here"
    yield f"  device: {options.device}, {options.dtype}; {gpu}"


def _base(options: Pretrain) -> str:
    if options.base == SEEDED:
        return "made from the seed"
    if options.revision:
        return f"{options.base} at {options.revision[:12]}, from the Hub or its cache"
    return f"{options.base} ({'there' if Path(options.base).is_dir() else 'not there yet'})"


def _trained(recipe: Recipe) -> str:
    options = recipe.pretrain
    layers = ", ".join(options.targets) or "all linear layers"
    what = "every weight" if options.method == "full" else f"adapters of rank {options.rank} on {layers}"
    try:
        shape = recipe_shape(recipe)
    except SikuError:  # a base whose shape nobody knows before it is there
        return f"{options.method}, {what}"
    count = sum(trained_parameters(shape, recipe_setup(options, dtype="float16")))
    return f"{options.method}, {what}, embedding and head {options.embeddings}: {count:,} parameters"
