"""What stands in angle brackets: comments, extensions such as `<ref>` and `<math>`, and HTML."""

from __future__ import annotations

import re
from typing import NamedTuple

from siku_corpus.wikitext.marks import HOLE, Store
from siku_corpus.wikitext.words import words

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)((?:[\s/][^<>]*+)?)>")

_WITHOUT_CONTENT = words(
    """gallery timeline score imagemap hiero templatestyles graph mapframe maplink section indicator inputbox
    categorytree rt rp style script includeonly table references charinsert templatedata"""
)
"""Gone with what they hold; pronunciation over ruby text too."""
_VERBATIM = words("nowiki pre syntaxhighlight source")
_FORMULAE = words("math chem ce")
_BREAKS = words("br p div blockquote center hr poem tr dl dd dt ul ol h1 h2 h3 h4 h5 h6")
_INLINE = words(
    """abbr b bdi bdo big caption cite code col data del dfn em font i ins kbd li link mark meta noinclude nowiki
    onlyinclude q rb ruby rbc rtc s samp small span strike strong sub sup td th thead tbody tfoot time tt u var wbr
    references ref gallery pre math chem ce includeonly table rt rp section source syntaxhighlight translate tvar
    languages img a phonos"""
)
KNOWN = _WITHOUT_CONTENT | _VERBATIM | _FORMULAE | _BREAKS | _INLINE
"""Any other name in angle brackets is text, as on a wiki."""

_RAISED = re.compile(r"<(su[pb])>\s*+([-+−0-9n]{1,8})\s*+</\1>", re.I)
_SUPERSCRIPT = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_SUBSCRIPT = str.maketrans("0123456789+-−n", "₀₁₂₃₄₅₆₇₈₉₊₋₋ₙ")
_XML_ENTITY = re.compile(r"&(lt|gt|amp|quot|nbsp);")
_XML_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " "}


class Resolved(NamedTuple):
    """A construct that was read."""

    text: str
    end: int
    """Offset of the first character after it."""


class TagReader:
    """Reads the tags of one page; remembers which closing tags do not come any more, so that work stays linear."""

    def __init__(self, markup: str, store: Store) -> None:
        self._markup = markup
        self._store = store
        self._missing: set[str] = set()

    def read(self, start: int) -> Resolved:
        """Resolve what the `<` at `start` begins."""
        if self._markup.startswith("<!--", start):
            return self._comment(start)
        tag = _TAG.match(self._markup, start)
        if tag is None or (name := tag[2].lower()) not in KNOWN:
            return Resolved("<", start + 1)
        if tag[1] or tag[3].endswith("/"):
            return Resolved("\n" if name in _BREAKS else HOLE if name == "ref" else "", tag.end())
        return self._opening(name, tag)

    def _opening(self, name: str, tag: re.Match[str]) -> Resolved:
        if name in {"sup", "sub"} and (raised := _RAISED.match(self._markup, tag.start())):
            digits = _SUPERSCRIPT if name == "sup" else _SUBSCRIPT
            return Resolved(raised[2].translate(digits), raised.end())
        if name == "ref":
            return self._reference(tag.end())
        if name in _CLOSING:
            return self._extension(name, tag[3], tag.end())
        return Resolved("\n* " if name == "li" else "\n" if name in _BREAKS else "", tag.end())

    def _comment(self, start: int) -> Resolved:
        """A comment that has a line to itself takes the line with it; one without an end goes to the page's end."""
        markup = self._markup
        end = markup.find("-->", start + 4)
        if end < 0:
            return Resolved("", len(markup))
        end += 3
        if (start == 0 or markup[start - 1] == "\n") and markup.startswith("\n", end):
            end += 1
        return Resolved("", end)

    def _reference(self, start: int) -> Resolved:
        """A reference that another one interrupts was never closed: it ends with its line."""
        limit = _REFERENCE.search(self._markup, start) if "ref" not in self._missing else None
        if limit is None:
            self._missing.add("ref")
        elif limit[0].startswith("</"):
            return Resolved(HOLE, limit.end())
        line_end = self._markup.find("\n", start, limit.start() if limit else len(self._markup))
        if line_end < 0:
            line_end = limit.start() if limit else len(self._markup)
        return Resolved(HOLE, line_end)

    def _extension(self, name: str, attributes: str, start: int) -> Resolved:
        close = _CLOSING[name].search(self._markup, start) if name not in self._missing else None
        if close is None:
            self._missing.add(name)
            return Resolved("", start)
        if name in _WITHOUT_CONTENT:
            return Resolved(HOLE, close.end())
        content = self._markup[start : close.start()]
        if name in _FORMULAE:
            return Resolved(self._store.put(_formula(name, attributes, content)), close.end())
        if name != "nowiki":
            content = f"\n{content.strip(chr(10))}\n"
        return Resolved(self._store.put(_unescape(content)), close.end())


def _formula(name: str, attributes: str, content: str) -> str:
    """The formula's own letters between dollar signs: two for a displayed one."""
    formula = _unescape(content.strip())
    if not formula:
        return ""
    if name != "math":
        formula = rf"\ce{{{formula}}}"
    sign = "$$" if "block" in attributes else "$"
    return f"{sign}{formula}{sign}"


def _unescape(text: str) -> str:
    return _XML_ENTITY.sub(lambda match: _XML_ENTITIES[match[1]], text)


_REFERENCE = re.compile(r"</ref\s*+>|<ref(?=[\s>])[^<>/]*+(?:/(?!>)[^<>/]*+)*+>", re.I)
_CLOSING = {name: re.compile(rf"</{name}\s*+>", re.I) for name in _WITHOUT_CONTENT | _VERBATIM | _FORMULAE}
