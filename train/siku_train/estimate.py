"""What a recipe's training will need on a card, and how long it will take, before anything is downloaded."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from siku_manifests.errors import RecipeError
from siku_manifests.recipe import Recipe
from siku_manifests.runner import done_folders
from siku_manifests.sections import Pretrain
from siku_tokenize.tokenfile import TokenFile
from siku_train.cards import CARDS, Card
from siku_train.memory import (
    Setup,
    largest_batch,
    largest_length,
    peak_bytes,
    peak_parts,
    recipe_setup,
    trained_parameters,
)
from siku_train.shape import Shape, recipe_shape
from siku_train.speed import PRODUCT_SHARE, Speed, estimate_speed

GIB = 2**30
BILLION = 1e9


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe on a card."""

    shape: Shape
    setup: Setup
    card: Card
    speed: Speed
    options: Pretrain
    share: float

    @property
    def bytes(self) -> float:
        """Memory at the peak."""
        return peak_bytes(self.shape, self.setup)

    @property
    def room(self) -> float:
        """Bytes of the card."""
        return self.card.memory * GIB

    @property
    def fits(self) -> bool:
        """Whether the card has the memory."""
        return self.bytes <= self.room


def card_dtype(options: Pretrain, card: Card) -> str:
    """Say in which numbers a recipe computes on a card.

    Raises:
        RecipeError: in bfloat16, which the card does not have.
    """
    if options.dtype == "bfloat16" and not card.bfloat16:
        msg = f'[pretrain] dtype = "bfloat16": {card.name} does not have it; use dtype = "float16" or "auto" there.'
        raise RecipeError(msg)
    return ("bfloat16" if card.bfloat16 else "float16") if options.dtype == "auto" else options.dtype


def estimate(recipe: Recipe, card: Card, *, share: float = PRODUCT_SHARE) -> Estimate:
    """Estimate a recipe on one card.

    Raises:
        RecipeError: the base's shape is not known, or the card lacks the recipe's numbers.
    """
    return _on_card(recipe_shape(recipe), recipe.pretrain, card, share=share)


def estimate_everywhere(recipe: Recipe) -> list[Estimate]:
    """Estimate a recipe on every card of the table that has its numbers."""
    shape = recipe_shape(recipe)
    return [
        _on_card(shape, recipe.pretrain, card)
        for card in CARDS.values()
        if card.bfloat16 or recipe.pretrain.dtype != "bfloat16"
    ]


def _on_card(shape: Shape, options: Pretrain, card: Card, *, share: float = PRODUCT_SHARE) -> Estimate:
    setup = recipe_setup(options, dtype=card_dtype(options, card))
    speed = estimate_speed(shape, setup, card, accumulation=options.accumulation, share=share)
    return Estimate(shape=shape, setup=setup, card=card, speed=speed, options=options, share=share)


def table_lines(found: list[Estimate]) -> Iterator[str]:
    """Write a line for each card."""
    yield f"{'card':16} {'memory':>9}  {'needed':>9}  {'tokens/s':>9}  {'hours/billion':>13}  verdict"
    for one in found:
        hours = BILLION / one.speed.tokens_per_second / 3600
        batch = largest_batch(one.shape, one.setup, one.room)
        verdict = (
            f"fits, batch up to {batch}" if one.fits else ("does not fit" + (f"; batch {batch} would" if batch else ""))
        )
        yield (
            f"{one.card.name:16} {one.card.memory:5.1f} GiB  {one.bytes / GIB:5.1f} GiB  "
            f"{one.speed.tokens_per_second:9,.0f}  {hours:13,.0f}  {verdict}"
        )


def corpus_tokens(recipe: Recipe, out: Path) -> int:
    """Count the training tokens of a recipe whose token files are built; 0 if they are not."""
    if not any((out / recipe.name).glob("tokens-*/manifest.json")):
        return 0  # without asking for keys, which may mean to hash all raw files
    folders = [folder for folder in done_folders(recipe, out=out, last="tokens") if folder.name.startswith("tokens-")]
    stems = [path.with_suffix("") for folder in folders for path in (folder / "train").glob("*.idx")]
    return sum(TokenFile(stem).token_count for stem in stems)


