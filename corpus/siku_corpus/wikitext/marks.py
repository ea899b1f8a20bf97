"""Control characters that stand in half-resolved text for what is not text.

None of them is allowed in XML 1.0, so no page of a dump holds one; `clean` removes them from any other input.
"""

from __future__ import annotations

import re

OPAQUE, OPAQUE_END = "\x01", "\x02"
"""Around the number of a piece that no rule may touch: a formula, code, `<nowiki>`."""
HOLE = "\x03"
"""Where something was taken out."""
SHIELD, SHIELD_END = "\x04", "\x05"
"""Around what a language rule shows, which other language rules must not change."""
RULE, RULE_END = "\x06", "\x07"
"""Around the number of a language rule that holds from here on."""

_ANY = re.compile("[\x00-\x08]")


def clean(markup: str) -> str:
    """The markup without control characters that could be taken for marks."""
    return _ANY.sub("", markup)


class Store:
    """Pieces that are set aside, each represented in the text by a mark with its number."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def put(self, piece: str) -> str:
        """The mark that stands for a piece."""
        self._pieces.append(piece)
        return f"{OPAQUE}{len(self._pieces) - 1}{OPAQUE_END}"

    def restore(self, text: str) -> str:
        """Text with the pieces back in their places."""
        if not self._pieces:
            return text
        return _OPAQUE_MARK.sub(lambda match: self._pieces[int(match[1])], text)


_OPAQUE_MARK = re.compile(f"{OPAQUE}([0-9]+){OPAQUE_END}")
