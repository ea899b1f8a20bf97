"""The formats that Siku reads: one module a family, one table that names them."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from siku_corpus.opening import Input
from siku_corpus.records import Item
from siku_manifests.errors import RecipeError

Reader = Callable[[Input, int, int], Iterator[Item]]
"""(file, first byte, byte after the last) -> items. A format that cannot be cut gets the whole file."""


class Format(NamedTuple):
    """How one kind of raw file is read."""

    reader: str
    """`module:function` of a Reader; imported when wanted, since readers bring their parsers."""
    holds: str
    """One line for people: what lies in such a file."""
    divisible: bool = False
    """Whether a worker can start at any byte, because records are lines."""
    column: bool = False
    """Whether a source may say under which key or column the text is."""
    opens: tuple[str, ...] = ()
    """Endings of compressions that the reader opens itself, mostly because it can start in their middle."""


FORMATS: dict[str, Format] = {
    "blocks": Format(
        "siku_corpus.sources.blocks:read_blocks",
        "plain text with a blank line between documents: CLUECorpus2020, CLUECorpusSmall",
        divisible=True,
    ),
    "chinese-poetry": Format(
        "siku_corpus.sources.poetry:read_poetry",
        "JSON files of chinese-poetry, GitHub or npm layout: a list of poems, a book, or books in books",
    ),
    "classical-modern": Format(
        "siku_corpus.sources.pairs:read_classical",
        "NiuTrans Classical-Modern: pairs from bitext.txt, chapters from text.txt and source.txt",
    ),
    "clue": Format(
        "siku_corpus.sources.clue:read_clue",
        "tasks of CLUE and FewCLUE: JSON lines, `_!_` between fields, or the JSON of cmrc2018, drcd and c3",
        divisible=True,
    ),
    "cnews": Format(
        "siku_corpus.sources.thucnews:read_cnews", "`label<TAB>text` with CNews' ten labels", divisible=True
    ),
    "coig": Format(
        "siku_corpus.sources.instructions:read_instructions",
        "instructions with answers: COIG's five files and archive, COIG-CQIA, `instruction`/`input`/`output`",
        divisible=True,
    ),
    "csl": Format("siku_corpus.sources.csl:read_csl", "CSL: the whole file or the benchmark's tasks", divisible=True),
    "csv": Format(
        "siku_corpus.sources.tables:read_csv",
        "CSV or TSV with a header and a column `text`, `content` or the one that `column` names",
        column=True,
    ),
    "jsonl": Format(
        "siku_corpus.sources.lines:read_json_lines",
        "an object a line with the text in `text`, `content` or under the key that `column` names",
        divisible=True,
        column=True,
    ),
    "lines": Format("siku_corpus.sources.lines:read_lines", "a document a line", divisible=True),
    "pairs": Format(
        "siku_corpus.sources.pairs:read_pair_lines", "`original<TAB>translation`, such as Tatoeba", divisible=True
    ),
    "parquet": Format(
        "siku_corpus.sources.tables:read_parquet",
        "Parquet with a column `text`, `content` or the one that `column` names",
        divisible=True,
        column=True,
    ),
    "people-daily": Format(
        "siku_corpus.sources.newspaper:read_newspaper",
        "word/tag newspaper text, a paragraph a line, with or without paragraph numbers",
    ),
    "po": Format("siku_corpus.sources.catalogue:read_catalogue", "gettext catalogues: a pair a message"),
    "prose": Format(
        "siku_corpus.sources.prose:read_prose", "a book a file; lines broken at a fixed width are rejoined"
    ),
    "rst": Format("siku_corpus.sources.rst:read_rst", "reStructuredText documentation, a document a file"),
    "text": Format("siku_corpus.sources.lines:read_text", "plain text, a document a file"),
    "thucnews": Format(
        "siku_corpus.sources.thucnews:read_thucnews", "THUCNews: the zip or its folder, CATEGORY/NUMBER.txt"
    ),
    "thucnews-titles": Format(
        "siku_corpus.sources.thucnews:read_titles", "`title<TAB>class number` of THUCNews", divisible=True
    ),
    "translation2019zh": Format(
        "siku_corpus.sources.pairs:read_translation", "an object a line with `english` and `chinese`", divisible=True
    ),
    "warc": Format("siku_corpus.sources.warc:read_warc", "WARC (pages to text) and WET"),
    "wikipedia-dump": Format(
        "siku_corpus.sources.wikipedia:read_dump",
        "`*-pages-articles*.xml`, .bz2, also multistream: articles of a MediaWiki dump as text",
        divisible=True,
        opens=(".bz2",),
    ),
    "wikipedia-extracted": Format(
        "siku_corpus.sources.wikipedia:read_extracted",
        "`<doc>` blocks or JSON lines of an extractor: AA/wiki_00, wiki2019zh",
        divisible=True,
    ),
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


def load_reader(name: str, *, column: str = "") -> Reader:
    """The reader of a format.

    Args:
        name: of the format.
        column: key or column that holds the text, for formats that can be told.

    Raises:
        RecipeError: there is no such format, or it takes no column.
    """
    format_ = find_format(name)
    module, _, function = format_.reader.partition(":")
    reader = getattr(importlib.import_module(module), function)
    if column and not format_.column:
        takers = ", ".join(taker for taker, each in FORMATS.items() if each.column)
        msg = f"column = {column!r}: the format {name!r} knows where its text is; only {takers} can be told."
        raise RecipeError(msg)
    told: Reader = functools.partial(reader, column=column) if column else reader
    return told
