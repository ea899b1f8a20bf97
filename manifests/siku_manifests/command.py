"""The `siku` command: a lazy group whose commands live in the rooms.

Each room registers its commands under the entry-point group `siku.commands`; a command's module is imported
when it is named, or when the list of commands with their first lines is asked for, and imports nothing heavy.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from siku_manifests.equation import Counts, total
from siku_manifests.errors import Interrupted, QuarantineExceeded, SikuError, storage_errors
from siku_manifests.manifest import Manifest
from siku_manifests.recipe import Recipe, load_recipe

ORDER = (
    "fetch",
    "documents",
    "dedup",
    "tokenizer",
    "tokens",
    "estimate",
    "pretrain",
    "report",
    "verify",
    "lock",
    "status",
    "explain",
)


class LazyGroup(click.Group):
    """Commands found by entry point, in the order of the road."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of all registered commands."""
        names = set(_points())
        return [name for name in ORDER if name in names] + sorted(names - set(ORDER))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command of two words, such as `tokenizer compare`, by its name with a dash, as well as with it."""
        if (two := "-".join(args[:2])) in _points():
            args = [two, *args[2:]]
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        point = _points().get(cmd_name)
        return point.load() if point else None


@functools.cache
def _points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group="siku.commands")}


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="siku", message="siku %(version)s")
def cli() -> None:
    """四库 Siku: raw Chinese text to a trained model, with a proof of how it was made.

    RECIPE is the name of a folder in manifests/ (such as "sample") or the path of a recipe.toml.
    """


def main() -> NoReturn:
    """Run a command; errors become one sentence on stderr and the exit status of their kind."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with storage_errors(Path.cwd()):
            cli(prog_name="siku", standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort, Interrupted) as error:
        text = str(error) or "stopped; what is finished is kept, and the same command goes on from here."
        click.echo(f"siku: {text}", err=True)
        sys.exit(Interrupted.exit_status)
    except SikuError as error:
        if os.environ.get("SIKU_TRACEBACK"):
            raise
        click.echo(f"siku: {error}", err=True)
        sys.exit(error.exit_status)
    sys.exit(0)


def _interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


def recipe_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and option of every command that reads a recipe; the function gets `recipe`."""

    @click.argument("recipe", metavar="RECIPE")
    @click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one knob, such as dedup.threshold=0.75.",
    )
    @functools.wraps(command)
    def wrapped(*, recipe: str, overrides: tuple[str, ...], **options: Any) -> Any:
        return command(recipe=load_recipe(recipe, overrides), **options)

    return wrapped


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of every command that works on a recipe; the function gets `recipe` and `out`."""
    out = click.option(
        "--out", default="build", show_default=True, type=click.Path(path_type=Path), help="Folder of all builds."
    )
    return recipe_argument(out(command))


def stage_command(stage_name: str, *, name: str, help_text: str) -> click.Command:
    """The command that builds one stage: same options, same lines, same exit statuses for all of them."""

    @click.command(name, help=help_text)
    @recipe_options
    @click.option("--workers", type=click.IntRange(1), default=None, help="Processes; all cores by default.")
    @click.option("--dry-run", is_flag=True, help="Say what would be done and what it would cost, and do nothing.")
    def command(*, recipe: Recipe, out: Path, workers: int | None, dry_run: bool) -> None:
        if dry_run:
            _show_plan(stage_name, recipe, out, workers or _cores())
        else:
            _build(stage_name, recipe, out, workers or _cores())

    return command


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _build(stage_name: str, recipe: Recipe, out: Path, workers: int) -> None:
    from siku_manifests.runner import run_stage  # noqa: PLC0415  keeps `siku --help` quick

    begun = time.monotonic()
    say = functools.partial(click.echo, err=True)
    manifest, built = run_stage(stage_name, recipe, out=out, workers=workers, say=say)
    spent = f"{time.monotonic() - begun:.1f} s" if built else "up to date"
    click.echo(f"{stage_name}: {manifest.id[:12]} ({spent})")
    if built:
        for line in equation_lines(manifest.record.counts):
            click.echo(f"  {line}")
    _check_quarantine(manifest, recipe)


def equation_lines(counts: dict[str, Counts]) -> list[str]:
    """The equation of each source and of all, one line each."""
    lines = [f"{source}: {count}" for source, count in sorted(counts.items())]
    return [*lines, f"all: {total(counts.values())}"] if len(counts) > 1 else lines


def _check_quarantine(manifest: Manifest, recipe: Recipe) -> None:
    quarantined = total(manifest.record.counts.values()).total_quarantined
    if quarantined > recipe.max_quarantine:
        msg = (
            f"{manifest.identity.kind}: finished and usable, but {quarantined:,} records are in quarantine and "
            f"max_quarantine = {recipe.max_quarantine:,}; look at quarantine/ in the stage's folder, then mend "
            f"the source or raise max_quarantine in the recipe."
        )
        raise QuarantineExceeded(msg)


def _show_plan(stage_name: str, recipe: Recipe, out: Path, workers: int) -> None:
    from siku_manifests.rehearsal import plan_lines  # noqa: PLC0415

    for line in plan_lines(stage_name, recipe, out=out, workers=workers, say=functools.partial(click.echo, err=True)):
        click.echo(line)
