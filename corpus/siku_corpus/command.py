"""`siku documents` and `siku explain`."""

from __future__ import annotations

from pathlib import Path

import click

from siku_manifests.command import recipe_options, stage_command
from siku_manifests.recipe import Recipe

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
