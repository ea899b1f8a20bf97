"""The formats that Siku reads: one module a family, one table that names them."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from siku_corpus.records import Item
from siku_manifests.errors import RecipeError

Reader = Callable[[Path, int, int], Iterator[Item]]
"""(file, first byte, byte after the last) -> items. A format that cannot be cut gets the whole file."""


class Format(NamedTuple):
    """How one kind of raw file is read."""

    reader: str
    """`module:function` of a Reader; imported when wanted, since readers bring their parsers."""
    holds: str
    """One line for people: what lies in such a file."""
    divisible: bool = False
    """Whether a worker can start at any byte, because records are lines."""


FORMATS: dict[str, Format] = {
    "chinese-poetry": Format(
        "siku_corpus.sources.poetry:read_poetry",
        "JSON files of chinese-poetry, GitHub or npm layout: a list of poems, a book, or books in books",
    ),
    "jsonl": Format(
        "siku_corpus.sources.lines:read_json_lines",
        "an object a line with the text in `text` or `content`; other strings become metadata",
        divisible=True,
    ),
    "lines": Format("siku_corpus.sources.lines:read_lines", "a document a line", divisible=True),
    "people-daily": Format(
        "siku_corpus.sources.newspaper:read_newspaper",
        "word/tag newspaper text, a paragraph a line, with or without paragraph numbers",
    ),
    "po": Format("siku_corpus.sources.catalogue:read_catalogue", "gettext catalogues: a pair a message"),
    "rst": Format("siku_corpus.sources.rst:read_rst", "reStructuredText documentation, a document a file"),
    "text": Format("siku_corpus.sources.lines:read_text", "plain text, a document a file"),
}


def find_format(name: str) -> Format:
    """The format called `name`.

    Raises:
        RecipeError: there is none.
    """
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        msg = f"format = {name!r} is unknown{hint}; the formats are {', '.join(FORMATS)}."
        raise RecipeError(msg)
    return FORMATS[name]


def load_reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        RecipeError: there is no such format.
    """
    module, _, function = find_format(name).reader.partition(":")
    reader: Reader = getattr(importlib.import_module(module), function)
    return reader
