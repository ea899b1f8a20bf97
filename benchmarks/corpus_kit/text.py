"""Documents for the benchmark: the sample's newspaper and reviews, raw corpora beside the checkout; as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from siku_corpus.containers import Part, iterate_parts, read_part
from siku_corpus.records import Document
from siku_corpus.sources import FORMATS, load_reader

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
RAW = (
    ("cnews", "cnews/*.txt"),
    ("wikipedia-extracted", "wiki_zh_extracted/AA/*"),
    ("coig", "coig_cqia/*/*.jsonl"),
    ("jsonl", "firefly/dummy_data.jsonl"),
)
SAMPLE = ("newspaper", "reviews")
EACH_BYTES = 4_000_000


def make(stage: Path, file: Path) -> str:
    """Write some MB of mixed Chinese documents, `{"id", "text"}` a line.

    Args:
        stage: a finished documents stage of the sample.
        file: what is written.

    Returns:
        Where they are from.
    """
    encode = msgspec.json.Encoder().encode_lines
    sources = {name: _sample(stage, name) for name in SAMPLE}
    if SHARED.is_dir():
        sources |= {pattern.partition("/")[0]: _raw(format_, pattern) for format_, pattern in RAW}
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        for name, texts in sources.items():
            stream.write(encode({"id": f"{name}#{at}", "text": text} for at, text in enumerate(_some(texts))))
    return ", ".join(sources)


def _some(texts: Iterator[str]) -> Iterator[str]:
    size = 0
    for text in texts:
        size += len(text.encode())
        if size > EACH_BYTES:
            return
        yield text


def _sample(stage: Path, source: str) -> Iterator[str]:
    for shard in sorted(stage.glob(f"{source}-*.parquet")):
        yield from pq.read_table(shard, columns=["text"]).column("text").to_pylist()


def _raw(format_: str, pattern: str) -> Iterator[str]:
    reader = load_reader(format_)
    for file in sorted(SHARED.glob(pattern)):
        for part in iterate_parts(file, 0, file.stat().st_size, format_=FORMATS[format_]):
            if isinstance(part, Part):
                yield from (item.text for item in read_part(reader, part) if isinstance(item, Document))
