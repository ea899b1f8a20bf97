"""A dry run through the public door: what it expects, against what the build then gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from siku_manifests import rehearsal
from siku_manifests.manifest import read_manifest
from siku_manifests.stage import Range


def columns(output: str, source: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.split()[:1] == [source]]
    return re.split(r"\s{2,}", line.strip())


def uneven(raw: Path, *, files: int) -> None:
    for number in range(files):
        lines = [f"第{number}卷第{line}句,白日依山盡,黃河入海流" for line in range(10 + number % 13)]
        (raw / f"{number:04}.txt").write_text("\n\n".join(lines), encoding="utf-8")


def test_the_documents_that_are_expected_are_those_that_come(toy) -> None:
    uneven(toy.raw, files=300)
    tried = toy.run("lines", toy.recipe, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert toy.run("lines", toy.recipe).returncode == 0
    counts = read_manifest(toy.folder("lines")).record.counts["poems"]
    _, files, _, documents, kept, _ = columns(tried.stdout, "poems")
    assert files == "306"
    assert int(documents.replace(",", "")) == pytest.approx(counts.read, rel=0.1)
    assert int(kept.replace(",", "")) == pytest.approx(counts.kept, rel=0.1)
    assert counts.kept < counts.read


def test_nothing_is_written_and_the_cost_is_said(toy) -> None:
    done = toy.run("lines", toy.recipe, "--dry-run", "--workers", "3")
    assert not list((toy.out / "toy").glob("lines-*"))
    assert re.search(r"expected from 16\.7% of the bytes: about \d+ s with 3 workers, [\d.]+ kB on disk", done.stdout)
    assert "phases: read; 0 of 6 parts of read are there already" in done.stdout


def test_what_an_interrupted_run_left_is_not_counted_again(toy) -> None:
    assert toy.run("lines", toy.recipe, "--workers", "1", TOY_KILL_AT="4").returncode != 0
    done = toy.run("lines", toy.recipe, "--dry-run")
    assert "4 of 6 parts of read are there already" in done.stdout
    assert int(columns(done.stdout, "poems")[3]) == 80


def test_a_stage_that_is_built_has_nothing_to_do(toy) -> None:
    toy.run("lines", toy.recipe)
    assert "nothing to do: it is built" in toy.run("lines", toy.recipe, "--dry-run").stdout


def test_a_stage_that_counts_nothing_shows_its_parts(toy) -> None:
    toy.run("lines", toy.recipe)
    shards = list(toy.folder("lines").glob("*.parquet"))
    assert f"all sources: {len(shards)} parts" in toy.run("lengths", toy.recipe, "--dry-run").stdout


def test_a_file_that_can_only_be_read_from_end_to_end_is_not_tried(toy, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy.raw / "long.txt").write_text("白日依山盡\n" * 10)
    with (toy.raw / "long.txt").open("ab") as stream:
        stream.truncate(rehearsal.LARGEST + 1)
    for path in toy.raw.glob("?.txt"):
        path.unlink()
    done = toy.run("lines", toy.recipe, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "only in one piece of 134.2 MB, which is not tried" in done.stdout


@pytest.mark.parametrize("ranges", [1, 5, 100, 101, 1_000, 100_000])
def test_about_one_range_in_a_hundred_is_tried_evenly_spaced(ranges: int) -> None:
    chosen = rehearsal.choose([Range(i) for i in range(ranges)])
    assert len(chosen) == min(rehearsal.MOST_RANGES, -(-ranges // 100))
    numbers = [range_.number for range_ in chosen]
    assert numbers == sorted(set(numbers))
    gaps = [b - a for a, b in zip([-numbers[0], *numbers], [*numbers, 2 * ranges - numbers[-1]], strict=False)]
    assert max(gaps) - min(gaps) <= 2
