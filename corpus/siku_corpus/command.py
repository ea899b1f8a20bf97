"""`siku documents`, `siku sample` and `siku explain`."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import click
import msgspec

from siku_manifests.command import recipe_options, stage_command
from siku_manifests.recipe import Recipe

PLAIN_MARKS = (("[-", "-]"), ("{+", "+}"))
"""As word-diff of git marks what is gone and what is new."""
TERMINAL_MARKS = (("\x1b[31;9m", "\x1b[0m"), ("\x1b[32;1m", "\x1b[0m"))
"""Red and struck through; green and bold."""

documents = stage_command(
    "documents",
    name="documents",
    help_text="Read the raw sources of RECIPE, normalize and filter them.",
)


@click.command()
@recipe_options
@click.argument("document", metavar="ID")
def explain(*, recipe: Recipe, out: Path, document: str) -> None:
    """Say what happened to the document ID: what kept it, or which rule dropped it at which value."""
    from siku_corpus.fate import explain as lines_about  # noqa: PLC0415  brings pyarrow
    from siku_manifests.runner import done_folders  # noqa: PLC0415

    for line in lines_about(done_folders(recipe, out=out, last="corpus"), document):
        click.echo(line)


@click.command()
@recipe_options
@click.argument("source", metavar="SOURCE")
@click.option("-n", "--number", type=click.IntRange(1), default=5, show_default=True, help="Documents to show.")
@click.option(
    "--stage",
    type=click.Choice(["read", "normalize", "filter"]),
    default="normalize",
    show_default=True,
    help="As the source has them; before and after the rules; or what the filters say.",
)
@click.option("--seed", type=int, default=None, help="Another number, other documents; the recipe's by default.")
def sample(*, recipe: Recipe, out: Path, source: str, number: int, stage: str, seed: int | None) -> None:
    """Show some documents of SOURCE before anything is built: normalized, with what changed marked."""
    from siku_corpus.preview import choose_documents, preview, preview_lines  # noqa: PLC0415  brings pyarrow
    from siku_manifests.raw import raw_files  # noqa: PLC0415
    from siku_manifests.stage import Context  # noqa: PLC0415

    wanted = recipe.source_named(source)
    only = msgspec.structs.replace(recipe, source=(wanted,))
    home = out / recipe.name
    raw = raw_files(only, folder=home, say=functools.partial(click.echo, err=True))
    context = Context(recipe=only, folder=home, parents={}, raw=raw)
    marks = TERMINAL_MARKS if sys.stdout.isatty() else PLAIN_MARKS
    chosen = choose_documents(context, wanted, number=number, seed=recipe.seed if seed is None else seed)
    for document in preview(only, wanted, chosen):
        for line in preview_lines(document, stage=stage, marks=marks):
            click.echo(line)
        click.echo()
