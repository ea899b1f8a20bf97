"""The text that the deduplication benchmark runs on: Chinese documents of mixed lengths, with planted near-copies.

It is made from the sample corpus (the documents stage, so already normalized), deterministically: documents are
shuffled, joined to lengths drawn from a log-normal distribution (half between 200 and 800 characters, some of
tens of thousands), and of every third one a copy is made in which a known share of characters was replaced,
dropped or doubled. What is written are key texts, so that every peer gets the same characters to shingle.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars
import pyarrow as pa
import pyarrow.parquet as pq
from peer_kit.environment import REPOSITORY

from siku_dedup.keytext import key_points

EDIT_RATES = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)
CHINESE = ("poetry", "lyrics", "classics", "newspaper", "reviews")
ROW_GROUP = 2048


def text_of(megabytes: int, *, documents: Path | None = None) -> Path:
    """The file of so many megabytes of key text, made if it is not there.

    Args:
        megabytes: see `make`.
        documents: finished documents stage of the sample; None: the one in `build`, built if need be.
    """
    target = REPOSITORY / "build" / "benchmarks" / f"dedup-{megabytes}.parquet"
    if target.is_file():
        return target
    if documents is None:
        build = [sys.executable, "-m", "siku_manifests", "documents", "sample"]
        subprocess.run(build, cwd=REPOSITORY, check=True)
        manifests = (REPOSITORY / "build" / "sample").glob("documents-????????/manifest.json")
        documents = max(manifests, key=lambda path: path.stat().st_mtime).parent
    make(documents, target, megabytes=megabytes)
    return target


def make(documents: Path, target: Path, *, megabytes: int, seed: int = 1) -> None:
    """Write `target`, a Parquet file of columns key, copy_of (row number or -1) and rate.

    Args:
        documents: finished folder of the sample's documents stage.
        target: file to write.
        megabytes: UTF-8 bytes of key text, in millions; the source text is used more than once if need be.
        seed: of every choice.
    """
    rng = random.Random(seed)
    keys: list[str] = []
    copy_of: list[int] = []
    rates: list[float] = []
    size = 0
    for text in _documents(documents, rng):
        keys.append(text)
        copy_of.append(-1)
        rates.append(0.0)
        size += len(text.encode())
        if len(keys) % 3 == 0:
            rate = EDIT_RATES[len(keys) % len(EDIT_RATES)]
            copy_of.append(len(keys) - 1)
            rates.append(rate)
            keys.append(_edited(text, rate, rng))
            size += len(keys[-1].encode())
        if size > megabytes * 1e6:
            break
    order = list(range(len(keys)))
    rng.shuffle(order)
    place = {row: at for at, row in enumerate(order)}
    table = pa.table(
        {
            "key": pa.array([keys[row] for row in order], pa.string()),
            "copy_of": pa.array([place.get(copy_of[row], -1) for row in order], pa.int64()),
            "rate": pa.array([rates[row] for row in order], pa.float64()),
        }
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target, row_group_size=ROW_GROUP, compression="zstd")


def _documents(folder: Path, rng: random.Random) -> Iterator[str]:
    """Key texts joined to drawn lengths, without end; in a second round other texts stand side by side."""
    files = [path for name in CHINESE for path in sorted(folder.glob(f"{name}-*.parquet"))]
    column = polars.concat([polars.read_parquet(path, columns=["text"]) for path in files])["text"].to_arrow()
    points = key_points(column).points
    pieces = [text for text in (points.text(row) for row in range(len(points))) if text]
    while True:
        rng.shuffle(pieces)
        joined: list[str] = []
        length, wanted = 0, rng.lognormvariate(6.0, 1.0)
        for piece in pieces:
            joined.append(piece)
            length += len(piece)
            if length >= wanted:
                yield "".join(joined)
                joined, length, wanted = [], 0, rng.lognormvariate(6.0, 1.0)


def _edited(text: str, rate: float, rng: random.Random) -> str:
    """A copy in which each character was, with probability `rate`, replaced, dropped or doubled."""
    chars = list(text)
    changes = max(1, round(rate * len(chars)))
    for at in rng.sample(range(len(chars)), min(changes, len(chars))):
        kind = rng.randrange(3)
        chars[at] = text[rng.randrange(len(text))] if kind == 0 else "" if kind == 1 else chars[at] * 2
    return "".join(chars)
