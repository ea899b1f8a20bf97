"""The base room's own commands: fetch, status, report, verify, lock."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from siku_manifests.command import recipe_argument, recipe_options
from siku_manifests.errors import InputError
from siku_manifests.recipe import Recipe

if TYPE_CHECKING:
    from siku_manifests.verify import Level

until_option = click.option("--until", default="pretrain", show_default=True, help="Last stage to look at.")


@click.command()
@recipe_argument
@click.option("--source", "names", multiple=True, metavar="NAME", help="Only this source; may be given repeatedly.")
@click.option("--refresh", is_flag=True, help="Ask again for what the recipe does not pin.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched and how much it is, and fetch nothing.")
def fetch(*, recipe: Recipe, names: tuple[str, ...], refresh: bool, dry_run: bool) -> None:
    """Bring the sources of RECIPE that have an address into the cache; say how to get the others."""
    from siku_manifests import fetching  # noqa: PLC0415

    say = functools.partial(click.echo, err=True)
    task = fetching.errand(recipe, names)
    if not dry_run:
        fetching.fetch(task, refresh=refresh, say=say, show=click.echo)
        return
    for line in fetching.rehearse(task, say=say):
        click.echo(line)


@click.command()
@recipe_options
@until_option
def status(*, recipe: Recipe, out: Path, until: str) -> None:
    """Show which stages of RECIPE are built, with their ids."""
    from siku_manifests.manifest import read_manifest  # noqa: PLC0415
    from siku_manifests.runner import resolve  # noqa: PLC0415
    from siku_manifests.stage import chain  # noqa: PLC0415

    for stage in chain(until):
        try:
            resolved = resolve(stage.name, recipe, out=out)
        except InputError:
            click.echo(f"{stage.name:<10}  waits for {', '.join(stage.parents) or 'its sources'}")
            continue
        built = f"built  {read_manifest(resolved.folder).id[:12]}" if resolved.is_done else "not built"
        click.echo(f"{stage.name:<10}  {built}  {resolved.folder}")


@click.command()
@recipe_options
@until_option
def report(*, recipe: Recipe, out: Path, until: str) -> None:
    """Write one HTML file about all built stages of RECIPE, and print a summary."""
    from siku_manifests.report import summary_lines, write_report  # noqa: PLC0415
    from siku_manifests.runner import done_folders  # noqa: PLC0415

    folders = done_folders(recipe, out=out, last=until)
    if not folders:
        msg = f"{recipe.name}: nothing is built in {out}; run `make corpus RECIPE={recipe.name}` first."
        raise InputError(msg)
    path = write_report(recipe.name, folders, out / recipe.name / "report.html", sources=recipe.source)
    for line in summary_lines(recipe.name, folders):
        click.echo(line)
    click.echo(f"report: {path}")


@click.command()
@recipe_options
@until_option
@click.option(
    "--level",
    type=click.Choice(["files", "contents", "chain", "rebuild"]),
    default="chain",
    show_default=True,
    help="How deep to look; each includes those before it.",
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes of a rebuild; all cores by default.")
@click.pass_context
def verify(ctx: click.Context, *, recipe: Recipe, out: Path, until: str, level: Level, workers: int | None) -> None:
    """Prove that what is built is what the manifests say, and equal to the committed ones."""
    from siku_manifests import verify as verification  # noqa: PLC0415

    request = verification.Request(
        recipe=recipe,
        out=out,
        committed=verification.committed_folder(ctx.params["recipe"]),
        until=until,
        level=level,
        workers=workers or len(os.sched_getaffinity(0)),
    )
    verification.verify(request, say=click.echo)


@click.command()
@recipe_options
@until_option
@click.pass_context
def lock(ctx: click.Context, *, recipe: Recipe, out: Path, until: str) -> None:
    """Write the manifests of the built stages beside RECIPE, to be committed like a lock file."""
    from siku_manifests.verify import committed_folder, write_committed  # noqa: PLC0415

    folder = committed_folder(ctx.params["recipe"])
    for path in write_committed(recipe, out=out, committed=folder, until=until):
        click.echo(str(path))
