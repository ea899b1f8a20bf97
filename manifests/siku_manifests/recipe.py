"""A recipe: one TOML file that declares a whole run, read into frozen structs."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests.addresses import WEB_PREFIXES, check_where, is_fetched, is_package
from siku_manifests.errors import RecipeError
from siku_manifests.recipefile import read_tree, recipe_path, suggestion
from siku_manifests.sections import (
    Decontaminate,
    Dedup,
    Filter,
    Normalize,
    Pretrain,
    Section,
    Source,
    Tokenizer,
    Tokens,
)

SHARE_ROUNDING = 0.01
"""Shares may miss 1 by this much, since they are written as rounded percents."""


class Recipe(Section, frozen=True, kw_only=True):
    """The whole of a recipe; sections that the file leaves out have their defaults."""

    name: str
    """Names the folder under `build/`."""
    description: str = ""
    """For people; decides nothing."""
    extends: str = ""
    """Another recipe, of which this one says only what is different: tables are joined key by key, and a list such as
    `[[source]]` takes the place of the other's. Local paths stay relative to the other's root."""
    lineage: tuple[str, ...] = ()
    """Filled in for a recipe that extends others: their names, nearest first; what they have built is used."""
    root: str = "."
    """The folder that local paths of the recipe are relative to, itself relative to the recipe's folder; no part of an
    id, so `--set root=/data` moves nothing but the files."""
    seed: int = 0
    """The one source of every random choice."""
    shard_bytes: int = 256 * 1024 * 1024
    """UTF-8 bytes of text per Parquet shard."""
    max_quarantine: int = 0
    """Records that may be quarantined before a run ends with status 3."""
    keep_dropped: bool = True
    """Whether dropped documents are written, with the reason, beside the kept ones."""
    mirrors: dict[str, str] = msgspec.field(default_factory=dict)
    """Where to ask instead, by the beginning of an address: `"https://dumps.wikimedia.org/" = "https://mirror/dumps/"`;
    no part of an id. `HF_ENDPOINT` in the environment is the mirror of dataset repositories."""
    source: tuple[Source, ...]
    normalize: Normalize = Normalize()
    filter: Filter = Filter()
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate = Decontaminate()
    tokenizer: Tokenizer = Tokenizer()
    tokens: Tokens = Tokens()
    pretrain: Pretrain = Pretrain()

    def source_named(self, name: str) -> Source:
        """The source called `name`.

        Raises:
            RecipeError: there is none.
        """
        for source in self.source:
            if source.name == name:
                return source
        msg = f"{self.name}: no source is called {name!r}{suggestion(name, [s.name for s in self.source])}"
        raise RecipeError(msg)


def load_recipe(name_or_path: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        name_or_path: `sample`, `manifests/sample` or `path/to/recipe.toml`.
        overrides: `dedup.threshold=0.75`, `source.poetry.weight=2`; values in TOML, anything else is text.

    Raises:
        RecipeError: no such file, or none that it extends, not TOML, an unknown key, a value of the wrong kind, two
            sources of one name.
    """
    path = recipe_path(name_or_path)
    tree = read_tree(path)
    tree.setdefault("name", path.resolve().parent.name)
    for override in overrides:
        _apply_override(tree, override)
    recipe = _convert(tree, path)
    _check(recipe, path)
    return _resolve_roots(recipe, path.resolve().parent)


def _convert(tree: dict[str, Any], path: Path) -> Recipe:
    try:
        return msgspec.convert(tree, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(_explain(str(error), tree, path)) from error


def _explain(message: str, tree: dict[str, Any], path: Path) -> str:
    """The decoder's message, with the place named as in the file and the nearest known key suggested."""
    place_match = re.search(r" - at `\$\.?(.*)`$", message)
    place = place_match.group(1) if place_match else ""
    unknown = re.search(r"unknown field `(.+?)`", message)
    what = re.sub(r" - at `.*`$", "", message)
    index = re.match(r"source\[(\d+)\]", place)
    if index:
        name = tree["source"][int(index.group(1))].get("name", index.group(1))
        place = place.replace(index.group(0), f"source {name}", 1)
    where = f"{path}: [{place}]" if place else f"{path}:"
    kind = _kind_at(place_match.group(1) if place_match else "")
    wrong = re.search(r"Invalid enum value '(.+?)'", what)
    if wrong and typing.get_origin(kind) is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(kind)]
        return f"{where} cannot be {wrong.group(1)!r}{suggestion(wrong.group(1), choices)} Use {', '.join(choices)}."
    if unknown is None:
        return f"{where} {what[0].lower()}{what[1:]}."
    known = sorted(getattr(kind, "__struct_fields__", ()))
    near = suggestion(unknown.group(1), known)
    return f"{where} has no key {unknown.group(1)!r}{near} Its keys are {', '.join(known)}."


