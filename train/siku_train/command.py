"""`siku pretrain` and `siku estimate`."""

from pathlib import Path
from typing import Any

import click

from siku_manifests.command import recipe_options, stage_command
from siku_manifests.errors import RecipeError
from siku_manifests.recipe import Recipe, load_recipe
from siku_train.cards import Card, find_card
from siku_train.stages import PRETRAIN

pretrain = stage_command("pretrain", name="pretrain", help_text=PRETRAIN.help)
_build = pretrain.callback


def _build_or_show(*, show_batch: bool, **options: Any) -> None:
    if options["dry_run"]:
        from siku_train.intent import intent_lines  # noqa: PLC0415  keeps `siku pretrain --help` quick

        recipe = load_recipe(options["recipe"], options["overrides"])
        click.echo(f"training of recipe {recipe.name}")
        for line in intent_lines(recipe):
            click.echo(line)
    if not show_batch:
        assert _build is not None
        _build(**options)
        return
    from siku_train.preview import first_batch  # noqa: PLC0415  keeps `siku pretrain --help` quick

    for line in first_batch(load_recipe(options["recipe"], options["overrides"]), options["out"]):
        click.echo(line)


pretrain.callback = _build_or_show
pretrain.params.append(
    click.Option(
        ["--show-batch"], is_flag=True, help="Show the first batch as text, with borders and labels, and train nothing."
    )
)


@click.command("estimate")
@recipe_options
@click.option(
    "--card", default="", metavar="NAME", help="v100-32, 3090, 4090, a100-40, a100-80, h100 …; all by default."
)
@click.option("--memory", type=click.FloatRange(0, min_open=True), metavar="GIB", help="Memory of a card of your own.")
@click.option("--flops", type=click.FloatRange(0, min_open=True), metavar="TFLOPS", help="Its dense 16-bit speed.")
@click.option("--bandwidth", type=click.FloatRange(0, min_open=True), metavar="GB/S", help="Its memory's speed.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="Part of its speed that matrix products reach.",
)
def estimate(*, recipe: Recipe, out: Path, card: str, share: float, **own: float | None) -> None:
    """Say what training needs: memory by part, tokens per second, hours, and what would fit.

    From the base's configuration alone; nothing is downloaded. With a card on which it does not fit, the exit status
    is 2 and the last line says which knob to turn.
    """
    chosen = _own_card(own) if any(own.values()) else find_card(card) if card else None
    from siku_train import estimate as room  # noqa: PLC0415  keeps `siku --help` quick

    if chosen is None:
        for line in room.table_lines(room.estimate_everywhere(recipe)):
            click.echo(line)
        return
    found = room.estimate(recipe, chosen, share=share)
    *told, verdict = room.lines(found, corpus=room.corpus_tokens(recipe, out))
    for line in told:
        click.echo(line)
    if not found.fits:
        raise RecipeError(f"{recipe.name} on {chosen.name} {verdict}.")
    click.echo(verdict)


def _own_card(own: dict[str, float | None]) -> Card:
    missing = [f"--{name}" for name, value in own.items() if value is None]
    if missing:
        msg = f"a card of your own needs --memory, --flops and --bandwidth together; {', '.join(missing)} is missing."
        raise RecipeError(msg)
    memory, flops, bandwidth = (float(own[name] or 0) for name in ("memory", "flops", "bandwidth"))
    return Card(name="your card", memory=memory, teraflops=flops, bandwidth=bandwidth)
