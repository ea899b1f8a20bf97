"""Where a recipe lies, and what its file says once the recipes that it extends are read into it.

    extends = "firefly-llama2-7b"      another recipe's name, folder or path
    [pretrain]
    base = "models/Llama-2-13b-hf"     only what is different

Tables are joined key by key; anything else, `[[source]]` included, takes the place of what was there, whole. Local
paths stay relative to the root of the recipe that is extended, unless this one gives a root of its own. A stage
that comes out the same is not built twice: where the extended recipe has built it, it is used from there.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from siku_manifests.errors import RecipeError

RECIPES = Path("manifests")
RECIPE_FILE = "recipe.toml"


def recipe_path(name_or_path: str) -> Path:
    """The file of a recipe given by its name (`sample`), its folder or its own path.

    Raises:
        RecipeError: none of the three exists.
    """
    given = Path(name_or_path)
    for candidate in (given, given / RECIPE_FILE, RECIPES / name_or_path / RECIPE_FILE):
        if candidate.is_file():
            return candidate
    known = sorted(folder.parent.name for folder in RECIPES.glob(f"*/{RECIPE_FILE}"))
    there = f"; there are: {', '.join(known)}" if known else f"; there is no folder {RECIPES}/ here"
    near = suggestion(name_or_path, known)
    msg = f"{name_or_path}: no such recipe{there}{near} Give a name or the path of a recipe.toml."
    raise RecipeError(msg)


def suggestion(given: str, known: Iterable[str]) -> str:
    """End a sentence with the nearest known word, if one is near: `; did you mean 'seed'?`."""
    near = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def read_tree(path: Path, *, through: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a recipe's file, and under it those that it extends.

    Args:
        path: of the file.
        through: files that extend this one, the first of them last.

    Raises:
        RecipeError: not TOML, a recipe to extend is not there, or recipes extend each other in a circle.
    """
    place = path.resolve()
    if place in through:
        circle = " extends ".join(file.parent.name for file in (*through[through.index(place) :], place))
        msg = f"{path}: recipes cannot extend each other in a circle ({circle})."
        raise RecipeError(msg)
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid TOML: {error}."
        raise RecipeError(msg) from error
    name = tree.get("extends", "")
    if not name:
        return tree
    extended = _extended(name, path)
    below = read_tree(extended, through=(*through, place))
    below["root"] = str(extended.resolve().parent / Path(below.get("root", ".")).expanduser())
    tree.setdefault("name", place.parent.name)
    lineage = [below.get("name", extended.resolve().parent.name), *below.get("lineage", ())]
    return {**_join(below, tree), "lineage": lineage}


def _extended(name: object, path: Path) -> Path:
    """Find a recipe by its folder beside this recipe's, or as the command line does."""
    if not isinstance(name, str):
        msg = f'{path}: extends = {name!r} is no recipe; give a name, such as extends = "sample".'
        raise RecipeError(msg)
    beside = path.resolve().parent.parent / name / RECIPE_FILE
    try:
        return beside if beside.is_file() else recipe_path(name)
    except RecipeError as error:
        msg = f"{path}: extends {error}"
        raise RecipeError(msg) from error


def _join(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    joined = dict(below)
    for key, value in above.items():
        known = joined.get(key)
        joined[key] = _join(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return joined
