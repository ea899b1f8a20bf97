"""What a stage tells the report: blocks of figures, tables, pictures and texts.

A stage returns blocks with its outcome, the runner stores them as `findings.json` beside
the manifest, and the report draws them. So the report knows no room, and a room knows no
HTML. Findings are shown to people and are no part of a dataset's id.

    Figures      headline numbers              Histogram   lengths, scores, sizes
    Table        rows and columns              Curve       a loss, a share over time
    Bars         one number for each label     SideBySide  two texts, differences marked
    Funnel       what is left after each step  Examples    texts with a label

Texts are given whole; the report cuts what is too long and says how much it cut.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

Section = Literal["corpus", "dedup", "tokenizer", "tokens", "training", "provenance"]
Cell = str | int | float


class FindingError(ValueError):
    """A block that cannot be drawn; the message names the block and the mend."""


class Block(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="block",
    tag=str.lower,
):
    """Common part of all blocks: the section of the report that they stand in.

    Sequences may be given as lists and are kept as tuples. A lone surrogate, which
    UTF-8 cannot hold (it comes from undecodable file names), is kept as its escape.
    """

    section: Section

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            msgspec.structs.force_setattr(self, name, _settled(getattr(self, name)))
        for problem in self.problems():
            raise FindingError(f"{type(self).__name__} {getattr(self, 'title', '')!r}: {problem}")

    def problems(self) -> Iterable[str]:
        """What is wrong with the contents, a sentence each; nothing for a good block."""
        return ()


class Figures(Block, frozen=True):
    """Headline numbers as (label, value, note), the value written as it shall be read.

    The first two of a section's first block also stand in the summary on top of the
    report, so the most telling ones come first.
    """

    title: str
    items: Sequence[tuple[str, str, str]]


class Table(Block, frozen=True):
    """Rows under named columns; numbers are aligned and grouped by the report."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def problems(self) -> Iterable[str]:
        """Rows must be as wide as the header, numbers finite."""
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                yield f"row {index} has {len(row)} cells for {len(self.columns)} columns."
            yield from _not_finite(f"row {index}", [x for x in row if isinstance(x, float)])


class Bars(Block, frozen=True):
    """One number for each label, in the order given; `unit` names the axis."""

    title: str
    unit: str
    items: Sequence[tuple[str, float]]
    note: str = ""

    def problems(self) -> Iterable[str]:
        """Values must be finite."""
        return _not_finite("items", [value for _, value in self.items])


class Funnel(Block, frozen=True):
    """What is left after each step, one row a source: `("poetry", [311855, 300021])`."""

    title: str
    steps: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]
    note: str = ""

    def problems(self) -> Iterable[str]:
        """There is a step; each row needs one count of at least 0 for each step."""
        if not self.steps:
            yield "steps must name at least one step."
        for source, counts in self.rows:
            if len(counts) != len(self.steps):
                yield f"{source!r} has {len(counts)} counts for {len(self.steps)} steps."
            if any(count < 0 for count in counts):
                yield f"{source!r} has a count below 0."


class Histogram(Block, frozen=True):
    """Counts between edges, one series a source, all over the same edges.

    Bin i holds edges[i] <= x < edges[i + 1]. `log` draws the horizontal axis (the
    edges, not the counts) logarithmically.
    """

    title: str
    unit: str
    edges: Sequence[float]
    series: Sequence[tuple[str, Sequence[int]]]
    note: str = ""
    log: bool = False

    def problems(self) -> Iterable[str]:
        """Edges must ascend (above 0 if `log`); a series has one count less than edges."""
        yield from _not_finite("edges", self.edges)
        if len(self.edges) < 2 or any(a >= b for a, b in pairwise(self.edges)):
            yield "edges must be at least two, each larger than the one before."
        if self.log and any(edge <= 0 for edge in self.edges):
            yield "edges must lie above 0 on a logarithmic axis; start at 1 or leave log out."
        for name, counts in self.series:
            if len(counts) != len(self.edges) - 1:
                yield f"{name!r} has {len(counts)} counts for {len(self.edges)} edges."
            if any(count < 0 for count in counts):
                yield f"{name!r} has a count below 0."


class Curve(Block, frozen=True):
    """Points (x, y) in ascending x, one line a series; `lines` are levels to compare with."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    lines: Sequence[tuple[str, float]] = ()
    note: str = ""

    def problems(self) -> Iterable[str]:
        """Points must be finite and in ascending order of x."""
        yield from _not_finite("lines", [y for _, y in self.lines])
        for name, points in self.series:
            yield from _not_finite(repr(name), [value for point in points for value in point])
            if any(a[0] > b[0] for a, b in pairwise(points)):
                yield f"the points of {name!r} must be in ascending order of x."


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two texts to compare, and what is to be said of them (a similarity, their ids)."""

    left: str
    right: str
    note: str = ""


class SideBySide(Block, frozen=True):
    """Pairs of texts in two columns; the report marks where they differ."""

    title: str
    left_label: str
    right_label: str
    pairs: Sequence[Pair]
    note: str = ""


class Examples(Block, frozen=True):
    """Texts as (label, text, note)."""

    title: str
    items: Sequence[tuple[str, str, str]]
    note: str = ""


Finding = Figures | Table | Bars | Funnel | Histogram | Curve | SideBySide | Examples

_DECODER = msgspec.json.Decoder(tuple[Finding, ...])


def encode(findings: Sequence[Finding]) -> bytes:
    """UTF-8 JSON of the blocks; equal blocks give equal bytes, and `decode` takes it back.

    Raises:
        FindingError: a field has another type than declared.
    """
    try:
        raw = msgspec.json.encode(tuple(findings))
    except (TypeError, ValueError) as error:
        message = f"findings cannot be written: {error}; give plain int, float and str."
        raise FindingError(message) from error
    # Reading back checks every type, and makes 1 and 1.0 the same where floats are declared.
    return msgspec.json.encode(decode(raw))


def decode(data: bytes) -> tuple[Finding, ...]:
    """The blocks of a `findings.json`.

    Raises:
        FindingError: not JSON, an unknown kind of block, or contents that do not fit.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FindingError(f"findings do not fit their blocks: {error}") from error


def _settled(value: object) -> object:
    """The value with tuples for sequences and escapes for lone surrogates, all the way down."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list | tuple):
        return tuple(_settled(item) for item in value)
    if isinstance(value, Pair):
        return Pair(*(str(_settled(text)) for text in (value.left, value.right, value.note)))
    return value


def _not_finite(place: str, values: Iterable[float]) -> Iterable[str]:
    for index, value in enumerate(values):
        if not math.isfinite(value):
            yield f"{place}: number {index} is {value}; leave it out and say so in the note."