def lines(one: Estimate, *, corpus: int = 0) -> Iterator[str]:
    """Write all about one card: memory by part, speed, time, what would fit, and the verdict.

    Args:
        one: the recipe on the card.
        corpus: tokens of an epoch, 0 where they are not known yet.
    """
    setup, shape = one.setup, one.shape
    layers, embeddings = trained_parameters(shape, setup)
    yield (
        f"{shape.name}, {shape.linear_parameters + shape.embedding_parameters + shape.others:,} parameters with "
        f"{shape.vocabulary:,} pieces; trained with {setup.method}: {layers + embeddings:,} "
        f"({layers:,} in layers, {embeddings:,} in embedding and head)"
    )
    for name, size in peak_parts(shape, setup).items():
        yield f"  {name:36} {size / GIB:7.2f} GiB"
    yield f"  {'at the peak':36} {one.bytes / GIB:7.2f} GiB of {one.card.memory:.1f} on {one.card.name}"
    batch, length = largest_batch(shape, setup, one.room), largest_length(shape, setup, one.room)
    yield f"largest batch of {setup.length:,} tokens: {batch}; longest window in batches of {setup.batch}: {length:,}"
    yield (
        f"speed: about {one.speed.tokens_per_second:,.0f} tokens/s on one card, MFU {one.speed.mfu:.0%} (assumed: "
        f"matrix products at {one.share:.0%} of {one.card.teraflops:,.0f} TFLOP/s; a quarter more or less is likely)"
    )
    yield _budget_line(one, corpus)
    yield verdict(one)


def _budget_line(one: Estimate, corpus: int) -> str:
    options = one.options
    speed = one.speed.tokens_per_second * options.processes
    cards = f"{options.processes} cards" if options.processes > 1 else "one card"
    budget = options.tokens or round(options.epochs * corpus)
    what = f"the recipe's {budget:,} tokens" if budget else "each billion tokens"
    return f"time for {what} on {cards}: {(budget or BILLION) / speed / 3600:,.1f} hours"


def verdict(one: Estimate) -> str:
    """Say whether it fits, and if not which knob to turn."""
    if one.fits:
        return f"fits: {(one.room - one.bytes) / GIB:.1f} GiB to spare"
    return f"does not fit: {(one.bytes - one.room) / GIB:.1f} GiB too much; {_mend(one)}"


def _mend(one: Estimate) -> str:
    """The gentlest change that makes it fit."""
    setup, options = one.setup, one.options

    def fits(**changes: object) -> bool:
        return peak_bytes(one.shape, msgspec.structs.replace(setup, **changes)) <= one.room

    batch = largest_batch(one.shape, setup, one.room)
    if not setup.checkpointing and fits(checkpointing=True):
        return "set pretrain.gradient_checkpointing = true"
    if batch:
        whole = setup.batch * options.accumulation
        return f"set pretrain.batch = {batch} and pretrain.accumulation = {-(-whole // batch)}"
    small = {"checkpointing": True, "batch": 1}
    if setup.method != "qlora" and fits(**small, **_as_qlora()):
        return 'set pretrain.method = "qlora", batch = 1 and gradient_checkpointing = true'
    if fits(**small, state_bytes=2.03, step_bytes=0.0):
        return 'set pretrain.optimizer = "paged_adamw_8bit", batch = 1 and gradient_checkpointing = true'
    if fits(**small, length=max(64, setup.length // 4), state_bytes=2.03, step_bytes=0.0):
        return f'set also pretrain.length = {max(64, setup.length // 4)} and optimizer = "paged_adamw_8bit"'
    return "take a larger card or a smaller base"


def _as_qlora() -> dict[str, object]:
    nf4 = recipe_setup(Pretrain(method="qlora"), dtype="float16")
    return {"method": nf4.method, "weight_bytes": nf4.weight_bytes, "originals": True, "frozen_bytes": 2.0}
