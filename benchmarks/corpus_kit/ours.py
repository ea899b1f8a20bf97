"""Our own road from JSON lines to JSON lines, and its middle alone: rules and filters on texts in memory."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pyarrow as pa
from peer_kit.timing import cpu_seconds

from siku_corpus.filters import judge
from siku_corpus.mojibake import mend
from siku_corpus.normalize import normalize
from siku_corpus.process import Processor
from siku_corpus.profiles import behaviour
from siku_corpus.records import Document, batches
from siku_corpus.sources.lines import read_json_lines
from siku_manifests.sections import Filter, Normalize, Profile, Source


def rules_and_filters(file: Path, profile: Profile) -> float:
    """Least CPU seconds for mending, normalizing and judging all texts of a file, batch by batch."""
    chosen = behaviour(profile, Normalize(), Filter())
    found = list(batches(item for item in read_json_lines(file, 0, file.stat().st_size) if isinstance(item, Document)))
    texts = [batch.documents.column("text").to_pylist() for batch in found]

    def work() -> None:
        for batch in texts:
            judge(pa.array(normalize(mend(batch).texts, chosen.rules).texts, pa.string()), chosen)

    return cpu_seconds(work)


def whole(file: Path, target: Path, profile: Profile) -> tuple[float, int]:
    """Least CPU seconds from a file of JSON lines to another, and how many documents are kept."""
    source = Source(name="mixed", format="jsonl", where=".", license="LicenseRef-mixed", profile=profile)
    encode = msgspec.json.Encoder().encode_lines
    kept = 0

    def work() -> None:
        nonlocal kept
        kept = 0
        processor = Processor(source=source, behaviour=behaviour(profile, Normalize(), Filter()), report_only=False)
        with target.open("wb") as raw, io.BufferedWriter(raw, 1 << 20) as stream:
            for batch in batches(read_json_lines(file, 0, file.stat().st_size)):
                rows = processor.process(batch).kept
                stream.write(encode(rows.to_pylist()))
                kept += rows.num_rows

    return cpu_seconds(work), kept
