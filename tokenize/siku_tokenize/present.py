"""What the tokenizer and tokens stages tell the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from siku_manifests.findings import Bars, Examples, Figures, Finding, Histogram, Pair, SideBySide, Table
from siku_tokenize.measure import Tally
from siku_tokenize.order import Share
from siku_tokenize.standing import Comparison
from siku_tokenize.tokenfile import TokenFile
from siku_tokenize.vocabulary import Vocabulary

if TYPE_CHECKING:
    from siku_tokenize.build import Learned


def tokenizer_findings(comparison: Comparison, *, ours: Vocabulary, learned: Learned) -> list[Finding]:
    """Say how well the vocabulary compresses, what is in it and what was proved."""
    if len(comparison.standings) == 1:
        return [adopted_figures(comparison, learned), *comparison_findings(comparison)]
    base, extension = comparison.standings
    lengths = Counter(len(spelled.decode()) for spelled in ours.spelled[len(ours.spelled) - extension.new :])
    return [
        extended_figures(comparison, learned, characters=lengths[1]),
        *comparison_findings(comparison),
        Bars(
            section="tokenizer",
            title="Tokens saved",
            unit="% of the base's tokens",
            items=[
                (source, round(-100 * extension.sources[source].change(base.sources[source]), 1) + 0.0)
                for source in base.sources
            ],
            note="On documents held out from learning.",
        ),
        Bars(
            section="tokenizer",
            title="New pieces by length",
            unit="pieces",
            items=[(f"{n} characters" if n > 1 else "1 character", lengths[n]) for n in sorted(lengths)],
        ),
    ]


def extended_figures(comparison: Comparison, learned: Learned, *, characters: int) -> Figures:
    """Head the findings on an extended base; `characters` of its new pieces are single ones."""
    base, extension = comparison.standings
    before, after = base.whole, extension.whole
    compression = f"{before.per_character:.3f} → {after.per_character:.3f}"
    sampled = sum(size for _, size in learned.sample.values())
    return Figures(
        section="tokenizer",
        title="The vocabulary",
        items=[
            ("tokens per character", compression, f"{after.change(before):+.1%} on held-out documents"),
            ("pieces", f"{base.pieces:,} → {extension.pieces:,}", f"{characters:,} of them new characters"),
            ("learned from", f"{sampled / 1e6:,.1f} MB", "a seeded sample of the training documents"),
            ("same ids as sentencepiece", f"{learned.proof.compared_lines:,} lines", "tokenizer.json and encoder"),
            ("same ids as the base", f"{learned.proof.english_lines:,} lines", "without Chinese characters"),
            ("new pieces unused in the sample", f"{learned.unused:,}", "building blocks of longer ones"),
        ],
    )


def adopted_figures(comparison: Comparison, learned: Learned) -> Figures:
    """Head the findings on a base that is taken as it is."""
    (base,) = comparison.standings
    return Figures(
        section="tokenizer",
        title="The vocabulary",
        items=[
            ("tokens per character", f"{base.whole.per_character:.3f}", "on held-out documents"),
            ("pieces", f"{base.pieces:,}", "the base's own, unchanged"),
            ("same ids as sentencepiece", f"{learned.proof.compared_lines:,} lines", "where there is such a model"),
        ],
    )


def comparison_findings(comparison: Comparison) -> list[Finding]:
    """Show a comparison: tokens by source, what is in each vocabulary, the same text cut by each."""
    return [compression_table(comparison), vocabulary_table(comparison), segmentation(comparison)]


def compression_table(comparison: Comparison) -> Table:
    """Tabulate what every vocabulary did on every source."""
    return Table(
        section="tokenizer",
        title="Tokens for the same text",
        columns=[
            "source",
            "vocabulary",
            "tokens",
            "per character",
            "per byte",
            "to the first %",
            "byte tokens %",
            "not spelled again",
            "changed lines",
            "documents",
            "characters",
        ],
        rows=[
            [source, standing.name, *compression_cells(tally, comparison.tallies(source)[0])]
            for source in comparison.sources
            for standing, tally in zip(comparison.standings, comparison.tallies(source), strict=True)
        ],
        note="Byte tokens are less than a character; documents that their tokens do not spell "
        "again hold U+2581, or were normalized; changed are lines without Chinese characters (English, code) with "
        "other ids than in the first vocabulary.",
    )


def compression_cells(tally: Tally, base: Tally) -> list[str | int | float]:
    """Give the cells of one vocabulary on one source."""
    return [
        tally.tokens,
        round(tally.per_character, 4),
        round(tally.per_byte, 4),
        round(100 * tally.change(base), 2) + 0.0,
        round(100 * tally.byte_share, 2),
        tally.broken,
        f"{tally.changed_lines:,} of {tally.plain_lines:,}",
        tally.documents,
        tally.characters,
    ]


def vocabulary_table(comparison: Comparison) -> Table:
    """Tabulate what is in each vocabulary."""
    return Table(
        section="tokenizer",
        title="What is in each vocabulary",
        columns=["vocabulary", "pieces", "new", "unused", "new unused", "out of reach", "new out of reach", "longest"],
        rows=[
            [
                standing.name,
                standing.pieces,
                standing.new,
                standing.unused,
                standing.new_unused,
                standing.unreachable,
                standing.new_unreachable,
                " ".join(standing.longest),
            ]
            for standing in comparison.standings
        ],
        note="Unused pieces stood nowhere in the text above; a piece is out of reach if its own text becomes others. "
        "New are those that an extension put behind the first vocabulary's.",
    )


def segmentation(comparison: Comparison) -> SideBySide | Examples:
    """Show the examples as the vocabularies cut them: two side by side, any other number one below the other."""
    note = "A bar stands between tokens; hexadecimal digits are bytes of a character without a piece."
    if len(comparison.standings) != 2:
        items = [
            (standing.name, standing.segments[i].text, f"{what}: {standing.segments[i].tokens} tokens")
            for i, (_, what) in enumerate(comparison.examples)
            for standing in comparison.standings
        ]
        return Examples(section="tokenizer", title="The same text in tokens", items=items, note=note)
    left, right = comparison.standings
    pairs = [
        Pair(one.text, other.text, f"{what}: {one.tokens} → {other.tokens} tokens")
        for (_, what), one, other in zip(comparison.examples, left.segments, right.segments, strict=True)
    ]
    return SideBySide(
        section="tokenizer",
        title="The same text in tokens",
        left_label=left.name,
        right_label=right.name,
        pairs=pairs,
        note=note,
    )


def tokens_findings(files: Mapping[str, TokenFile], *, vocabulary_size: int) -> list[Finding]:
    """Say how many tokens there are, by source and split, and how long documents are."""
    total = sum(file.token_count for file in files.values())
    documents = sum(file.document_count for file in files.values())
    width = next(iter(files.values())).dtype if files else np.dtype(np.uint16)
    return [
        Figures(
            section="tokens",
            title="Tokens",
            items=[
                ("tokens", f"{total:,}", f"in {documents:,} documents, EOS included"),
                ("on disk", f"{total * width.itemsize / 1e6:,.1f} MB", f"{width}, {vocabulary_size:,} pieces"),
            ],
        ),
        Table(
            section="tokens",
            title="Tokens by source and split",
            columns=["split", "source", "documents", "tokens", "tokens per document", "windows of 1,024"],
            rows=[
                [
                    *stem.split("/", 1),
                    file.document_count,
                    file.token_count,
                    round(file.token_count / max(1, file.document_count), 1),
                    file.window_count(1024),
                ]
                for stem, file in files.items()
            ],
        ),
        document_lengths(files),
    ]


def mixture_table(shares: Sequence[Share]) -> Table:
    """Tabulate what a pass over the mixture reads of each source."""
    return Table(
        section="training",
        title="The mixture",
        columns=["source", "windows", "read in a pass", "asked %", "realised %", "passes over it"],
        rows=[
            [
                share.source,
                share.windows,
                share.draws,
                round(100 * share.asked, 2),
                round(100 * share.realised, 2),
                round(share.epochs, 2),
            ]
            for share in shares
        ],
        note="Asked by weights or shares and the temperature; realised after the cap on passes, in whole windows.",
    )


def document_lengths(files: Mapping[str, TokenFile]) -> Histogram:
    """Count training documents by their number of tokens, in powers of two."""
    edges = [1.0, *(float(2**k) for k in range(3, 17)), float(2**31)]
    return Histogram(
        section="tokens",
        title="Document lengths",
        unit="tokens",
        edges=edges,
        series=[
            (stem.split("/", 1)[1], np.histogram(file.lengths, edges)[0].tolist())
            for stem, file in files.items()
            if stem.startswith("train/")
        ],
        log=True,
    )
