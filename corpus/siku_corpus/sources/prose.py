"""Books as plain text, a book a file, with lines that were broken at a fixed width made whole again.

Typists of the nineties broke lines at some 72 or 80 columns, in the middle of sentences, and in a book that many
hands typed each essay has a width of its own. It betrays itself: most long lines around have one width. There a line
that reaches it goes on in the next, unless that is blank or indented, as a paragraph's first line is.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from siku_corpus.opening import Input, whole_text
from siku_corpus.records import Bad, Document, Item

_MIN_COLUMNS = 40
"""Narrower columns would be verse."""
_RAGGED_COLUMNS = 4
"""A line may end a character or two early, since punctuation must not begin the next."""
_WRAPPED_SHARE = 0.3
"""Lines of the commonest width among those that are not blank, from which a stretch counts as wrapped."""
_WRAPPED_LINES = 3
"""Fewer of one width are chance."""
_STRETCH_LINES = 40
_INDENTS = ("\u3000", "  ", "\t")
_WIDE = frozenset("WFA")


def read_prose(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  whole books
    """Yield a book as one document, named after its file."""
    text = whole_text(file)
    if isinstance(text, Bad):
        yield text
        return
    title = file.name.removesuffix(".txt")
    yield Document("0", "\n".join(rejoin(text.splitlines())), {"title": title} if title else {})


def columns(line: str) -> int:
    """Width of a line on a terminal: a Chinese character takes two columns."""
    return sum(2 if unicodedata.east_asian_width(character) in _WIDE else 1 for character in line)


def wrap_width(lines: Sequence[str]) -> int:
    """The width in columns at which lines were broken; 0 if they were not."""
    widths = Counter(columns(line.rstrip()) for line in lines if line.strip())
    long = {width: count for width, count in widths.items() if width >= _MIN_COLUMNS}
    if not long:
        return 0

    def near(width: int) -> int:
        return sum(long.get(width - step, 0) for step in range(_RAGGED_COLUMNS + 1))

    width = max(sorted(long), key=near)
    return width if near(width) >= max(_WRAPPED_LINES, _WRAPPED_SHARE * sum(widths.values())) else 0


def _widths(lines: Sequence[str]) -> Iterator[int]:
    """For each line the width at which the lines around it were broken, or most of the book."""
    book = wrap_width(lines)
    for start in range(0, len(lines), _STRETCH_LINES):
        around = lines[max(0, start - _STRETCH_LINES // 2) : start + _STRETCH_LINES * 3 // 2]
        width = wrap_width(around) or book
        yield from [width] * len(lines[start : start + _STRETCH_LINES])


def rejoin(lines: Sequence[str]) -> Iterator[str]:
    """Lines with those that were broken made whole.

    Example:
        ["　　我便问我", "：“好？”"], both of the width at which others end too -> ["　　我便问我：“好？”"]
    """
    pending: str | None = None
    full = False
    for line, width in zip(lines, _widths(lines), strict=True):
        if pending is not None and full and line.strip() and not line.startswith(_INDENTS):
            pending += _seam(pending, line) + line.rstrip()
        else:
            if pending is not None:
                yield pending
            pending = line.rstrip()
        full = 0 < width - _RAGGED_COLUMNS <= columns(line.rstrip()) <= width + _RAGGED_COLUMNS
    if pending is not None:
        yield pending


def _seam(before: str, after: str) -> str:
    """A space between Latin words, nothing between Chinese characters."""
    return " " if before[-1:].isascii() and after[:1].isascii() else ""
