"""One page: from its markup to its text."""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import NamedTuple

from siku_corpus.wikitext.lines import tidy
from siku_corpus.wikitext.links import unlink_external
from siku_corpus.wikitext.marks import Store, clean
from siku_corpus.wikitext.scan import MarkupError, Scanner
from siku_corpus.wikitext.tags import KNOWN
from siku_corpus.wikitext.variants import Variant, convert

_LEFT_OVER = re.compile(rf"\{{\{{|\[\[|(?m:^\{{\|)|</?(?:{'|'.join(sorted(KNOWN))})(?:[\s/][^<>]*+)?>", re.I)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


class Article(NamedTuple):
    """What a page says."""

    text: str
    title: str | None
    """The title that the page gives itself for this variant; None where it is the page's name."""


def to_text(markup: str, *, variant: Variant | None = "zh-cn") -> Article:
    """The text of a page.

    Headings and lists stay readable; formulae stay as they are, between dollar signs; tables, references, files,
    categories and templates without running text are gone.

    Args:
        markup: as between `<text>` and `</text>`, XML entities resolved.
        variant: whose words the language rules choose; None for a wiki without such rules.

    Raises:
        MarkupError: nested too deep, too many language rules, or markup is left over.
    """
    store = Store()
    scanner = Scanner(clean(markup), store=store, variant=variant)
    text = scanner.scan()
    if variant is not None:
        text = convert(text, scanner.rules)
    text = tidy(unlink_external(text))
    found = _LEFT_OVER.search(text)
    if found:
        place = text[max(0, found.start() - 20) : found.end() + 20]
        msg = f"markup is left over: {place!r}"
        raise MarkupError(msg)
    # A link that is never closed may have swallowed one of two marks that belong together.
    text = clean(store.restore(_ENTITY.sub(_character, text)))
    return Article(text.strip(), scanner.title)


def _character(entity: re.Match[str]) -> str:
    """The character of a numeric or named entity; a name that HTML does not know stays as it is."""
    if entity[0][1] == "#":
        return html.unescape(entity[0])
    return html5.get(entity[0][1:], entity[0])
