"""The tokens stage: every document of the corpus, encoded, as one token file for each source and split.

A document is its pieces and then EOS, with BOS in front if the recipe asks for it; the literal text `<s>`
is text. A range is some row groups of one corpus shard; `finish` joins the parts of a source byte by byte.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siku_manifests.equation import Counts
from siku_manifests.errors import RecipeError
from siku_manifests.shards import read_row_groups, row_group_runs
from siku_manifests.stage import Context, Outcome, Range
from siku_tokenize.present import tokens_findings
from siku_tokenize.tokenfile import TokenFile, join_token_files, open_token_writer
from siku_tokenize.vocabulary import TextEncoder, open_vocabulary

SPLITS = ("train", "validation")
RANGE_BYTES = 16 << 20
"""Uncompressed Parquet bytes of a range: a second or so of work."""
PART = "part"


def plan(context: Context) -> list[Range]:
    """Cut each corpus shard into ranges of whole row groups; order: split, source, shard, row."""
    ranges: list[Range] = []
    for split in SPLITS:
        for shard in sorted((context.parents["corpus"] / split).glob("*.parquet")):
            for groups, size in row_group_runs(shard, run_bytes=RANGE_BYTES):
                inputs = {"split": split, "shard": shard.name, "groups": groups}
                source = shard.stem.rsplit("-", 1)[0]
                ranges.append(Range(number=len(ranges), source=source, inputs=inputs, weight=size))
    return ranges


@functools.lru_cache(maxsize=1)
def load_encoder(folder: Path) -> TextEncoder:
    """Open a finished tokenizer stage; its proof decides whether our encoder or sentencepiece works.

    Kept for the next range of this process: building the tables takes as long as encoding 50 MB.
    """
    return open_vocabulary(folder).encoder


def encode(context: Context, range_: Range, out: Path) -> None:
    """Encode the row groups of a range into one token file.

    Raises:
        RecipeError: BOS is asked for, and the tokenizer has none.
    """
    encoder = load_encoder(context.parents["tokenizer"])
    bos = encoder.bos if context.recipe.tokens.bos else -1
    if context.recipe.tokens.bos and bos < 0:
        msg = "tokens.bos = true, but this tokenizer has no beginning-of-sequence token; leave tokens.bos out."
        raise RecipeError(msg)
    shard = context.parents["corpus"] / range_.inputs["split"] / range_.inputs["shard"]
    with open_token_writer(out / PART, encoder.dtype) as writer:
        for batch in read_row_groups(shard, range_.inputs["groups"], columns=["text"]):
            ids, lengths = encoder.encode_batch(batch["text"])
            writer.write(*frame_documents(ids, lengths, bos=bos, eos=encoder.eos))


def frame_documents(
    ids: NDArray[Any], lengths: NDArray[np.int64], *, bos: int, eos: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Put BOS before and EOS after each document.

    Args:
        ids: shape (tokens,), documents side by side.
        lengths: shape (documents,).
        bos: id, or -1 for none.
        eos: id, or -1 for none.

    Example: ([5, 6, 7], [2, 1], bos=-1, eos=2) -> [5, 6, 2, 7, 2], [3, 2]
    """
    before, after = int(bos >= 0), int(eos >= 0)
    framed_lengths = lengths + before + after
    framed = np.empty(len(ids) + len(lengths) * (before + after), ids.dtype)
    ends = np.cumsum(framed_lengths)
    inside = np.ones(len(framed), np.bool_)
    if before:
        framed[ends - framed_lengths] = bos
        inside[ends - framed_lengths] = False
    if after:
        framed[ends - 1] = eos
        inside[ends - 1] = False
    framed[inside] = ids
    return framed, framed_lengths


def finish(context: Context) -> Outcome:
    """Join the parts of each source and split, and count."""
    encoder = load_encoder(context.parents["tokenizer"])
    stems: dict[str, list[Path]] = {}
    for range_, folder in zip(plan(context), context.parts("encode"), strict=True):
        stems.setdefault(f"{range_.inputs['split']}/{range_.source}", []).append(folder / PART)
    files = {stem: join_token_files(context.folder / stem, parts, encoder.dtype) for stem, parts in stems.items()}
    return Outcome(
        shards=[f"{stem}{suffix}" for stem in sorted(files) for suffix in (".bin", ".idx")],
        counts=count_tokens(context, files),
        findings=tokens_findings(files, vocabulary_size=encoder.vocabulary_size),
    )


def count_tokens(context: Context, files: dict[str, TokenFile]) -> dict[str, Counts]:
    """Count documents and tokens of each source; characters and bytes are the corpus's."""
    corpus = context.parent_manifest("corpus").record.counts
    counts: dict[str, Counts] = {}
    for stem, file in files.items():
        source = stem.split("/", 1)[1]
        found = Counts(read=file.document_count, kept=file.document_count, tokens=file.token_count)
        counts[source] = counts.get(source, Counts()) + found
    for source, count in counts.items():
        text = corpus.get(source, Counts())
        count.characters, count.han, count.bytes = text.characters, text.han, text.bytes
    return counts
