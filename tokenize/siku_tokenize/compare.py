r"""Any tokenizers on any text, side by side: measured, and told as lines for a terminal, JSON or a page.

vocabularies = [open_vocabulary(path) for path in ("llama.model", "chinese-llama-alpaca-2.model")]
comparison = compare_files(vocabularies, list_files([Path("news.parquet")]))
print("\n".join(comparison_lines(comparison)))
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from siku_manifests.errors import InputError
from siku_manifests.progress import Progress
from siku_manifests.report.legible import legible
from siku_tokenize.measure import Ruler, Tally
from siku_tokenize.standing import VERSES, Comparison, compare_standings
from siku_tokenize.texts import read_files
from siku_tokenize.vocabulary import Vocabulary

COLUMNS = ("tokens", "a character", "a byte", "to first", "byte tokens", "not spelled again", "changed lines")
FIELDS = ("pieces", "new", "unused", "new_unused", "unreachable", "new_unreachable")
CONTENTS = ("pieces", "new", "unused", "new unused", "out of reach", "new out of reach")


def compare_files(
    vocabularies: Sequence[Vocabulary],
    files: Sequence[Path],
    *,
    column: str = "text",
    examples: Sequence[tuple[str, str]] = VERSES,
) -> Comparison:
    """Measure vocabularies on files; a batch of text is held at a time.

    Args:
        vocabularies: the first is the base of the comparison.
        files: from `list_files`.
        column: of the text in Parquet and JSON.
        examples: texts to be cut, with a note on each.

    Raises:
        InputError: a file cannot be read, or there is no text in all of them.
    """
    ruler = Ruler(vocabularies)
    tallies: dict[str, list[Tally]] = {}
    with Progress(sum(file.stat().st_size for file in files), unit="bytes", label="compare") as progress:
        for source, texts, size in read_files(files, column=column):
            before = tallies.get(source, [Tally()] * len(vocabularies))
            found = ruler.measure(texts)
            tallies[source] = [sum_ + tally for sum_, tally in zip(before, found, strict=True)]
            progress.advance(size)
    if not tallies:
        msg = f"{', '.join(map(str, files[:3]))}: no text inside; give files with at least one document."
        raise InputError(msg)
    return compare_standings(vocabularies, tallies, ruler.uses, examples=examples)


def comparison_lines(comparison: Comparison) -> list[str]:
    """Tell a comparison on a terminal: a table of each source, one of the vocabularies, the texts as they are cut."""
    comparison = msgspec.convert(_legible(msgspec.to_builtins(comparison)), Comparison)
    names = [standing.name for standing in comparison.standings]
    lines: list[str] = []
    for source in comparison.sources:
        tallies = comparison.tallies(source)
        first = tallies[0]
        lines += [f"{source}: {first.documents:,} documents, {first.characters:,} characters, {first.bytes:,} bytes"]
        lines += _table([["", *COLUMNS], *([name, *_cells(t, first)] for name, t in zip(names, tallies, strict=True))])
        lines.append("")
    contents = [
        [standing.name, *(f"{getattr(standing, field):,}" for field in FIELDS)] for standing in comparison.standings
    ]
    lines += ["what is in them", *_table([["", *CONTENTS], *contents])]
    lines += [f"  longest of {standing.name}: {' '.join(standing.longest)}" for standing in comparison.standings]
    for number, (_, note) in enumerate(comparison.examples):
        cuts = [[s.name, str(s.segments[number].tokens), s.segments[number].text] for s in comparison.standings]
        lines += ["", note, *_table(cuts, last_left=True)]
    return lines


def _legible(value: Any) -> Any:
    """Pass every string through `legible`: what a piece holds must not move the cursor."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {key: _legible(item) for key, item in value.items()}
    return [_legible(item) for item in value] if isinstance(value, list | tuple) else value


def _cells(tally: Tally, first: Tally) -> list[str]:
    return [
        f"{tally.tokens:,}",
        f"{tally.per_character:.4f}",
        f"{tally.per_byte:.4f}",
        f"{tally.change(first):+.2%}" if tally is not first else "",
        f"{tally.byte_share:.2%}",
        f"{tally.broken:,}",
        f"{tally.changed_lines:,} of {tally.plain_lines:,}",
    ]


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _table(rows: Sequence[Sequence[str]], *, last_left: bool = False) -> list[str]:
    """Align rows: the first column to the left, the others to the right, the last as asked."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - _width(cell))
            left = number == 0 or (last_left and number == len(row) - 1)
            cells.append(cell + space if left else space + cell)
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines
