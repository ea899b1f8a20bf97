"""What a training run tells the report: figures, loss curve, bits per byte, and what it did not read."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from siku_manifests.equation import Counts
from siku_manifests.findings import Cell, Curve, Figures, Finding, Table
from siku_manifests.sections import Pretrain
from siku_train.losses import LossFile
from siku_train.plan import Result
from siku_train.validation import total
from siku_train.windows import Reader, WindowStream

CURVE_POINTS = 100
SMALL_SHARE = 0.5
"""Runs that read less than this share of their corpus say that they are a demonstration."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that the findings are made of."""

    options: Pretrain
    result: Result
    losses: LossFile
    entropy: float
    """Unigram entropy of the validation labels, in nats."""
    windows: Mapping[str, Counts]
    """Windows of each source: there, read, not reached."""
    reader: Reader
    """The training split."""

    @property
    def corpus_tokens(self) -> int:
        """Tokens of the training split."""
        return sum(file.token_count for file in self.reader.files.values())

    @property
    def share(self) -> float:
        """Tokens read over tokens of the corpus."""
        return self.result.tokens / self.corpus_tokens


def findings(story: Story) -> list[Finding]:
    """Make the blocks of the section "training"."""
    return [_figures(story), _curve(story), _curve_by_source(story), _sources(story), *_pieces(story), _windows(story)]


def caveat(story: Story) -> str:
    """Say what a run of this size is worth.

    Example:
        402,432 of 21,300,000 tokens -> "A demonstration: this run read 402,432 tokens, 1.9 % of …"
    """
    read = (
        f"this run read {story.result.tokens:,} tokens, {story.share:.1%} of the {story.corpus_tokens:,} in the "
        f"training split"
    )
    if story.share < SMALL_SHARE:
        return (
            f"A demonstration: {read}. It shows that every part of the road works, and is far from a model that "
            f"writes; that takes a real base model and the whole corpus, some times over."
        )
    return f"In all, {read}."


def _figures(story: Story) -> Figures:
    result = story.result
    before, after = total(result.before), total(result.after)
    return Figures(
        section="training",
        title="Pretraining",
        items=[
            ("bits per byte", f"{before.bits_per_byte:.2f} → {after.bits_per_byte:.2f}", "held-out text, all sources"),
            (
                "validation loss",
                f"{before.loss:.2f} → {after.loss:.2f}",
                f"nats per token; unigram entropy of the same tokens {story.entropy:.2f}",
            ),
            ("tokens read", f"{result.tokens:,}", caveat(story)),
            ("trained parameters", f"{result.trainable:,}", f"{story.options.method}, embedding and head included"),
            ("speed", f"{result.tokens / result.seconds:,.0f} tokens/s", f"with {result.threads} CPU threads"),
            ("training time", f"{result.seconds:,.0f} s", f"{result.steps:,} steps; validation and saving left out"),
        ],
    )


def _curve(story: Story) -> Curve:
    validations = story.losses.validations()
    return Curve(
        section="training",
        title="Loss over the run",
        x_label="optimiser step",
        y_label="nats per token",
        series=[
            ("training (mean of neighbouring steps)", thin(story.losses.steps(), CURVE_POINTS)),
            ("validation", [(float(step), total(scores).loss) for step, scores in sorted(validations.items())]),
        ],
        lines=[("unigram entropy of the validation tokens", story.entropy)],
        note=(
            "Below the line the model knows more than how frequent each piece is. The line is the entropy of the "
            "very tokens that are scored: no model of frequencies alone can reach it. " + caveat(story)
        ),
    )


def thin(points: Sequence[tuple[int, float]], wanted: int) -> list[tuple[float, float]]:
    """Average neighbouring points so that at most `wanted` are left.

    Example:
        thin([(1, 4.0), (2, 2.0), (3, 3.0)], 2) -> [(1.5, 3.0), (3.0, 3.0)]
    """
    if not points:
        return []
    size = -(-len(points) // wanted)
    groups = np.array_split(np.array(points, np.float64), range(size, len(points), size))
    return [(float(group[:, 0].mean()), float(group[:, 1].mean())) for group in groups]


def _sources(story: Story) -> Table:
    before, after = story.result.before, story.result.after
    rows: list[list[Cell]] = [
        [
            source,
            after[source].tokens,
            round(before[source].loss, 3),
            round(after[source].loss, 3),
            round(before[source].bits_per_byte, 3),
            round(after[source].bits_per_byte, 3),
        ]
        for source in before
        if after[source].tokens and after[source].bytes
    ]
    return Table(
        section="training",
        title="Held-out text before and after",
        columns=["source", "tokens scored", "loss before", "loss after", "bits per byte before", "bits per byte after"],
        rows=rows,
        note=(
            "Bits per byte can be compared between vocabularies; the loss per token cannot. The first token of a "
            "document and the end of one are not part of the text that is scored."
        ),
    )


def _curve_by_source(story: Story) -> Curve:
    validations = sorted(story.losses.validations().items())
    series = []
    for source in story.result.before:
        points = [(float(step), scores[source].bits_per_byte) for step, scores in validations if scores[source].bytes]
        series.append((source, points))
    return Curve(
        section="training",
        title="Held-out text by source over the run",
        x_label="optimiser step",
        y_label="bits per byte",
        series=series,
        note="Bits per UTF-8 byte of text: what a source costs, whatever its vocabulary.",
    )


def _pieces(story: Story) -> list[Table]:
    """Old and new pieces apart; nothing where the vocabulary was not extended."""
    before, after = total(story.result.before), total(story.result.after)
    kinds = [("new pieces", before.new, after.new), ("pieces of the base, and ends", before.old, after.old)]
    rows: list[list[Cell]] = [
        [
            name,
            late.tokens,
            late.bytes,
            round(early.loss, 3),
            round(late.loss, 3),
            round(early.bits_per_byte, 3),
            round(late.bits_per_byte, 3),
        ]
        for name, early, late in kinds
        if late.tokens and late.bytes
    ]
    if len(rows) < len(kinds):
        return []
    columns = ["pieces", "scored", "bytes", "loss before", "loss after", "bits per byte before", "bits per byte after"]
    note = "New pieces are those that the tokenizer added to the base's vocabulary."
    return [Table(section="training", title="New pieces and old", columns=columns, rows=rows, note=note)]


def _windows(story: Story) -> Table:
    length = story.reader.length
    rows: list[list[Cell]] = []
    for source, file in story.reader.files.items():
        count = story.windows.get(source, Counts())
        padding = max(0, count.read * length + 1 - file.token_count)
        lost = int((file.lengths % length).sum())
        rows.append([source, file.token_count, count.read, count.kept, 0, padding, file.document_count, lost])
    return Table(
        section="training",
        title="Tokens and windows",
        columns=["source", "tokens", "windows", "read", "tokens discarded", "filled up", "borders", "remainders"],
        rows=rows,
        note=(
            f"No token is thrown away: windows of {length:,} follow each other without a gap, and the last of a source "
            f"is filled up. At a border the next document's first token is not learned. Remainders are the tokens that "
            f"cutting each document by itself would leave in windows that are not full, to be filled up or dropped."
        ),
    )


def source_counts(stream: WindowStream) -> dict[str, Counts]:
    """Account for every training window: read in this run, or not reached.

    A window read in several epochs counts once in `kept`; `tokens` counts every reading.
    """
    seen: dict[str, set[int]] = {share.source: set() for share in stream.order.shares}
    drawn = dict.fromkeys(seen, 0)
    epoch_windows = len(stream.order)
    for epoch in range(-(-len(stream) // epoch_windows)):
        places = np.arange(min(epoch_windows, len(stream) - epoch * epoch_windows))
        sources, windows = stream.order.span(epoch, places)
        for number, share in enumerate(stream.order.shares):
            mine = windows[sources == number]
            seen[share.source].update(mine.tolist())
            drawn[share.source] += len(mine)
    return {
        share.source: Counts(
            read=share.windows,
            kept=len(seen[share.source]),
            dropped={"not_reached": share.windows - len(seen[share.source])},
            tokens=drawn[share.source] * stream.reader.length,
        )
        for share in stream.order.shares
    }
