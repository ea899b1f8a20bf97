"""A page's running text, by the standard library's parser: blocks become lines, the frame around them goes.

This is a plain extractor for small archives; for crawls of billions of pages their publishers' extracted text
(WET, C4, RefinedWeb) is what people read.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

_HIDDEN = frozenset(
    (
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "nav",
        "header",
        "footer",
        "aside",
        "form",
        "button",
        "select",
        "iframe",
        "object",
    )
)
_BLOCKS = frozenset(
    (
        "p",
        "div",
        "br",
        "li",
        "ul",
        "ol",
        "tr",
        "table",
        "section",
        "article",
        "main",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
        "dd",
        "dt",
        "dl",
        "figure",
        "hr",
        "td",
        "th",
    )
)


class PageText(NamedTuple):
    """What a page says."""

    title: str
    text: str


class _Extractor(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.title: list[str] = []
        self._hidden: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in _HIDDEN:
            self._hidden.append(tag)
        self._in_title = tag == "title"
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        self._in_title = False
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self.pieces.append(data.replace("\n", " "))


def page_text(html: str) -> PageText:
    """Title and text of a page; lines are its blocks, without scripts, menus, forms, head and foot.

    Example:
        page_text("<nav>Home</nav><p>One.<p>Two.").text -> "One.", "Two." on two lines
    """
    extractor = _Extractor()
    extractor.feed(html)
    extractor.close()
    lines = (" ".join(line.split()) for line in "".join(extractor.pieces).splitlines())
    return PageText(" ".join("".join(extractor.title).split()), "\n".join(line for line in lines if line))
