"""Verification finds what was changed, at the depth that was asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from siku_manifests.shards import write_table


@pytest.fixture
def built(toy):
    """Both stages of the toy room; verification ends at its last stage."""
    assert toy.run("lines", toy.recipe).returncode == 0
    assert toy.run("lengths", toy.recipe).returncode == 0
    return toy


def verify(toy, level: str):
    return toy.run("verify", toy.recipe, "--level", level, "--until", "lengths")


def test_an_untouched_build_verifies_at_every_level(built) -> None:
    done = verify(built, "rebuild")
    assert done.returncode == 0, done.stderr
    assert "lines: rebuilt to the same id" in done.stdout
    assert "lengths: rebuilt to the same id" in done.stdout


def test_a_flipped_bit_is_found(built) -> None:
    shard = built.folder("lines") / "all-00000.parquet"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    done = verify(built, "files")
    assert done.returncode == 4
    assert "all-00000.parquet: its sha256 is not that of the manifest" in done.stderr


def test_a_missing_and_a_truncated_file_are_found(built) -> None:
    folder = built.folder("lines")
    (folder / "all-00000.parquet").unlink()
    (folder / "all-00001.parquet").write_bytes(b"PAR1")
    done = verify(built, "contents")
    assert done.returncode == 4
    assert "all-00000.parquet: missing" in done.stderr
    assert "all-00001.parquet: 4 bytes, the manifest says" in done.stderr


def test_other_rows_under_a_forged_record_are_found(built) -> None:
    folder = built.folder("lines")
    shard = folder / "all-00000.parquet"
    write_table(pq.read_table(shard).slice(1), shard)
    path = folder / "manifest.json"
    tree = json.loads(path.read_text())
    from siku_manifests.digest import sha256_file

    for record in tree["record"]["files"]:
        if record["path"] == shard.name:
            record.update(bytes=shard.stat().st_size, sha256=sha256_file(shard))
    path.write_text(json.dumps(tree))
    assert verify(built, "files").returncode == 0
    done = verify(built, "contents")
    assert done.returncode == 4
    assert "its rows are not those of the manifest" in done.stderr


def test_a_committed_manifest_is_compared_shard_by_shard(built) -> None:
    locked = built.run("lock", built.recipe, "--until", "lengths")
    assert locked.returncode == 0, locked.stderr
    assert "equal to toy/lines.json, shard by shard" in verify(built, "chain").stdout
    (built.raw / "3.txt").write_text("別的詩", encoding="utf-8")
    shutil.rmtree(built.out)
    assert built.run("lines", built.recipe).returncode == 0
    done = verify(built, "chain")
    assert done.returncode == 4
    assert "has other rows" in done.stderr


def test_nothing_built_is_said_plainly(toy) -> None:
    done = verify(toy, "chain")
    assert done.returncode == 2
    assert "nothing is built" in done.stderr


def test_status_lists_the_chain(built) -> None:
    done = built.run("status", built.recipe, "--until", "lengths")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["lines", "built"], ["lengths", "built"]]
    assert Path(built.recipe).is_dir()
