"""Lists of names, written as running text so that a reader sees them whole."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The names between blanks and line ends; `_` stands for a blank inside a name.

    Example:
        "file media_file" -> {"file", "media file"}
    """
    return frozenset(name.replace("_", " ") for name in text.split())
