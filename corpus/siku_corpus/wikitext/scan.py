"""The scanner: one pass over a page, with a stack of what is open.

Each construct is resolved to text when it closes and becomes a piece of what is around it. A closing mark ends
the nearest opening one of its kind, unless a template stands between; what is open above is given back as text.
So every character is copied at most once per level of nesting, and levels are limited: work is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from siku_corpus.wikitext.links import is_file, resolve_link
from siku_corpus.wikitext.marks import HOLE, RULE, RULE_END, SHIELD, SHIELD_END, Store
from siku_corpus.wikitext.tags import TagReader
from siku_corpus.wikitext.templates import expand_template, read_arguments, template_name
from siku_corpus.wikitext.variants import Rule, Variant, parse_rule

MAX_DEPTH = 100
"""MediaWiki's own limits are 100 for nodes and 40 for templates."""
MAX_RULES = 2000
_LOOK_BEHIND = 32
_TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\||\||-\{|\}-|<|\n[ \t]*+\n")
_PARAGRAPH_END = re.compile(r"\n[ \t]*+\n|\n=")
_SECTION_END = re.compile(r"\n=")

Kind = Literal["page", "template", "parameter", "link", "table", "variant"]


class MarkupError(ValueError):
    """A page whose markup cannot be resolved."""


class _Open:
    """Something that was opened and not yet closed."""

    __slots__ = ("kind", "parts", "rules")

    def __init__(self, kind: Kind, rules: int) -> None:
        self.kind = kind
        self.parts: list[list[str]] = [[]]
        """Between bars; each a list of pieces."""
        self.rules = rules
        """How many language rules there were before it."""

    def texts(self) -> list[str]:
        return ["".join(pieces) for pieces in self.parts]


