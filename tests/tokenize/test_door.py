"""`siku tokens` by its command on documents that break tokenizers: correct or in quarantine, whatever kills it.

Three stages are built once from files that are written here; the tests copy them and go on.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sentencepiece

from siku_manifests.manifest import Manifest, read_manifest
from siku_tokenize import TokenFile
from siku_tokenize.modelfile import Model

pytestmark = pytest.mark.slow

RECIPE = """
name = "odd"
seed = 1
shard_bytes = 200_000
max_quarantine = 10
[[source]]
name = "odd"
format = "jsonl"
where = "odd.jsonl"
license = "CC0-1.0"
profile = "poetry"
[[source]]
name = "plain"
format = "lines"
where = "plain.txt"
license = "CC0-1.0"
profile = "poetry"
[filter]
report_only = true
[tokenizer]
base = "base.model"
size = 448
"""
VERSES = (
    "床前明月光，疑是地上霜。",
    "举头望明月，低头思故乡。",
    "白日依山尽，黄河入海流。",
    "欲穷千里目，更上一层楼。",
)
HAN = [chr(0x4E00 + i) for i in range(3000)]
ODD = {
    "empty": "",
    "blank": " \n\t ",
    "one character": "月" * 500_000,
    "fifty megabytes": "明月" * 8_400_000,
    "unknown only": "龘靐齉齾爩麤龖鱻" * 40 + "𠀀𪚥" * 40,
    "control pieces": "<s>明月</s> <unk><0x0A>",
    "spaces": "明" + " " * 5000 + "月",
    "combining": "e" + "\u0301" * 3000,
    "surrogate": "明\ud800月",
}


def siku(command: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "siku_manifests", command, str(folder / "recipe.toml"), "--out", str(folder)]
    environment = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*arguments, *more], text=True, env=environment, start_new_session=True, **pipes)


def finish(process: subprocess.Popen[str]) -> None:
    said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def done(folder: Path, kind: str) -> tuple[Path, Manifest]:
    (path,) = [path.parent for path in folder.glob(f"*/{kind}-*/manifest.json")]
    return path, read_manifest(path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny: Model) -> Path:
    """Everything before the tokens."""
    folder = tmp_path_factory.mktemp("door") / "odd"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    (folder / "base.model").write_bytes(tiny.raw)
    records = (json.dumps({"text": text}, ensure_ascii="\ud800" in text) for text in ODD.values())
    (folder / "odd.jsonl").write_text("\n".join(records), encoding="utf-8")
    chance = random.Random(2)
    lines = ["".join([*chance.choices(HAN, k=60), *chance.sample(VERSES, 2)]) for _ in range(4_000)]
    (folder / "plain.txt").write_text("\n".join(lines), encoding="utf-8")
    for command in ("documents", "dedup", "tokenizer"):
        finish(siku(command, folder))
    return folder


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that copies what is built to a place of its own; hashes of raw files are found by their bytes."""
    return lambda name: Path(shutil.copytree(built, tmp_path / name))


def test_odd_documents_are_encoded_or_in_quarantine(copy: Callable[[str], Path]) -> None:
    folder = copy("a")
    finish(siku("tokens", folder))
    _, documents = done(folder, "documents")
    counts = documents.record.counts["odd"]
    assert counts.read == len(ODD)
    assert counts.quarantined == {"size": 1, "json": 1}
    assert counts.total_dropped == 2  # empty and blank
    corpus, tokens = done(folder, "corpus")[0], done(folder, "tokens")[0]
    model = done(folder, "tokenizer")[0] / "tokenizer.model"
    reference = sentencepiece.SentencePieceProcessor(model_file=str(model))
    kept = 0
    for split in ("train", "validation"):
        shards = sorted((corpus / split).glob("odd-*.parquet"))
        texts = [text for shard in shards for text in pq.read_table(shard)["text"].to_pylist()]
        kept += len(texts)
        file = TokenFile(tokens / split / "odd") if texts else None
        for i, text in enumerate(texts):
            assert file is not None
            assert file.document(i).tolist() == [*reference.encode(text), reference.eos_id()]
    assert kept == len(ODD) - 4


def test_killed_at_any_time_it_ends_with_the_same_bytes(copy: Callable[[str], Path]) -> None:
    whole = copy("whole")
    finish(siku("tokens", whole, "--workers", "1"))
    _, expected = done(whole, "tokens")
    parts = len(list((done(whole, "corpus")[0]).glob("*/*.parquet")))
    assert parts > 4  # ranges of work, so that a kill finds some done and some not
    assert {count.read for count in expected.record.counts.values()} == {4_000, len(ODD) - 4}
    killed = copy("killed")
    for pattern in ("*/tokens-*/parts/encode", "*/tokens-*/parts/encode/0*", "*/tokens-*/train"):
        process = siku("tokens", killed, "--workers", "2")
        while process.poll() is None and not list(killed.glob(pattern)):
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(siku("tokens", killed, "--workers", "2"))
    _, found = done(killed, "tokens")
    assert (found.id, found.record.files) == (expected.id, expected.record.files)
