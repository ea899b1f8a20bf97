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

from siku_manifests.atomic import write_bytes, write_json
from siku_manifests.equation import Counts
from siku_manifests.errors import InputError
from siku_manifests.shards import read_batches
from siku_manifests.shares import source_weights
from siku_manifests.stage import Context, Outcome, Range
from siku_tokenize.adopt import adopt_base
from siku_tokenize.base import load_base
from siku_tokenize.export import write_tokenizer
from siku_tokenize.learn import learn_candidates
from siku_tokenize.measure import Ruler, Tally
from siku_tokenize.merge import check_size, merge_vocabulary
from siku_tokenize.present import tokenizer_findings
from siku_tokenize.prove import Proof, prove_ids, prove_vocabulary
from siku_tokenize.prune import count_pieces
from siku_tokenize.sample import Sample, draw_sample
from siku_tokenize.standing import Comparison, compare_standings
from siku_tokenize.tables import build_tables
from siku_tokenize.vocabulary import Vocabulary, open_vocabulary

FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", "vocabulary.tsv", "proof.json")
BASE_FILE = "base.model"
ADOPTED_BYTES = 8_000_000
"""Of the sample, where nothing is learned from it."""
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


def plan_learning(context: Context) -> list[Range]:
    """One range: every step needs the one before."""
    return [Range(number=0, weight=max(1, sum(shard.stat().st_size for shard in corpus_shards(context, "train"))))]


def learn(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001
    """Make the vocabulary, prove it and write its files."""
    settings, seed = context.recipe.tokenizer, context.recipe.seed
    if settings.mode == "unchanged":
        adopt(context, out)
        return
    base = load_base(settings)
    check_size(base, settings.size)
    sample = read_sample(context)
    wanted = int(CANDIDATE_FACTOR * (settings.size - len(base.pieces)))
    candidates = learn_candidates(
        sample.texts, count=wanted, algorithm=settings.candidates, joined=sorted(settings.joined)
    )
    model = merge_vocabulary(base, candidates, sample.texts, size=settings.size, coverage=settings.character_coverage)
    prove_vocabulary(base, model)
    proof = prove_ids(base, model, sample.texts, seed=seed)
    uses = count_pieces(sample.texts, build_tables(model.pieces, dummy_prefix=model.dummy_prefix))
    write_tokenizer(out, model, first_new=len(base.pieces), uses=uses)
    write_json(out / "proof.json", msgspec.to_builtins(proof))
    write_bytes(out / BASE_FILE, base.raw)
    learned = Learned(sample=sample.sources, proof=proof, unused=int(np.count_nonzero(uses[len(base.pieces) :] == 0)))
    write_json(out / "learned.json", msgspec.to_builtins(learned))


def adopt(context: Context, out: Path) -> None:
    """Take the base's vocabulary as it is; the sample only shows what it is used for."""
    sample = read_sample(context, budget=ADOPTED_BYTES)
    proof = adopt_base(out, context.recipe.tokenizer, sample.texts, seed=context.recipe.seed)
    write_json(out / "proof.json", msgspec.to_builtins(proof))
    write_json(out / "learned.json", msgspec.to_builtins(Learned(sample=sample.sources, proof=proof, unused=0)))


def read_sample(context: Context, *, budget: int = 0) -> Sample:
    """Draw the sample from the training shards.

    Args:
        context: of the stage.
        budget: UTF-8 bytes at most; the recipe's by default.

    Raises:
        InputError: there is no training text.
    """
    shards = corpus_shards(context, "train")
    sample = draw_sample(
        read_batches(shards, columns=["id", "source", "text"]),
        weights=source_weights(context.recipe.source, text_bytes(context)),
        seed=context.recipe.seed,
        budget=budget or context.recipe.tokenizer.sample_bytes,
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
    """Encode one validation shard with the base and with what was made from it."""
    ruler = Ruler(open_sides(context))
    shard = context.parents["corpus"] / "validation" / range_.inputs["shard"]
    tallies = [Tally() for _ in ruler.vocabularies]
    for texts in shard_texts(shard):
        tallies = [sum_ + tally for sum_, tally in zip(tallies, ruler.measure(texts), strict=True)]
    write_json(out / "tallies.json", msgspec.to_builtins(tallies))
    for number, uses in enumerate(ruler.uses):
        np.save(out / f"uses-{number}.npy", uses)


def open_sides(context: Context) -> list[Vocabulary]:
    """Open what is to be compared: the base and its extension, or the base alone where it is unchanged."""
    learned = context.part("learn", 0)
    base = learned / BASE_FILE
    sides = [open_vocabulary(base, name="base")] if base.is_file() else []
    return [*sides, open_vocabulary(learned, name="extended" if sides else "base")]


def shard_texts(shard: Path) -> Iterator[pa.Array]:
    """Yield the texts of a shard, a batch at a time."""
    for batch in read_batches([shard], columns=["text"]):
        yield batch["text"]


def finish(context: Context) -> Outcome:
    """Put the files in their place and tell the report what came out."""
    part = context.part("learn", 0)
    files = [name for name in FILES if (part / name).is_file()]
    for name in files:
        shutil.copyfile(part / name, context.folder / name)
    learned = msgspec.json.decode((part / "learned.json").read_bytes(), type=Learned)
    sides = open_sides(context)
    return Outcome(
        shards=files,
        counts=count_documents(context, learned),
        findings=tokenizer_findings(gather(context, sides), ours=sides[-1], learned=learned),
    )


def gather(context: Context, sides: list[Vocabulary]) -> Comparison:
    """Add up what the ranges measured."""
    tallies: dict[str, list[Tally]] = {}
    uses = [np.zeros(len(side), np.int64) for side in sides]
    for range_, folder in zip(plan_measures(context), context.parts("measure"), strict=True):
        found = msgspec.json.decode((folder / "tallies.json").read_bytes(), type=list[Tally])
        before = tallies.get(range_.source, [Tally()] * len(sides))
        tallies[range_.source] = [sum_ + tally for sum_, tally in zip(before, found, strict=True)]
        uses = [sum_ + np.load(folder / f"uses-{number}.npy") for number, sum_ in enumerate(uses)]
    return compare_standings(sides, tallies, uses)


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
