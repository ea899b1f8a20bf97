"""The commands `siku dedup`, `dedup-files`, `explain-duplicates` and `similarity`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from siku_manifests.command import recipe_options, stage_command
from siku_manifests.errors import InputError
from siku_manifests.recipe import Recipe

if TYPE_CHECKING:
    from siku_dedup.signing import Signer

dedup = stage_command(
    "corpus",
    name="dedup",
    help_text="Find duplicates among the documents of RECIPE, keep one of each, split off validation.",
)


def _signer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How texts are compared, for commands without a recipe."""
    options = (
        click.option("--threshold", default=0.8, show_default=True, type=click.FloatRange(0.3, 1.0)),
        click.option("--characters", default=5, show_default=True, type=click.IntRange(1, 13), help="In a shingle."),
        click.option("--permutations", default="128", show_default=True, type=click.Choice(["128", "256"])),
        click.option("--scheme", default="fss1", show_default=True, type=click.Choice(["fss1", "datasketch"])),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _signer(threshold: float, characters: int, permutations: str, scheme: str) -> Signer:
    from siku_dedup.bands import choose_bands  # noqa: PLC0415  keeps `siku --help` quick
    from siku_dedup.signing import Signer  # noqa: PLC0415

    bands = choose_bands(int(permutations), threshold=threshold)
    return Signer("datasketch" if scheme == "datasketch" else "fss1", int(permutations), bands, characters, characters)


@click.command("dedup-files")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--text", default="text", show_default=True, help="Column or field of the text.")
@click.option("--id", "id_", default="", help="Column or field of the id; else FILE#NUMBER.")
@click.option(
    "--index",
    default=None,
    type=click.Path(path_type=Path),
    help="Index of an earlier corpus, made if absent: what it knows goes, what stays is added.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Each signs a file at a time.")
@click.option("--report", is_flag=True, help="Write OUT/report.html too: what went and why, clusters side by side.")
@_signer_options
def dedup_files(*, files: tuple[Path, ...], out: Path, text: str, id_: str, index: Path | None, **options: Any) -> None:
    """Keep one of each document of any Parquet or JSON-lines files, which need no recipe."""
    from siku_dedup.files import Settings, deduplicate_files  # noqa: PLC0415
    from siku_dedup.records import Columns  # noqa: PLC0415

    workers, report, threshold = options.pop("workers"), options.pop("report"), options["threshold"]
    settings = Settings(_signer(**options), threshold, Columns(text, id_), report)
    found = deduplicate_files(files, out, settings=settings, index=index, workers=workers)
    kept = found.documents - found.known - found.exact - found.near
    known = f" + {found.known:,} known to the index" if index else ""
    click.echo(
        f"{found.documents:,} documents = {kept:,} kept + {found.exact:,} exact + {found.near:,} near-duplicates{known}"
    )
    click.echo(f"the largest cluster has {found.largest:,} documents")
    curve = ", ".join(f"{count:,} at {at}" for at, count in found.curve)
    click.echo(f"near-duplicates at other thresholds (below {threshold} at least): {curve}")
    click.echo(f"kept records: {out}/kept; who goes for whom: {out}/duplicates.parquet")
    if report:
        click.echo(f"report: {out}/report.html")


@click.command("explain-duplicates")
@recipe_options
@click.argument("document", metavar="ID")
def explain_duplicates(*, recipe: Recipe, out: Path, document: str) -> None:
    """Say what became of the document ID of RECIPE's corpus, and why."""
    from siku_dedup.explain import explain_lines  # noqa: PLC0415

    for line in explain_lines(_corpus_folder(recipe, out), document):
        click.echo(line)


@click.command()
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@_signer_options
def similarity(*, left: str, right: str, threshold: float, **options: Any) -> None:
    """Compare two texts, given as they are or as the names of text files."""
    from siku_dedup.explain import similarity_lines  # noqa: PLC0415

    texts = [_text_of(given) for given in (left, right)]
    for line in similarity_lines(*texts, signer=_signer(threshold, **options), threshold=threshold):
        click.echo(line)


def _corpus_folder(recipe: Recipe, out: Path) -> Path:
    from siku_manifests.runner import resolve  # noqa: PLC0415

    resolved = resolve("corpus", recipe, out=out)
    if not resolved.is_done:
        msg = f"{recipe.name}: its corpus is not built in {out}; run `siku dedup {recipe.name}` first."
        raise InputError(msg)
    return resolved.folder


def _text_of(given: str) -> str:
    try:
        path = Path(given)
        return path.read_text(encoding="utf-8") if path.is_file() else given
    except UnicodeDecodeError as error:
        msg = f"{given}: byte {error.start:,} is not UTF-8; save the file as UTF-8."
        raise InputError(msg) from error
    except OSError:  # a text too long to be a file's name
        return given
