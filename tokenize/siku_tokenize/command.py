"""`siku tokenizer`, `siku tokenizer compare` and `siku tokens`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siku_manifests.command import stage_command
from siku_manifests.errors import InputError, RecipeError
from siku_tokenize.stages import TOKENIZER, TOKENS

if TYPE_CHECKING:
    from siku_tokenize.vocabulary import Vocabulary

tokenizer = stage_command(
    "tokenizer",
    name="tokenizer",
    help_text=f"{TOKENIZER.help}\n\nTokenizers are set side by side by `siku tokenizer compare`.",
)
tokens = stage_command("tokens", name="tokens", help_text=TOKENS.help)

BASE_SUFFIX = ":base"


@click.command("tokenizer-compare")
@click.argument("tokenizers", nargs=-1, required=True, metavar="A B…")
@click.option(
    "--text",
    "places",
    multiple=True,
    required=True,
    metavar="PLACE",
    help="Text, JSON, JSON-lines or Parquet files, folders of them, or a recipe: its validation split.",
)
@click.option("--column", default="text", show_default=True, help="Column or field of the text.")
@click.option("--example", "examples", multiple=True, metavar="TEXT", help="Show how this is cut; else some verses.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--html", default=None, type=click.Path(path_type=Path), help="Write a page as well.")
@click.option("--out", default="build", show_default=True, type=click.Path(path_type=Path), help="Where recipes build.")
def compare(  # noqa: PLR0913  (each is an option of the command)
    *,
    tokenizers: tuple[str, ...],
    places: tuple[str, ...],
    column: str,
    examples: tuple[str, ...],
    as_json: bool,
    html: Path | None,
    out: Path,
) -> None:
    """Compare tokenizers on the same text: `siku tokenizer compare A B … --text FILE`.

    Each is a SentencePiece .model, a tokenizer.json, a folder with one of them, or a recipe, whose tokenizer as
    it is built is meant, or with ":base" behind its name the base that it extends. The first is what the others
    are compared with. A file is told from a recipe of the same name by a path: ./sample.
    """
    import msgspec  # noqa: PLC0415  keeps `siku --help` quick

    from siku_manifests.atomic import write_bytes  # noqa: PLC0415
    from siku_manifests.report import render_findings  # noqa: PLC0415
    from siku_tokenize.compare import compare_files, comparison_lines  # noqa: PLC0415
    from siku_tokenize.present import comparison_findings  # noqa: PLC0415
    from siku_tokenize.standing import VERSES  # noqa: PLC0415
    from siku_tokenize.texts import list_files  # noqa: PLC0415

    files = list_files(_text_place(place, out) for place in places)
    vocabularies = [_open(given, name, out) for given, name in zip(tokenizers, _names(tokenizers), strict=True)]
    shown = [(text, text) for text in examples] or VERSES
    found = compare_files(vocabularies, files, column=column, examples=shown)
    if html:
        lead = f"{', '.join(tokenizers)} on {', '.join(places)}."
        page = render_findings(comparison_findings(found), title="tokenizers compared", lead=lead)
        write_bytes(html, page.encode())
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(comparison_lines(found)))


def _names(tokenizers: tuple[str, ...]) -> list[str]:
    """The last part of each path, where that tells them apart."""
    short = [Path(given).name for given in tokenizers]
    return short if len(set(short)) == len(short) else list(tokenizers)


def _open(given: str, name: str, out: Path) -> Vocabulary:
    from siku_manifests.recipe import load_recipe  # noqa: PLC0415
    from siku_tokenize.base import open_base  # noqa: PLC0415
    from siku_tokenize.modelfile import Model  # noqa: PLC0415
    from siku_tokenize.vocabulary import of_model, of_native, open_vocabulary  # noqa: PLC0415

    if Path(given).exists() or given.endswith((".model", ".json")):
        return open_vocabulary(Path(given), name=name)
    if given.endswith(BASE_SUFFIX):
        base = open_base(load_recipe(given.removesuffix(BASE_SUFFIX)).tokenizer)
        return of_model(base, name=name) if isinstance(base, Model) else of_native(base, name=name)
    return open_vocabulary(_stage_folder(given, "tokenizer", out), name=name)


def _text_place(given: str, out: Path) -> Path:
    if Path(given).exists():
        return Path(given)
    return _stage_folder(given, "corpus", out) / "validation"


def _stage_folder(given: str, stage: str, out: Path) -> Path:
    """The folder of a recipe's stage.

    Raises:
        InputError: there is neither such a file nor such a recipe, or the stage is not built.
    """
    from siku_manifests.recipe import load_recipe  # noqa: PLC0415
    from siku_manifests.runner import command_of, resolve  # noqa: PLC0415

    try:
        recipe = load_recipe(given)
    except RecipeError as error:
        if "no such recipe" not in str(error):
            raise
        msg = f"{given}: no such file, and no recipe of that name; give the path of a file or folder, or a recipe."
        raise InputError(msg) from error
    resolved = resolve(stage, recipe, out=out)
    if not resolved.is_done:
        msg = f"{given}: its {stage} is not built in {out}; run `siku {command_of(stage)} {given}` first."
        raise InputError(msg)
    return resolved.folder
