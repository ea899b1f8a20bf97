"""What the vocabulary learns from, what is held out, and that the two share nothing.

Documents are those of the recipes `sample` and `raw-samples`, built by siku itself. CNews is held out whole; of the
rest the documents with sha256(id) mod 10 = 0, and of a source of a few books the one with the smallest hash. Texts
quote each other and stand in more than one collection, so a line to learn from goes if it has a run of RUN letters
with any text held out in common, whatever the script or the punctuation.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from peer_kit.environment import REPOSITORY

from siku_dedup.keytext import key_points
from siku_manifests.document import DOCUMENT_SCHEMA
from siku_manifests.equation import Counts
from siku_manifests.manifest import Identity, Record, write_manifest
from siku_manifests.recipe import Recipe, load_recipe
from siku_manifests.runner import resolve, run_stage
from siku_manifests.sections import Source
from siku_manifests.shards import read_batches, write_table

MIX = {
    "sample": {
        "newspaper": 1.0,
        "reviews": 0.3,
        "catalogues": 1.0,
        "classics": 0.3,
        "lyrics": 0.2,
        "poetry": 0.06,
        "documentation": 0.0,
    },
    "raw-samples": {
        "clue": 1.0,
        "instructions": 1.0,
        "titles": 1.0,
        "csl": 1.0,
        "wikipedia-zh": 1.0,
        "prose": 1.0,
        "mix": 1.0,
        "talks": 1.0,
        "pairs": 1.0,
        "classical-pairs": 0.3,
        "classical": 0.3,
        "poetry": 0.06,
        "cnews": 0.0,
        "wikipedia-en": 0.0,
        "web-en": 0.0,
    },
}
"""Weight of each source, which is the share of its documents that is drawn; 0 is not learned from."""
ENGLISH = ("documentation", "wikipedia-en", "web-en")
WHOLE = ("cnews",)
FEW = 20
SETS = {
    "news": ("cnews/",),
    "news titles": ("titles/", "clue/tnews/"),
    "short app text": ("clue/iflytek/",),
    "web answers": ("instructions/zhihu/",),
    "encyclopaedia": ("wikipedia-zh/", "instructions/wiki/"),
    "modern prose": ("prose/", "mix/"),
    "translation": ("classical-pairs/",),
    "classical": ("classical/", "classics/"),
    "poetry": ("poetry/", "lyrics/"),
}
"""Held-out sets by how the ids of their documents begin."""
MODERN = ("news", "news titles", "short app text", "web answers", "encyclopaedia", "modern prose", "translation")
RUN = 13
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
FLAG_BITS = 28


class Split(NamedTuple):
    """Text to learn from and text to measure on."""

    corpus: Path
    """A folder like a finished corpus stage; only `train/`."""
    sources: tuple[Source, ...]
    held_out: dict[str, pa.Array]
    english: pa.Array
    """Whole documents without any Chinese, none of which is learned from."""
    letters: dict[str, tuple[int, int]]
    """Of each source: characters to learn from, and characters in the lines that went."""


def make_split(out: Path, raw: Path) -> Split:
    """Build the documents unless they are there, split them and write the corpus anew.

    Args:
        out: folder of builds.
        raw: root of the recipe `raw-samples`.
    """
    tables = {source: table for recipe in MIX for source, table in _documents(recipe, out=out, raw=raw)}
    held_rows = {source: _held(source.name, table["id"].to_pylist()) for source, table in tables.items()}
    parts: dict[str, list[pa.Array]] = {name: [] for name in SETS}
    keys = []
    for source, table in tables.items():
        held = table.filter(pa.array(held_rows[source]))
        if source.name not in ENGLISH and held.num_rows:
            keys.append(run_keys(held["text"].combine_chunks())[0])
            for name, beginnings in SETS.items():
                chosen = pc.starts_with(held["id"], beginnings[0])
                for beginning in beginnings[1:]:
                    chosen = pc.or_(chosen, pc.starts_with(held["id"], beginning))
                parts[name].append(held["text"].filter(chosen).combine_chunks())
    forbidden = np.unique(np.concatenate(keys))
    corpus = out / "held-out" / "corpus"
    counts, letters = {}, {}
    for source, table in tables.items():
        train = table.filter(pa.array(~held_rows[source]))
        if source.weight > 0:
            counts[source.name], letters[source.name] = _write(corpus, source.name, train, forbidden=forbidden)
    identity = Identity(kind="corpus", parents={}, recipe={}, shards=())
    write_manifest(corpus, identity, Record(key="", counts=counts, files=(), seed=0, code="", environment={}))
    held_out = {name: pa.concat_arrays(arrays) for name, arrays in parts.items()}
    held_out["translation"] = pc.replace_substring_regex(held_out["translation"], r"^[^\n]*\n", "")
    english = pa.concat_arrays([t["text"].combine_chunks() for s, t in tables.items() if s.name in ENGLISH])
    return Split(corpus, tuple(source for source in tables if source.weight > 0), held_out, english, letters)


def some_lines(texts: pa.Array, count: int) -> pa.Array:
    """Take lines that hold something, evenly over all texts; all of them if there are not as many."""
    lines = pc.list_flatten(pc.split_pattern(texts, "\n"))
    lines = lines.filter(pc.greater(pc.binary_length(lines), 0))
    places = np.linspace(0, len(lines), min(count, len(lines)), endpoint=False).astype(np.int64)
    return lines.take(pa.array(places))


def _documents(name: str, *, out: Path, raw: Path) -> Iterator[tuple[Source, pa.Table]]:
    overrides = [f"root={raw}"] if name == "raw-samples" else []
    recipe: Recipe = load_recipe(str(REPOSITORY / "manifests" / name), overrides)
    kept = tuple(source for source in recipe.source if source.name in MIX[name])
    recipe = msgspec.structs.replace(recipe, source=kept)
    run_stage("documents", recipe, out=out, workers=2, say=lambda line: print(line, file=sys.stderr))
    folder = resolve("documents", recipe, out=out).folder
    for source in kept:
        shards = sorted(folder.glob(f"{source.name}-?????.parquet"))
        table = pa.Table.from_batches(read_batches(shards, columns=DOCUMENT_SCHEMA.names), DOCUMENT_SCHEMA)
        unique = f"{name}-{source.name}" if name == "raw-samples" and source.name in MIX["sample"] else source.name
        yield msgspec.structs.replace(source, name=unique, weight=MIX[name][source.name], share=0.0), table


def _held(source: str, ids: list[str]) -> NDArray[np.bool_]:
    hashes = [int(hashlib.sha256(name.encode()).hexdigest(), 16) for name in ids]
    least = min(hashes, default=0)
    if source in WHOLE:
        return np.ones(len(ids), np.bool_)
    return np.array([h % 10 == 0 or (len(ids) < FEW and h == least) for h in hashes], np.bool_)


def run_keys(texts: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hash every run of RUN letters or digits inside a text; give the hashes, and the text of each."""
    points = key_points(texts).points
    values = points.values.astype(np.uint64)
    count = max(0, len(values) - RUN + 1)
    keys = np.zeros(count, np.uint64)
    for place in range(RUN):
        keys = (keys ^ values[place : place + count]) * MULTIPLIER
        keys ^= keys >> np.uint64(29)
    owner = np.repeat(np.arange(len(points)), np.diff(points.starts))
    inside = owner[:count] == owner[RUN - 1 :]
    return keys[inside], owner[:count][inside]


