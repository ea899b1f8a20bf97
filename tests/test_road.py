"""The whole road by its commands, on a few files of the sample: same bytes anywhere, nothing done twice.

Needs the package registries or a cache that already holds the sample's archives.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from siku_manifests.equation import total
from siku_manifests.manifest import Manifest, read_manifest

REPOSITORY = Path(__file__).resolve().parent.parent
FEW_FILES = {
    "source.poetry.path": '["dist/quantangshi/poet.tang.0.json", "dist/shuimotangshi/*.json", "dist/shijing/*.json"]',
    "source.lyrics.path": '["dist/songci/ci.song.0.json", "dist/nalanxingde/*.json"]',
    "source.documentation.path": '["docs/intro/*.txt"]',
    "shard_bytes": "300000",
    "tokenizer.size": "32_512",
    "pretrain.tokens": "2_048",
    "pretrain.evaluate_windows": "2",
}
BUILT = ("documents", "dedup", "tokenizer", "tokens")


def siku(command: str, out: Path, *more: str, changed: Iterable[str] = (), seed: str = "0") -> str:
    settings = [*(f"{key}={value}" for key, value in FEW_FILES.items()), *changed]
    overrides = [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "siku_manifests", command, "sample", "--out", str(out), *overrides, *more],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if "registry cannot be reached" in done.stderr:
        pytest.skip("needs the package registries, or a cache that holds the sample's archives")
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifests(out: Path) -> dict[str, Manifest]:
    found = [read_manifest(path) for path in sorted((out / "sample").glob("*/manifest.json"))]
    return {manifest.identity.kind: manifest for manifest in found}


@pytest.mark.slow
def test_the_whole_road(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "elsewhere" / "second"
    for command in (*BUILT, "pretrain"):
        siku(command, first)
    summary = siku("report", first)
    assert "tokens per character" in summary
    assert "bits per byte" in summary
    page = (first / "sample" / "report.html").read_text(encoding="utf-8")

    for command in BUILT:
        siku(command, second, "--workers", "1", seed="4711")
    here, there = manifests(first), manifests(second)
    assert set(here) == {*there, "pretrain"}
    for kind, manifest in there.items():
        assert manifest.id == here[kind].id, kind
        assert manifest.record.files == here[kind].record.files, kind
        assert manifest.id[:8] in page
    assert len(there["corpus"].identity.shards) > 7  # several shards a source, so that their borders are compared

    for kind, manifest in here.items():
        assert all(count.balanced for count in manifest.record.counts.values()), kind
    kept = total(here["documents"].record.counts.values())
    assert kept.kept == total(here["corpus"].record.counts.values()).read
    assert kept.total_quarantined == 0

    for command in (*BUILT, "pretrain"):
        assert "up to date" in siku(command, first)
    assert "up to date" in siku("documents", first, changed=["dedup.threshold=0.7"])
    assert "up to date" not in siku("dedup", first, changed=["dedup.threshold=0.7"])
    assert siku("verify", first, "--level", "contents").count("verified") == len(here)
