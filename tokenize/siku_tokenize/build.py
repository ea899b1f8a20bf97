"""The tokenizer stage: sample, learn, merge, prove, export; then measure on documents held out.

Phase `learn` is one range, since every step needs the one before it. Phase `measure` has a range for each
validation shard, encoded with the base and with the extension. The vocabulary learns from `train/` only.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from siku_manifests.archives import open_member
from siku_manifests.atomic import write_bytes, write_json
from siku_manifests.equation import Counts
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.packages import fetch_package
from siku_manifests.sections import Tokenizer
from siku_manifests.shards import read_batches
from siku_manifests.shares import source_weights
from siku_manifests.stage import Context, Outcome, Range
from siku_tokenize.export import write_tokenizer
from siku_tokenize.learn import learn_candidates
from siku_tokenize.measure import Measure, Ruler
from siku_tokenize.merge import check_size, merge_vocabulary
from siku_tokenize.modelfile import Model, parse_model, read_model
from siku_tokenize.present import tokenizer_findings
from siku_tokenize.prove import Proof, prove_ids, prove_vocabulary
from siku_tokenize.prune import count_pieces
from siku_tokenize.sample import Sample, draw_sample
from siku_tokenize.tables import build_tables, why_not_exact

FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "vocabulary.tsv", "proof.json")
BASE_FILE = "base.model"
CANDIDATE_FACTOR = 1.2
"""Merges learned for each new piece: at 1.0 and at 2.6 the same vocabulary came out, since later merges are rarer."""


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What phase `learn` leaves for `finish` beside the files."""

    sample: dict[str, tuple[int, int]]
    """Documents and UTF-8 bytes of each source in the sample."""
    proof: Proof
    unused: int
    """New pieces that stand nowhere in the encoded sample: building blocks of others."""


def corpus_shards(context: Context, split: str) -> list[Path]:
    """List the corpus's shards of a split, by name."""
    return sorted((context.parents["corpus"] / split).glob("*.parquet"))


def shard_source(shard: Path) -> str:
    """Give the source of a shard SOURCE-00000.parquet."""
    return shard.stem.rsplit("-", 1)[0]


def load_base(settings: Tokenizer) -> Model:
    """Open the base model that the recipe names.

    Raises:
        RecipeError: there is none, or it is of a kind that cannot be extended.
        InputError: the file is missing or no SentencePiece model.
    """
    if not settings.base:
        msg = 'tokenizer.base is not set; give "pypi:mistral-common==1.13.1" with base_path, or a .model file.'
        raise RecipeError(msg)
    if settings.base.startswith(("pypi:", "npm:")):
        archive = fetch_package(settings.base, settings.base_sha256)
        with open_member(archive, settings.base_path) as stream:
            base = parse_model(stream.read(), name=f"{settings.base} {settings.base_path}")
    else:
        path = Path(settings.base)
        if path.suffix == ".json" or path.is_dir():
            msg = (
                f"tokenizer.base = {settings.base!r}: byte-level tokenizers (tokenizer.json) cannot be extended; "
                "give a SentencePiece tokenizer.model, or train on that model without a new tokenizer."
            )
            raise RecipeError(msg)
        base = read_model(path)
    reason = why_not_exact(base)
    if reason:
        msg = f"tokenizer.base = {settings.base!r}: {reason}; give the tokenizer.model of a LLaMA or Mistral model."
        raise RecipeError(msg)
    return base


def plan_learning(context: Context) -> list[Range]:
    """One range: every step needs the one before."""
    return [Range(number=0, weight=max(1, sum(shard.stat().st_size for shard in corpus_shards(context, "train"))))]