def _write(
    corpus: Path, name: str, table: pa.Table, *, forbidden: NDArray[np.uint64]
) -> tuple[Counts, tuple[int, int]]:
    """Write a source's shard without the lines that share a run with what is held out."""
    split = pc.split_pattern(table["text"].combine_chunks(), "\n")
    lines, owner = pc.list_flatten(split), pc.list_parent_indices(split).to_numpy()
    keys, line = run_keys(lines)
    suspect = np.zeros(1 << FLAG_BITS, np.bool_)  # a look-up clears nearly all, and the search takes the rest
    suspect[forbidden >> np.uint64(64 - FLAG_BITS)] = True
    near = np.flatnonzero(suspect[keys >> np.uint64(64 - FLAG_BITS)])
    clean = np.ones(len(lines), np.bool_)
    clean[line[near[np.isin(keys[near], forbidden)]]] = False
    left = lines.filter(pa.array(clean))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner[clean], minlength=table.num_rows))])
    texts = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), left), "\n")
    kept = table.set_column(table.schema.get_field_index("text"), DOCUMENT_SCHEMA.field("text"), texts)
    kept = kept.set_column(
        table.schema.get_field_index("source"), DOCUMENT_SCHEMA.field("source"), [[name] * len(kept)]
    )
    kept = kept.filter(pc.greater(pc.utf8_length(kept["text"]), 0))
    path = corpus / "train" / f"{name}-00000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(kept.combine_chunks(), path)
    characters = pc.sum(pc.utf8_length(kept["text"])).as_py() or 0
    size = pc.sum(pc.cast(pc.binary_length(kept["text"]), pa.int64())).as_py() or 0
    gone = pc.sum(pc.utf8_length(lines.filter(pa.array(~clean)))).as_py() or 0
    return Counts(read=len(kept), kept=len(kept), characters=characters, bytes=size), (characters, gone)
