"""The reference pages of `docs/`, written from the code so that they cannot be wrong.

`python -m siku_manifests.reference docs` writes them; a test compares.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import click
import msgspec

from siku_manifests.atomic import write_bytes
from siku_manifests.command import cli
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Profile

RECIPE_PAGE = "recipe.md"
COMMANDS_PAGE = "commands.md"

RECIPE_INTRODUCTION = """# The recipe

`manifests/NAME/recipe.toml` declares a whole run. Unknown keys are refused. `--set SECTION.KEY=VALUE` overrides
a key for one run, `--set source.NAME.KEY=VALUE` a key of one source.

Profiles are {profiles}.

## At the top
"""


def recipe_page() -> str:
    """Every key of a recipe with its type, default and meaning, in Markdown."""
    structs = _sections()
    profiles = ", ".join(f"`{profile}`" for profile in get_args(Profile))
    lines = [RECIPE_INTRODUCTION.format(profiles=profiles), *_table(Recipe, leave_out=structs)]
    for name, struct in structs.items():
        title = f"[[{name}]]" if name == "source" else f"[{name}]"
        summary = (inspect.getdoc(struct) or "").splitlines()[0].partition(": ")[2]
        lines += ["", f"## `{title}`", "", summary[:1].upper() + summary[1:], "", *_table(struct)]
    return "\n".join(lines) + "\n"


def _sections() -> dict[str, type[msgspec.Struct]]:
    """The structs of a recipe by their TOML name, those inside a section after it."""
    found: dict[str, type[msgspec.Struct]] = {}

    def visit(prefix: str, struct: type[msgspec.Struct]) -> None:
        for field in msgspec.structs.fields(struct):
            for kind in (field.type, *get_args(field.type)):
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                    found[prefix + field.name] = kind
                    visit(f"{prefix}{field.name}.", kind)

    visit("", Recipe)
    return found


def _table(struct: type[msgspec.Struct], leave_out: Collection[str] = ()) -> list[str]:
    meanings = _attribute_docstrings(struct)
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        if field.name not in leave_out:
            row = (f"`{field.name}`", _kind(field.type), _default(field), meanings.get(field.name, ""))
            lines.append(f"| {' | '.join(row)} |")
    return lines


def _kind(kind: Any) -> str:
    """A type in TOML's words."""
    if kind == Profile:
        return "a profile"
    if get_origin(kind) is Annotated:
        return _bounded(*get_args(kind))
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return f"table of {_kind(key)} to {_kind(value)}"
    if get_origin(kind) is tuple:
        return f"array of {_kind(get_args(kind)[0])}"
    if get_args(kind):
        return " or ".join(f"`{_toml(choice)}`" for choice in get_args(kind))
    names = {str: "text", int: "integer", float: "number", bool: "true or false"}
    return names.get(kind, "table, see below")


def _bounded(kind: Any, bounds: msgspec.Meta) -> str:
    limits = (("from", bounds.ge), ("above", bounds.gt), ("to", bounds.le))
    return " ".join([_kind(kind), *(f"{word} {limit}" for word, limit in limits if limit is not None)])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return "" if isinstance(value, msgspec.Struct) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)


def _attribute_docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The string that follows each field in the source, on one line."""
    (definition,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for node, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            text = ast.literal_eval(after.value)
            found[node.target.id] = " ".join(text.split()).replace("|", "\\|")
    return found


def commands_page() -> str:
    """Every command's help, as the command itself prints it."""
    context = click.Context(cli, info_name="siku", terminal_width=100, **cli.context_settings)
    lines = ["# Commands", "", "Made from the commands themselves.", "", "```", cli.get_help(context), "```"]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None  # it was just listed
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100)
        lines += ["", f"## siku {name}", "", "```", command.get_help(inner), "```"]
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()) + "\n"


def write_pages(folder: Path) -> None:
    """Write all reference pages into `folder`."""
    write_bytes(folder / RECIPE_PAGE, recipe_page().encode())
    write_bytes(folder / COMMANDS_PAGE, commands_page().encode())


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
