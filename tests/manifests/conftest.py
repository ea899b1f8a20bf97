"""A small room of its own, installed as a real distribution, to drive the runner through its public door."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SIKU = (sys.executable, "-m", "siku_manifests")

STAGES = """
from siku_manifests.stage import Phase, Stage

LINES = Stage(
    name="lines", room="toy_room", help="lines", sections=("seed", "shard_bytes", "filter"),
    source_fields=("name", "license"), reads_raw=True, libraries=("pyarrow",),
    phases=(Phase("read", "toy_room.work:plan_lines", "toy_room.work:read_lines"),),
    finish="toy_room.work:finish_lines", counts="toy_room.work:line_counts",
)
LENGTHS = Stage(
    name="lengths", room="toy_room", help="lengths", parents=("lines",), sections=("dedup",), libraries=("pyarrow",),
    phases=(Phase("measure", "toy_room.work:plan_lengths", "toy_room.work:measure"),),
    finish="toy_room.work:finish_lengths",
)
"""

WORK = """
import json
import os
import signal
import time
from pathlib import Path

import pyarrow as pa

from siku_manifests.document import DOCUMENT_SCHEMA, document_id
from siku_manifests.equation import Counts, total
from siku_manifests.findings import Figures
from siku_manifests.shards import ShardWriter, read_batches, write_table
from siku_manifests.stage import Outcome, Range


def plan_lines(context):
    return [Range(i, raw.source, {"file": str(raw.file), "path": raw.path}, raw.bytes)
            for i, raw in enumerate(context.raw)]


def read_lines(context, range_, out):
    trap = os.environ.get("TOY_KILL_AT")
    if trap and int(trap) == range_.number:
        (out / "half").write_text("half-written")
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))
    rows, bad, empty = [], 0, 0
    lines = Path(range_.inputs["file"]).read_bytes().splitlines()
    for number, line in enumerate(lines):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            bad += 1
            continue
        if not text:
            empty += 1
            continue
        rows.append({"id": document_id(range_.source, range_.inputs["path"], number), "text": text,
                     "source": range_.source, "language": "zh", "license": "CC0-1.0", "meta": "{}"})
    write_table(pa.Table.from_pylist(rows, DOCUMENT_SCHEMA), out / "kept.parquet")
    counts = {"read": len(lines), "kept": len(rows) + int(os.environ.get("TOY_LOSE", "0")),
              "bad": bad, "empty": empty}
    (out / "counts.json").write_text(json.dumps(counts))


def line_counts(part):
    c = json.loads((part / "counts.json").read_text())
    return Counts(read=c["read"], kept=c["kept"], dropped={"empty": c["empty"]} if c["empty"] else {},
                  quarantined={"encoding": c["bad"]} if c["bad"] else {})


def finish_lines(context):
    counts = {}
    parts = context.parts("read")
    for range_, part in zip(plan_lines(context), parts, strict=True):
        counts[range_.source] = counts.get(range_.source, Counts()) + line_counts(part)
    with ShardWriter(context.folder, "all", DOCUMENT_SCHEMA, shard_bytes=context.recipe.shard_bytes) as writer:
        for batch in read_batches([part / "kept.parquet" for part in parts]):
            writer.write(batch)
    return Outcome(shards=[path.name for path in writer.paths], counts=counts,
                   findings=[Figures(section="corpus", title="Lines", items=[("lines", str(writer.rows), "")])])


def plan_lengths(context):
    return [Range(i, inputs={"shard": path.name}, weight=path.stat().st_size)
            for i, path in enumerate(sorted(context.parents["lines"].glob("*.parquet")))]


def measure(context, range_, out):
    lengths = [len(text) for batch in read_batches([context.parents["lines"] / range_.inputs["shard"]])
               for text in batch.column("text").to_pylist()]
    (out / "lengths.json").write_text(json.dumps(lengths))


def finish_lengths(context):
    lengths = [n for part in context.parts("measure") for n in json.loads((part / "lengths.json").read_text())]
    (context.folder / "lengths.json").write_text(json.dumps([context.recipe.dedup.threshold, lengths]))
    return Outcome(shards=["lengths.json"], counts={"all": Counts(read=len(lengths), kept=len(lengths))})
"""

COMMAND = """
from siku_manifests.command import stage_command
lines = stage_command("lines", name="lines", help_text="lines")
lengths = stage_command("lengths", name="lengths", help_text="lengths")
"""

RECIPE = """
seed = 7
shard_bytes = 2000
[[source]]
name = "poems"
format = "lines"
where = "raw"
path = ["*.txt"]
license = "CC0-1.0"
profile = "poetry"
"""


@dataclass
class Toy:
    """The installed room, its recipe, and a way to run it as a user would."""

    home: Path
    raw: Path
    out: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SIKU, *arguments, "--out", str(self.out)],
            env={**os.environ, "PYTHONPATH": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def folder(self, stage: str) -> Path:
        (found,) = (self.out / "toy").glob(f"{stage}-????????")
        return found

    @property
    def recipe(self) -> str:
        return str(self.home / "toy")


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    home = tmp_path / "home"
    package = home / "toy_room"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "stages.py").write_text(STAGES)
    (package / "work.py").write_text(WORK)
    (package / "command.py").write_text(COMMAND)
    info = home / "toy_room-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-room\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[siku.stages]\nlines = toy_room.stages:LINES\nlengths = toy_room.stages:LENGTHS\n"
        "[siku.commands]\nlines = toy_room.command:lines\nlengths = toy_room.command:lengths\n"
    )
    recipe = home / "toy" / "recipe.toml"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE, encoding="utf-8")
    raw = home / "toy" / "raw"
    raw.mkdir()
    for number in range(6):
        lines = [f"第{number}卷第{line}句,白日依山盡" for line in range(40)]
        (raw / f"{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    return Toy(home=home, raw=raw, out=tmp_path / "build")
