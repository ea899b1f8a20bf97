"""Signed documents and a finished documents stage, made from texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from siku_dedup.parts import SignedParts, write_part
from siku_dedup.signing import Signer, sign_texts
from siku_dedup.stages import CORPUS
from siku_manifests.document import DOCUMENT_SCHEMA
from siku_manifests.manifest import Identity, Record, Shard, write_manifest
from siku_manifests.pool import run_ranges
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Dedup, Source
from siku_manifests.shards import ShardWriter
from siku_manifests.stage import PARTS, Context, Outcome, load_function


@pytest.fixture
def signed(tmp_path: Path) -> Callable[..., SignedParts]:
    """signed(texts, n=5) or signed([texts, texts], n=5, …): one part for each list."""
    made = 0

    def make(*parts: Sequence[str], n: int = 5, permutations: int = 128, threshold: float = 0.8) -> SignedParts:
        nonlocal made
        dedup = Dedup(permutations=permutations, threshold=threshold, characters={"web": n})  # type: ignore[arg-type]
        signer = Signer.of(dedup, "web", source=0)
        folders = []
        for texts in parts:
            folder = tmp_path / f"part-{made}"
            folder.mkdir()
            made += 1
            ids = pa.chunked_array([pa.array([f"s/f#{made}-{row}" for row in range(len(texts))], pa.string())])
            write_part(folder, ids, [sign_texts(pa.array(texts, pa.string()), signer)], signer)
            folders.append(folder)
        return SignedParts(folders)

    return make


class Corpus:
    """The stage run on documents given as {source: texts}."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def context(
        self, texts: Mapping[str, Sequence[str]], *, dedup: Dedup, workers: int, shard_bytes: int, **fields: Any
    ) -> Context:
        """Write the documents stage, and the context in which the corpus stage runs."""
        self._runs += 1
        home = self._folder / f"run-{self._runs}"
        documents, shards = home / "documents", []
        for name, rows in texts.items():
            with ShardWriter(documents, name, DOCUMENT_SCHEMA, shard_bytes=shard_bytes) as writer:
                writer.write(document_batch(name, rows))
            shards += [Shard(path=path.name, content_sha256="0" * 64) for path in writer.paths]
        identity = Identity(kind="documents", parents={}, recipe={}, shards=tuple(shards))
        record = Record(key="0", counts={}, files=(), seed=0, code="", environment={})
        write_manifest(documents, identity, record)
        profiles = fields.pop("profiles", {})
        priorities = fields.pop("priorities", {})
        snapshots = fields.pop("snapshots", {})
        sources = tuple(
            Source(
                name=name,
                format="lines",
                where=".",
                license="CC0-1.0",
                profile=profiles.get(name, "poetry"),
                priority=priorities.get(name, 0),
                snapshot=snapshots.get(name, ""),
            )
            for name in texts
        )
        recipe = Recipe(name="t", source=sources, dedup=dedup, **fields)
        return Context(recipe=recipe, folder=home / "corpus", parents={"documents": documents}, workers=workers)

    def build(
        self,
        texts: Mapping[str, Sequence[str]],
        *,
        dedup: Dedup | None = None,
        workers: int = 1,
        shard_bytes: int = 1 << 20,
        **fields: Any,
    ) -> tuple[Path, Outcome]:
        """Run all phases, as the runner does; the stage's folder and its outcome."""
        dedup = dedup or Dedup(validation=0.0)
        context = self.context(texts, dedup=dedup, workers=workers, shard_bytes=shard_bytes, **fields)
        for phase in CORPUS.phases:
            (context.folder / PARTS / phase.name).mkdir(parents=True)
            list(run_ranges(context, phase, load_function(phase.plan)(context)))
        outcome: Outcome = load_function(CORPUS.finish)(context)
        return context.folder, outcome


def document_batch(source: str, texts: Sequence[str]) -> pa.RecordBatch:
    """Documents with numbered ids."""
    count = len(texts)
    ids = [f"{source}/file#{row:05d}" for row in range(count)]
    columns = [ids, list(texts), [source] * count, ["zh"] * count, ["CC0-1.0"] * count, ["{}"] * count]
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=DOCUMENT_SCHEMA)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path / "corpus")
