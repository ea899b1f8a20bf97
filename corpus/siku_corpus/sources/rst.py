"""reStructuredText documentation as the prose that a reader of the rendered page sees.

Not a renderer: Sphinx projects define roles and directives of their own, which docutils alone refuses. Lines
are walked once. Kept are paragraphs with their hard wraps undone, headings, lists, signatures, the bodies of
notes, and code (indented by four spaces). Left out are what only builds the site: tables of contents,
targets, images, index entries, options, comments, and all inline mark-up but the backticks around code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from siku_corpus.opening import Input, whole_text
from siku_corpus.records import Bad, Document, Item

_DIRECTIVE = re.compile(r"( *)\.\. ((?:[\w+-]+:)*[\w+-]+)::? *(.*)")
_EXPLICIT = re.compile(r"( *)\.\.(?: .*)?$")
_OPTION = re.compile(r" +:[\w-]+:(?: |$)")
_FOOTNOTE = re.compile(r"( *)\.\. \[[^\]]+\] +")
_ADORNMENT = re.compile(r" *([!-/:-@\[-`{-~])\1{2,} *$")
_TABLE_BORDER = re.compile(r" *(?:={2,}|-{2,})(?: +(?:={2,}|-{2,}))+ *$|( *)\+[-=+]{3,}\+ *$")
_BULLET = re.compile(r"( *)(?:[*+-]|#\.|\d{1,3}[.)]|\(?[a-z][.)]) +(?=\S)")

_CODE = {"code-block", "console", "code", "parsed-literal", "sourcecode", "literalinclude", "productionlist"}
_SITE = {
    "toctree", "image", "figure", "index", "contents", "module", "currentmodule", "highlight", "program",
    "include", "raw", "sectionauthor", "moduleauthor", "default-role", "meta", "container", "math",
}  # fmt: skip
_LEADS = {
    "note": "Note:", "warning": "Warning:", "tip": "Tip:", "hint": "Hint:", "important": "Important:",
    "caution": "Caution:", "seealso": "See also:", "versionadded": "New in version {}:",
    "versionchanged": "Changed in version {}:", "deprecated": "Deprecated since version {}:",
    "glossary": "", "admonition": "{}", "rubric": "{}",
}  # fmt: skip

_CODE_SPAN = re.compile(r"(``.+?``)")
_ROLE = re.compile(r"(?::[\w+-]+)*:([\w+-]+):`([^`]+)`")
_NUMBERED = {"pep": "PEP ", "rfc": "RFC ", "cve": "CVE-", "ticket": "#"}
"""What Sphinx writes before the number that such a role holds."""
_LINK = re.compile(r"`([^`]+)`(?:__?)?")
_WITH_TARGET = re.compile(r"(.*?)\s*<[^<>]*>$", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*\\])(\*\*?)(?=[^\s*])(.+?)(?<=[^\s*\\])\1(?![\w*])")
_SUBSTITUTION = re.compile(r" ?\|[A-Za-z][\w .-]*\|")
_FOOTNOTE_MARK = re.compile(r" ?\[(?:#\w*|\d+|\*)\]_")
_REFERENCE = re.compile(r"(?<![\w`/.-])([A-Za-z][\w.-]*[A-Za-z0-9])__?(?=[\s,.;:!?)\]]|$)")
_ESCAPE = re.compile(r"\\(\s|.)")


def read_rst(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  whole files only
    """Yield a file as one document with its first heading as title."""
    source = whole_text(file)
    if isinstance(source, Bad):
        yield source
        return
    text = plain_text(source)
    title = text.partition("\n")[0].strip()
    yield Document("0", text, {"title": title} if title else {})


def plain_text(source: str) -> str:
    r"""The prose and code of a reStructuredText document, blocks apart by an empty line.

    Example:
        plain_text("Title\n=====\n\nSee :ref:`the\nguide <g>`::\n\n  x = 1\n")
        -> "Title\n\nSee the guide:\n\n    x = 1"
    """
    return "\n\n".join(block for block in _Walk(source.expandtabs(8).splitlines()).blocks() if block.strip())


class _Walk:
    """One pass over the lines; the state is which line comes next."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = [line.rstrip() for line in lines]
        self._next = 0

    def blocks(self) -> Iterator[str]:
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if not line:
                self._next += 1
            elif _TABLE_BORDER.match(line):
                yield self._table()
            elif _EXPLICIT.match(line):
                yield from self._explicit(line)
            else:
                paragraph, opens_code = self._paragraph()
                yield paragraph
                if opens_code:
                    yield self._code(_indent(line))

    def _explicit(self, line: str) -> Iterator[str]:
        """A construct that begins with two dots: directive, footnote, target or comment."""
        if _FOOTNOTE.match(line):
            self._lines[self._next] = _FOOTNOTE.sub(r"\1", line)
            return
        self._next += 1
        directive = _DIRECTIVE.match(line)
        if directive is None or line.lstrip().startswith((".. _", ".. |")):
            self._skip(_indent(line))
            return
        name, argument = directive[2].rpartition(":")[2], directive[3].strip()
        if name in _SITE:
            self._skip(_indent(line))
            return
        continuation = [argument, *self._head(continues=argument.endswith("\\") or name == "admonition")]
        if name in _CODE:
            yield self._code(_indent(line))
            return
        yield inline(_LEADS.get(name, "{}").format(" ".join(filter(None, continuation))))

    def _head(self, *, continues: bool) -> list[str]:
        """The lines right below a directive: options are passed over, a wrapped argument is given back."""
        wrapped = []
        while self._next < len(self._lines) and self._lines[self._next].startswith(" "):
            line = self._lines[self._next]
            if not _OPTION.match(line):
                if not continues:
                    break
                wrapped.append(line.strip())
            self._next += 1
        return wrapped

    def _skip(self, base: int) -> None:
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if line and _indent(line) <= base:
                return
            self._next += 1

    def _code(self, base: int) -> str:
        first = self._next
        self._skip(base)
        block = self._lines[first : self._next]
        depth = min((_indent(line) for line in block if line), default=0)
        return "\n".join(" " * 4 + line[depth:] if line else "" for line in block).strip("\n")

    def _table(self) -> str:
        """Rows between borders, a line each; columns keep their distance, which is all that shows them."""
        rows = []
        while self._next < len(self._lines) and self._lines[self._next]:
            line = self._lines[self._next]
            self._next += 1
            if not _TABLE_BORDER.match(line):
                rows.append(inline(line.strip()))
        return "\n".join(rows)

    def _paragraph(self) -> tuple[str, bool]:
        """Lines up to an empty one; those at the same depth are one wrapped line. Also: does code follow?"""
        joined: list[str] = []
        depth = -1
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if not line or _EXPLICIT.match(line) or _TABLE_BORDER.match(line):
                break
            self._next += 1
            if _ADORNMENT.match(line):
                depth = -1
                continue
            bullet = _BULLET.match(line)
            if joined and not bullet and _indent(line) == depth:
                joined[-1] += " " + line.strip()
            else:
                joined.append(line.strip())
            depth = bullet.end() if bullet else _indent(line)
        opens_code = bool(joined) and joined[-1].endswith("::")
        if opens_code:
            joined[-1] = joined[-1][:-2].rstrip() + ("" if joined[-1] == "::" else ":")
        return "\n".join(map(inline, joined)), opens_code


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def inline(text: str) -> str:
    """Take inline mark-up off a line: roles, links, emphasis, substitutions; code keeps single backticks.

    Example:
        inline(":class:`~django.db.models.Model` takes ``**kwargs``") -> "Model takes `**kwargs`"
    """
    parts = _CODE_SPAN.split(text)
    for index in range(0, len(parts), 2):
        part = _ROLE.sub(_role_text, parts[index])
        part = _LINK.sub(_link_text, part)
        part = _EMPHASIS.sub(r"\2", part)
        part = _FOOTNOTE_MARK.sub("", _SUBSTITUTION.sub("", _REFERENCE.sub(r"\1", part)))
        parts[index] = _ESCAPE.sub(lambda escape: "" if escape[1].isspace() else escape[1], part)
    for index in range(1, len(parts), 2):
        parts[index] = parts[index][1:-1]
    return "".join(parts)


def _link_text(link: re.Match[str]) -> str:
    return _without_target(link[1])


def _role_text(role: re.Match[str]) -> str:
    text = _without_target(role[2])
    if text.startswith("~"):
        return text.rpartition(".")[2].lstrip("~")
    return _NUMBERED.get(role[1], "") + text.lstrip("!")


def _without_target(text: str) -> str:
    target = _WITH_TARGET.match(text)
    return target[1] if target and target[1] else text
