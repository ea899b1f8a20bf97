"""Recipes that extend one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from siku_manifests.errors import RecipeError
from siku_manifests.recipe import load_recipe
from siku_manifests.recipefile import RECIPE_FILE, read_tree

SOURCE = '[[source]]\nname = "{}"\nformat = "lines"\nwhere = "data"\nlicense = "MIT"\nprofile = "modern"\n'


@pytest.fixture
def write(tmp_path: Path):
    """Write a recipe into a folder of its own beside the others."""

    def put(name: str, text: str) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / RECIPE_FILE).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return put


def test_a_recipe_says_only_what_is_different(write, tmp_path: Path) -> None:
    write("small", f"seed = 7\n{SOURCE.format('a')}[pretrain]\nbatch = 6\nlength = 512\n[pretrain.model]\nlayers = 4\n")
    large = load_recipe(
        write("large", 'extends = "small"\n[pretrain]\nbatch = 2\n[pretrain.model]\nhidden = 256\n'),
        ["pretrain.length=128"],
    )
    assert large.name == "large"
    assert large.seed == 7
    assert (large.pretrain.batch, large.pretrain.length) == (2, 128)
    assert (large.pretrain.model.layers, large.pretrain.model.hidden) == (4, 256)
    assert large.source_named("a").where == str(tmp_path / "small/data")


def test_sources_are_replaced_whole_and_a_root_of_its_own_counts(write, tmp_path: Path) -> None:
    write("one", f'root = ".."\n{SOURCE.format("a")}{SOURCE.format("b")}')
    assert load_recipe(str(tmp_path / "one")).source_named("b").where == str(tmp_path / "data")
    other = load_recipe(write("other", f'extends = "one"\n{SOURCE.format("c")}'))
    assert [(source.name, source.where) for source in other.source] == [("c", str(tmp_path / "data"))]
    own = load_recipe(write("own", 'extends = "one"\nroot = "here"\n'))
    assert own.source_named("a").where == str(tmp_path / "own/here/data")


def test_a_chain_of_three(write, tmp_path: Path) -> None:
    write("one", f"{SOURCE.format('a')}[pretrain]\nrank = 1\nalpha = 1\nbatch = 1\n")
    write("two", 'extends = "one"\n[pretrain]\nrank = 2\nalpha = 2\n')
    three = load_recipe(write("three", 'extends = "two"\nname = "drei"\n[pretrain]\nrank = 3\n'))
    assert (three.name, three.pretrain.rank, three.pretrain.alpha, three.pretrain.batch) == ("drei", 3, 2, 1)
    assert three.source_named("a").where == str(tmp_path / "one/data")
    assert three.lineage == ("two", "one")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('extends = "nothing"', r"recipe\.toml: extends nothing: no such recipe"),
        ('extends = "self"', r"in a circle \(self extends self\)\.$"),
        ("extends = 3", r'extends = 3 is no recipe; give a name, such as extends = "sample"\.$'),
        ('extends = "broken"', r"broken/recipe\.toml: not valid TOML"),
        ('extends = "fine"\n[pretrain]\nbach = 2', r"self/recipe\.toml: \[pretrain\] has no key 'bach'.*'batch'"),
    ],
)
def test_what_cannot_be_extended_is_one_sentence(write, text: str, said: str) -> None:
    write("broken", "[[")
    write("fine", SOURCE.format("a"))
    with pytest.raises(RecipeError, match=said):
        load_recipe(write("self", text))


def test_a_circle_of_two_is_named(write, tmp_path: Path) -> None:
    write("a", 'extends = "b"')
    write("b", 'extends = "a"')
    with pytest.raises(RecipeError, match=r"\(a extends b extends a\)"):
        read_tree(tmp_path / "a" / RECIPE_FILE)