def learn(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001
    """Make the vocabulary, prove it and write its files."""
    settings, seed = context.recipe.tokenizer, context.recipe.seed
    base = load_base(settings)
    check_size(base, settings.size)
    sample = read_sample(context)
    wanted = int(CANDIDATE_FACTOR * (settings.size - len(base.pieces)))
    candidates = learn_candidates(sample.texts, count=wanted)
    model = merge_vocabulary(base, candidates, sample.texts, size=settings.size)
    prove_vocabulary(base, model)
    proof = prove_ids(base, model, sample.texts, seed=seed)
    uses = count_pieces(sample.texts, build_tables(model.pieces, dummy_prefix=model.dummy_prefix))
    write_tokenizer(out, model, first_new=len(base.pieces), uses=uses)
    write_json(out / "proof.json", msgspec.to_builtins(proof))
    write_bytes(out / BASE_FILE, base.raw)
    learned = Learned(sample=sample.sources, proof=proof, unused=int(np.count_nonzero(uses[len(base.pieces) :] == 0)))
    write_json(out / "learned.json", msgspec.to_builtins(learned))


def read_sample(context: Context) -> Sample:
    """Draw the sample from the training shards.

    Raises:
        InputError: there is no training text.
    """
    shards = corpus_shards(context, "train")
    sample = draw_sample(
        read_batches(shards, columns=["id", "source", "text"]),
        weights=source_weights(context.recipe.source, text_bytes(context)),
        seed=context.recipe.seed,
        budget=context.recipe.tokenizer.sample_bytes,
    )
    if not len(sample.texts):
        msg = f"{context.parents['corpus']}: no training document to learn from; look at what the filters dropped."
        raise InputError(msg)
    return sample


def text_bytes(context: Context) -> dict[str, int]:
    """Give the UTF-8 bytes of each source's text in the corpus."""
    return {source: counts.bytes for source, counts in context.parent_manifest("corpus").record.counts.items()}


def plan_measures(context: Context) -> list[Range]:
    """Give a range for each validation shard."""
    return [
        Range(number=i, source=shard_source(shard), inputs={"shard": shard.name}, weight=shard.stat().st_size)
        for i, shard in enumerate(corpus_shards(context, "validation"))
    ]


def measure(context: Context, range_: Range, out: Path) -> None:
    """Encode one validation shard with both vocabularies."""
    learned = context.part("learn", 0)
    ruler = Ruler(read_model(learned / BASE_FILE), read_model(learned / "tokenizer.model"))
    shard = context.parents["corpus"] / "validation" / range_.inputs["shard"]
    write_json(out / "measure.json", msgspec.to_builtins(ruler.measure(shard_texts(shard))))


def shard_texts(shard: Path) -> Iterator[pa.Array]:
    """Yield the texts of a shard, a batch at a time."""
    for batch in read_batches([shard], columns=["text"]):
        yield batch["text"]


def finish(context: Context) -> Outcome:
    """Put the files in their place and tell the report what came out."""
    part = context.part("learn", 0)
    for name in FILES:
        shutil.copyfile(part / name, context.folder / name)
    learned = msgspec.json.decode((part / "learned.json").read_bytes(), type=Learned)
    measures: dict[str, Measure] = {}
    for range_, folder in zip(plan_measures(context), context.parts("measure"), strict=True):
        found = msgspec.json.decode((folder / "measure.json").read_bytes(), type=Measure)
        measures[range_.source] = measures.get(range_.source, Measure()) + found
    return Outcome(
        shards=list(FILES),
        counts=count_documents(context, learned),
        findings=tokenizer_findings(
            base=read_model(part / BASE_FILE),
            model=read_model(part / "tokenizer.model"),
            measures=measures,
            learned=learned,
        ),
    )


def count_documents(context: Context, learned: Learned) -> dict[str, Counts]:
    """Say of each source how many training documents the sample has and how many it left out."""
    counts: dict[str, Counts] = {}
    for shard in corpus_shards(context, "train"):
        source = shard_source(shard)
        rows = sum(batch.num_rows for batch in read_batches([shard], columns=["id"]))
        counts[source] = counts.get(source, Counts()) + Counts(read=rows)
    for source, count in counts.items():
        count.kept, count.bytes = learned.sample.get(source, (0, 0))
        count.dropped = {"not_sampled": count.read - count.kept} if count.kept < count.read else {}
    return counts
