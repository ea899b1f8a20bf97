"""What the tokenizer and tokens stages tell the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from siku_manifests.findings import Bars, Figures, Finding, Histogram, Pair, SideBySide, Table
from siku_tokenize.encode import Encoder
from siku_tokenize.measure import Measure, show_segments
from siku_tokenize.modelfile import Model
from siku_tokenize.tokenfile import TokenFile

if TYPE_CHECKING:
    from siku_tokenize.build import Learned

VERSES = (
    ("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。", "王之涣《登鹳雀楼》"),
    ("明月幾時有，把酒問青天。不知天上宮闕，今夕是何年。", "蘇軾《水調歌頭》"),
    ("學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？", "《論語·學而》"),
    ("在我的后园，可以看见墙外有两株树，一株是枣树，还有一株也是枣树。", "鲁迅《秋夜》"),
    ("A document is its pieces, then the end of the sequence.", "English keeps its ids"),
)
"""Text in the public domain, for the picture of the segmentation."""


def tokenizer_findings(
    *, base: Model, model: Model, measures: Mapping[str, Measure], learned: Learned
) -> list[Finding]:
    """Say how well the new vocabulary compresses, what is in it and what was proved."""
    whole = sum(measures.values(), Measure())
    before, after = whole.per_character
    new = model.pieces[len(base.pieces) :]
    lengths = Counter(len(piece.text) for piece in new)
    longest = sorted(new, key=lambda piece: (-len(piece.text), -piece.score))[:12]
    sampled = sum(size for _, size in learned.sample.values())
    return [
        Figures(
            section="tokenizer",
            title="The vocabulary",
            items=[
                ("tokens per character", f"{before:.3f} → {after:.3f}", f"{whole.change:+.1%} on held-out documents"),
                ("pieces", f"{len(base.pieces):,} → {len(model.pieces):,}", f"{lengths[1]:,} of them new characters"),
                ("learned from", f"{sampled / 1e6:,.1f} MB", "a seeded sample of the training documents"),
                ("same ids as sentencepiece", f"{learned.proof.compared_lines:,} lines", "tokenizer.json and encoder"),
                ("same ids as the base", f"{learned.proof.english_lines:,} lines", "without Chinese characters"),
                ("new pieces unused in the sample", f"{learned.unused:,}", "building blocks of longer ones"),
            ],
        ),
        compression_table({**measures, "all": whole} if len(measures) > 1 else measures),
        Bars(
            section="tokenizer",
            title="Tokens saved",
            unit="% of the base's tokens",
            items=[(source, round(-100 * measure.change, 1) + 0.0) for source, measure in measures.items()],
            note="On documents held out from learning.",
        ),
        segmentation(base, model),
        Bars(
            section="tokenizer",
            title="New pieces by length",
            unit="pieces",
            items=[
                (f"{length} characters" if length > 1 else "1 character", lengths[length]) for length in sorted(lengths)
            ],
            note="The longest: " + "、".join(piece.text for piece in longest) + ".",
        ),
    ]


def compression_table(measures: Mapping[str, Measure]) -> Table:
    """Tabulate tokens per character before and after."""
    return Table(
        section="tokenizer",
        title="Compression on held-out documents",
        columns=["source", "documents", "characters", "before", "after", "change %", "byte tokens before %", "after %"],
        rows=[
            [
                source,
                measure.documents,
                measure.characters,
                round(measure.per_character[0], 4),
                round(measure.per_character[1], 4),
                round(100 * measure.change, 2),
                round(100 * measure.before_bytes / max(1, measure.before), 2),
                round(100 * measure.after_bytes / max(1, measure.after), 2),
            ]
            for source, measure in measures.items()
        ],
        note="Before and after are tokens per character; byte tokens spell characters without a piece.",
    )


def segmentation(base: Model, model: Model) -> SideBySide:
    """Show some public-domain lines as the base and the extension cut them."""
    sides = [(Encoder(side), side) for side in (base, model)]
    pairs = []
    for text, note in VERSES:
        left, right = (show_segments(encoder, side, text) for encoder, side in sides)
        counts = " → ".join(str(len(encoder.encode(text))) for encoder, _ in sides)
        pairs.append(Pair(left, right, f"{note}: {counts} tokens"))
    return SideBySide(
        section="tokenizer",
        title="The same text in tokens",
        left_label="base",
        right_label="extended",
        pairs=pairs,
        note="A bar stands between tokens; two hexadecimal digits are a byte of a character without a piece.",
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