class Scanner:
    """Reads one page's markup.

    Args:
        markup: without control characters.
        store: takes what no rule may touch.
        variant: the reader's variant of Chinese; None where the wiki has no language rules.
    """

    def __init__(self, markup: str, *, store: Store, variant: Variant | None) -> None:
        self.rules: list[Rule] = []
        self.title: str | None = None
        """What a rule with the flag T makes the page's title."""
        self.steps = 0
        """Tokens read: the measure of work."""
        self._markup = markup
        self._tags = TagReader(markup, store)
        self._variant = variant
        self._stack = [_Open("page", 0)]

    def scan(self) -> str:
        """The page as text with marks; headings and lists still as they were.

        Raises:
            MarkupError: it is nested too deep or holds too many language rules.
        """
        markup, search, position = self._markup, _TOKEN.search, 0
        handlers = self._handlers()
        while (token := search(markup, position)) is not None:
            self.steps += 1
            start = token.start()
            if start > position:
                self._stack[-1].parts[-1].append(markup[position:start])
            position = handlers.get(token[0], self._paragraph)(start)
        self._append(markup[position:])
        while len(self._stack) > 1:
            self._give_back()
        return "".join(self._stack[0].texts())

    def _handlers(self) -> dict[str, Callable[[int], int]]:
        return {
            "{{": self._open_braces,
            "}}": self._close_braces,
            "[[": self._open_link,
            "]]": self._close_link,
            "{|": self._open_table,
            "|": self._bar,
            "-{": self._open_variant,
            "}-": self._close_variant,
            "<": self._tag,
        }

    def _append(self, piece: str) -> None:
        self._stack[-1].parts[-1].append(piece)

    def _push(self, kind: Kind) -> None:
        if len(self._stack) > MAX_DEPTH:
            msg = f"markup is nested more than {MAX_DEPTH} deep"
            raise MarkupError(msg)
        self._stack.append(_Open(kind, len(self.rules)))

    def _nearest(self, kinds: frozenset[str], passing: frozenset[str]) -> int:
        """Place in the stack of the nearest of some kinds with nothing but `passing` above it, or 0."""
        for place in range(len(self._stack) - 1, 0, -1):
            kind = self._stack[place].kind
            if kind in kinds:
                return place
            if kind not in passing:
                return 0
        return 0

    def _close(self, place: int) -> _Open:
        while len(self._stack) - 1 > place:
            self._give_back()
        return self._stack.pop()

    def _give_back(self) -> None:
        """Make text of what was opened and never closed: as little junk and as much prose as can be told apart."""
        lost = self._stack.pop()
        text = "|".join(lost.texts())
        if lost.kind in {"template", "parameter", "table"}:
            end = (_SECTION_END if lost.kind == "table" else _PARAGRAPH_END).search(text)
            text = HOLE + (text[end.start() :] if end else "")
        elif lost.kind == "link" and is_file(text):
            text = HOLE + "".join(text.partition("\n")[1:])
        self._append(text)

    def _vanish(self, closed: _Open) -> None:
        """Leave a hole, and in it the language rules that were inside, which hold for what follows."""
        marks = "".join(f"{RULE}{number}{RULE_END}" for number in range(closed.rules, len(self.rules)))
        self._append(HOLE + marks)

    def _open_braces(self, start: int) -> int:
        if _run_length(self._markup, start, "{") == 3:
            self._push("parameter")
            return start + 3
        self._push("template")
        return start + 2

    def _close_braces(self, start: int) -> int:
        place = self._nearest(_BRACES, _INSIDE_BRACES)
        if not place:
            return start + 2  # a typo: nothing to close, and no reader wants to see it
        closed = self._close(place)
        if closed.kind == "parameter":
            if self._markup.startswith("}}}", start):
                self._append("|".join(closed.texts()[1:]))
                return start + 3
            self._append("{")
        self._template(closed)
        return start + 2

    def _template(self, closed: _Open) -> None:
        parts = closed.texts()
        if self._variant and template_name(parts[0]) == "noteta":
            self._note_terms(parts[1:])
            self._vanish(closed)
            return
        text = expand_template(parts)
        if text == HOLE:
            self._vanish(closed)
        else:
            self._append(text)

    def _note_terms(self, parts: list[str]) -> None:
        """{{noteTA|T=…|1=zh-cn:…;zh-tw:…}} is a rule for the title and a hidden rule for each number."""
        arguments = read_arguments(parts)
        if arguments["T"]:
            self._rule(f"T|{arguments['T']}")
        numbered = [value for name, value in arguments.named.items() if name.isdigit() and value]
        for terms in dict.fromkeys([*arguments.positional[1:], *numbered]):
            self._rule(f"H|{terms}")

    def _open_link(self, start: int) -> int:
        self._push("link")
        return start + 2

    def _close_link(self, start: int) -> int:
        place = self._nearest(_LINK, _VARIANT)
        if place:
            closed = self._close(place)
            text = resolve_link(closed.texts())
            if text == HOLE:
                self._vanish(closed)
            else:
                self._append(text)
        elif self._closes_indices():
            self._append("]]")
        return start + 2

    def _closes_indices(self) -> bool:
        """Whether the line has single brackets open, as in a[b[1]]."""
        pieces = self._stack[-1].parts[-1]
        line = pieces[-1].rpartition("\n")[2] if pieces else ""
        return line.count("[") >= line.count("]") + 2

    def _open_table(self, start: int) -> int:
        if not self._begins_line(start):
            self._append("{")
            return start + 1
        self._push("table")
        return start + 2

    def _begins_line(self, start: int) -> bool:
        before = self._markup[max(0, start - _LOOK_BEHIND) : start].rstrip(" \t:*#")
        return (not before and start <= _LOOK_BEHIND) or before[-1:] in {"\n", "}", ">"}

    def _bar(self, start: int) -> int:
        if self._markup.startswith("}", start + 1) and self._ends_table(start):
            self._vanish(self._close(self._nearest(_TABLE, _INSIDE_TABLE)))
            return start + 2
        top = self._stack[-1]
        if top.kind in {"template", "link", "parameter"}:
            top.parts.append([])
        else:
            top.parts[-1].append("|")
        return start + 1

    def _ends_table(self, start: int) -> bool:
        if not self._nearest(_TABLE, _INSIDE_TABLE) or not self._begins_line(start):
            return False
        # A last empty argument and the end of the template around the table: |}}
        return _run_length(self._markup, start + 1, "}") != 2 or not self._nearest(_BRACES, _INSIDE_BRACES)

    def _open_variant(self, start: int) -> int:
        if self._variant is None or _run_length(self._markup, start + 1, "{") % 2 == 0:
            self._append("-")  # as MediaWiki: -{{ is a dash and a template, -{{{ a rule that begins with one
            return start + 1
        self._push("variant")
        return start + 2

    def _close_variant(self, start: int) -> int:
        place = self._nearest(_VARIANT, _LINK)
        if not place:
            self._append("}-")
            return start + 2
        content = "|".join(self._close(place).texts())
        shown = self._rule(content.replace(SHIELD, "").replace(SHIELD_END, ""))
        self._append(shown)
        return start + 2

    def _rule(self, content: str) -> str:
        """Read a language rule; what it shows, and its mark if it holds for what follows."""
        if self._variant is None or len(self.rules) >= MAX_RULES:
            msg = f"the page has more than {MAX_RULES} language rules"
            raise MarkupError(msg)
        rule = parse_rule(content, self._variant)
        self.title = rule.title or self.title
        shown = f"{SHIELD}{rule.shown}{SHIELD_END}" if rule.shown else ""
        if not rule.add and not rule.remove:
            return shown
        self.rules.append(rule)
        return f"{shown}{RULE}{len(self.rules) - 1}{RULE_END}"

    def _tag(self, start: int) -> int:
        text, end = self._tags.read(start)
        if text:
            self._append(text)
        return end

    def _paragraph(self, start: int) -> int:
        """A blank line: no link but a file's caption goes on beyond it."""
        while self._stack[-1].kind == "link" and not is_file("".join(self._stack[-1].parts[0])):
            self._give_back()
        self._append("\n")
        return self._markup.index("\n", start + 1)


_LINK = frozenset({"link"})
_TABLE = frozenset({"table"})
_VARIANT = frozenset({"variant"})
_BRACES = frozenset({"template", "parameter"})
_INSIDE_TABLE = frozenset({"link", "variant"})
_INSIDE_BRACES = frozenset({"link", "variant", "table"})


def _run_length(markup: str, start: int, brace: str) -> int:
    """How many equal braces stand from here on; counted to four, which is all that matters."""
    run = 0
    while run < 4 and markup.startswith(brace, start + run):
        run += 1
    return run
