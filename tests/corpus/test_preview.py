"""`siku sample`: what it shows is what the build then does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

RECIPE = """
[[source]]
name = "news"
format = "lines"
where = "raw"
path = ["*.txt"]
license = "CC0-1.0"
profile = "modern"
"""
GOOD = (
    "白日依山尽,黄河入海流,欲穷千里目,更上一层楼,第{}回的事就是这样,大家都听得明白了。过了几天,村里的人又聚在一起,"
    "说起那年春天的雨水和收成,各人有各人的看法,谁也没有说服谁。"
)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    raw = tmp_path / "raw"
    raw.mkdir()
    for number in range(3):
        lines = [GOOD.format(f"{number}之{line}") for line in range(50)]
        (raw / f"{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path / "recipe.toml"


def siku(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "siku_manifests", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def shown(recipe: Path, *options: object) -> str:
    done = siku("sample", recipe, "news", *options, "--out", recipe.parent / "build")
    assert done.returncode == 0, done.stderr
    return done.stdout


def ids(output: str) -> list[str]:
    return re.findall(r"^news/\S+#\d+$", output, re.MULTILINE)


def test_differences_are_marked_and_the_rules_named(recipe: Path) -> None:
    output = shown(recipe, "-n", 2)
    assert "白日依山尽[-,-]黄河入海流" in output
    assert "白日依山尽{+，+}黄河入海流" in output
    assert re.search(r"↓ punctuation \d+", output)


def test_what_is_shown_is_what_the_build_writes(recipe: Path) -> None:
    output = shown(recipe, "-n", 4, "--stage", "filter")
    out = recipe.parent / "build"
    assert siku("documents", recipe, "--out", out).returncode == 0
    (shard,) = (out / recipe.parent.name).glob("documents-*/news-00000.parquet")
    built = dict(zip(*(pq.read_table(shard).column(name).to_pylist() for name in ("id", "text")), strict=True))
    assert len(ids(output)) == 4
    for name in ids(output):
        assert f"{name}\n{built[name]}\n  ↓ kept, language zh" in output


def test_the_seed_chooses(recipe: Path) -> None:
    first = ids(shown(recipe, "-n", 3))
    assert first == ids(shown(recipe, "-n", 3, "--stage", "read"))
    assert first != ids(shown(recipe, "-n", 3, "--seed", 5))


def test_a_source_that_has_fewer_shows_all(recipe: Path) -> None:
    assert len(set(ids(shown(recipe, "-n", 500)))) == 150


def test_a_dropped_text_names_its_rule_and_the_numbers(recipe: Path) -> None:
    for path in (recipe.parent / "raw").glob("*.txt"):
        path.write_text("短\n" * 3, encoding="utf-8")
    assert re.search(r"↓ dropped, \w+: .+ \(\d+ against \d+\)", shown(recipe, "-n", 1, "--stage", "filter"))


def test_an_unknown_source_is_named(recipe: Path) -> None:
    done = siku("sample", recipe, "new")
    assert done.returncode == 2
    assert "did you mean 'news'" in done.stderr
