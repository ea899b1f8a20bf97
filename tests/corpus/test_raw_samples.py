"""The committed recipe for public corpora on all that lies beside a founder's checkout, and a source larger than it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from siku_corpus import command
from siku_corpus.filters import REASONS
from siku_manifests.manifest import read_manifest
from siku_manifests.recipe import load_recipe

MEASURE = (
    "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode;"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024); sys.exit(code)"
)


@pytest.mark.slow
def test_every_corpus_goes_through_one_recipe(shared_data: Path, tmp_path: Path) -> None:
    options = ["raw-samples", "--out", str(tmp_path), "--set", f"root={shared_data}", "--workers", "2"]
    result = CliRunner().invoke(command.documents, options)
    assert result.exit_code == 0, result.output
    (manifest,) = tmp_path.glob("raw-samples/documents-*/manifest.json")
    counts = read_manifest(manifest).record.counts
    assert set(counts) == {source.name for source in load_recipe("raw-samples").source}
    used = {path.split("/")[0] for path in _folders("raw-samples")}
    assert {folder.name for folder in shared_data.iterdir()} == used
    for source, found in counts.items():
        ends = found.kept + found.joined + found.total_dropped + found.total_quarantined
        assert found.read + found.split == ends, source
        assert found.read > 0
        assert not found.quarantined, source
        lost = sum(number for reason, number in found.dropped.items() if reason in REASONS)
        assert lost < 0.01 * (found.kept + lost) or lost == 0, (source, found.dropped)


def _folders(name: str) -> set[str]:
    recipe = load_recipe(name, ["root=/data"])
    return {
        Path(place).relative_to("/data").as_posix()
        for place in (*(source.where for source in recipe.source), *recipe.decontaminate.files)
    }


@pytest.mark.slow
def test_memory_does_not_grow_with_a_source(tmp_path: Path) -> None:
    """One compressed file of 300 MB, a line of 200 MB in it: one range, and no worker above 1.2 GB."""
    poem = {"text": "".join(chr(0x4E00 + 37 * number % 9000) + "，" * (number % 7 == 0) for number in range(3000))}
    line = json.dumps(poem, ensure_ascii=False).encode() + b"\n"
    with gzip.open(tmp_path / "large.jsonl.gz", "wb", compresslevel=1) as stream:
        stream.write(line * (50_000_000 // len(line)))
        stream.write(b'{"text":"' + b"x" * 200_000_000 + b'"}\n')
        stream.write(line * (50_000_000 // len(line)))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "large"\nmax_quarantine = 1\n[[source]]\nname = "large"\nformat = "jsonl"\nwhere = "."\n'
        'path = ["*.gz"]\nlicense = "MIT"\nprofile = "poetry"\n'
    )
    siku = [sys.executable, "-m", "siku_manifests", "documents", str(recipe), "--out", str(tmp_path / "build")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *siku, "--workers", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.strip().splitlines()[-1]) < 1.2e9
    assert "1 quarantined" in done.stderr + done.stdout
