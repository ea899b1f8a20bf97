"""Wikitext to text: pure functions on the markup of one page.

    scan      one pass with a stack: templates, links, tables, tags and language rules, each resolved when it closes
    tags      what stands in angle brackets: comments, references, formulae, code
    links     internal links by namespace, external links
    templates the few templates that hold running text
    variants  `-{zh-hans:…;zh-hant:…}-` and its flags
    lines     headings, lists, and the traces of what was taken out

Why not a parser library: measured on 106 pages (5.7 MB), mwparserfromhell alone reads 1.7 MB/s, and what it
leaves (language rules, file captions, categories) needs a second pass in front of it.
"""

from __future__ import annotations

from siku_corpus.wikitext.page import Article, to_text
from siku_corpus.wikitext.scan import MarkupError

__all__ = ["Article", "MarkupError", "to_text"]