def _kind_at(place: str) -> Any:
    """The declared type at a place such as `dedup.threshold` or `source[3]`."""
    kind: Any = Recipe
    for step in filter(None, re.split(r"\.|\[.*?\]", place)):
        kind = typing.get_type_hints(kind).get(step, kind)
        for argument in typing.get_args(kind):
            if isinstance(argument, type) and issubclass(argument, msgspec.Struct):
                kind = argument
    return kind


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        msg = f"--set {override}: expected KEY=VALUE, such as dedup.threshold=0.75."
        raise RecipeError(msg)
    steps = _steps(key.strip())
    node: Any = tree
    for step in steps[:-1]:
        node = _source_node(node, step, override) if isinstance(node, list) else node.setdefault(step, {})
    if not isinstance(node, dict):
        msg = f"--set {override}: {'.'.join(steps[:-1])} is a value, not a section."
        raise RecipeError(msg)
    node[steps[-1]] = _toml_value(value.strip())


def _steps(key: str) -> list[str]:
    """The parts of a key; one with a dot inside stands in quotation marks, as in TOML."""
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return key.split(".")
    steps: list[str] = []
    while isinstance(node, dict):
        ((step, node),) = node.items()
        steps.append(step)
    return steps


def _source_node(sources: list[Any], name: str, override: str) -> Any:
    for source in sources:
        if source.get("name") == name:
            return source
    names = [source.get("name", "") for source in sources]
    msg = f"--set {override}: no source is called {name!r}{suggestion(name, names)} There are {', '.join(names)}."
    raise RecipeError(msg)


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check(recipe: Recipe, path: Path) -> None:
    names = [source.name for source in recipe.source]
    if not names:
        msg = f"{path}: there is no [[source]]; a recipe needs at least one."
        raise RecipeError(msg)
    for name in names:
        if names.count(name) > 1:
            msg = f"{path}: two sources are called {name!r}; names must be unique."
            raise RecipeError(msg)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            msg = f"{path}: source name {name!r}: use letters, digits, '.', '_' and '-' only, since it names files."
            raise RecipeError(msg)
    for source in recipe.source:
        _check_origin(source, path)
    _check_mirrors(recipe, path)
    _check_shares(recipe, path)
    if not 0 < recipe.decontaminate.containment <= 1:
        msg = f"{path}: [decontaminate] containment = {recipe.decontaminate.containment} is no share; use 0.5 to 1."
        raise RecipeError(msg)
    if not 0 < recipe.dedup.threshold <= 1:
        msg = f"{path}: [dedup] threshold = {recipe.dedup.threshold} is not a Jaccard similarity; use 0.5 to 1."
        raise RecipeError(msg)


def _check_origin(source: Source, path: Path) -> None:
    if is_package(source.where) and not re.fullmatch(r"[0-9a-f]{64}", source.sha256):
        msg = (
            f"{path}: [source {source.name}] sha256 must be the 64 hexadecimal digits of the package's archive, "
            f"so that nothing unpinned enters a corpus."
        )
        raise RecipeError(msg)
    if source.sha256 and not re.fullmatch(r"[0-9a-f]{64}", source.sha256):
        msg = f"{path}: [source {source.name}] sha256 = {source.sha256!r} is no hash; it has 64 hexadecimal digits."
        raise RecipeError(msg)
    check_where(source.where)


def _check_mirrors(recipe: Recipe, path: Path) -> None:
    for prefix, place in recipe.mirrors.items():
        if not (prefix.startswith(WEB_PREFIXES) and place.startswith(WEB_PREFIXES)):
            msg = f'{path}: [mirrors] "{prefix}" = "{place}": both must begin with https:// (or http://).'
            raise RecipeError(msg)


def _check_shares(recipe: Recipe, path: Path) -> None:
    shares = {source.name: source.share for source in recipe.source}
    without = [name for name, share in shares.items() if not share]
    if len(without) == len(shares):
        return
    if without:
        msg = f"{path}: some sources have a share, but not {', '.join(without)}; give one to each source or to none."
        raise RecipeError(msg)
    if abs(sum(shares.values()) - 1) > SHARE_ROUNDING:
        msg = f"{path}: the shares of the sources add up to {sum(shares.values()):.3f}; they must add up to 1."
        raise RecipeError(msg)


def _resolve_roots(recipe: Recipe, folder: Path) -> Recipe:
    """Make local paths absolute; they are relative to the recipe's root, not to the caller."""
    root = folder / Path(recipe.root).expanduser()
    sources = tuple(
        source
        if is_fetched(source.where)
        else msgspec.structs.replace(source, where=str((root / Path(source.where).expanduser()).resolve()))
        for source in recipe.source
    )
    files = tuple(str((root / Path(file).expanduser()).resolve()) for file in recipe.decontaminate.files)
    decontaminate = msgspec.structs.replace(recipe.decontaminate, files=files)
    tokenizer = recipe.tokenizer
    if tokenizer.base and not tokenizer.base.startswith(("npm:", "pypi:")):
        base = str((root / Path(tokenizer.base).expanduser()).resolve())
        tokenizer = msgspec.structs.replace(tokenizer, base=base)
    pretrain = recipe.pretrain
    if not (pretrain.base.startswith("seed:") or pretrain.revision):  # a revision is what a name on the Hub has
        base = str((root / Path(pretrain.base).expanduser()).resolve())
        pretrain = msgspec.structs.replace(pretrain, base=base)
    return msgspec.structs.replace(
        recipe, source=sources, decontaminate=decontaminate, tokenizer=tokenizer, pretrain=pretrain
    )
