"""From half-resolved text to lines for people: headings, lists, and the traces of what was taken out.

A heading is a line of its own after an empty one; `*` becomes `- `, `#` a number, two blanks a level; `:` and `;`
are only taken away. Sections that are left without text go with their headings, and so do the lists of sources,
notes and links at a page's end.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from siku_corpus.wikitext.marks import HOLE
from siku_corpus.wikitext.words import words

APPARATUS = words(
    """references reference notes footnotes citations sources bibliography_and_references notes_and_references
    references_and_notes external_links further_reading see_also links external_references 参考文献 參考文獻
    参考资料 參考資料 参考来源 參考來源 参考 參考 参考书目 參考書目 参考书籍 參考書籍 资料来源 資料來源 来源 來源
    引用 引注 注释 注釋 註釋 注解 註解 脚注 腳註 附注 附註 备注 備註 注脚 外部链接 外部連結 外部鏈接 外部连接
    外部連接 相关链接 相關連結 延伸阅读 延伸閱讀 扩展阅读 擴展閱讀 参见 參見 参看 參看 相关条目 相關條目 另见 另見
    参考文献与注释 注释与参考文献 注释和参考文献 參考與註釋 参考注释 出处 出處"""
)
"""Titles of sections that hold no text of the article."""

_EMPTY_INSIDE = f" \t{HOLE}，、,;；:：/"
_OPENED = re.compile(f"([（(\\[【])([{_EMPTY_INSIDE}]++)")
_CLOSED = re.compile(f"(?<![{_EMPTY_INSIDE}])([{_EMPTY_INSIDE}]++)([）)\\]】])")
_EMPTIED = re.compile(f"[（(【\\[]{HOLE}++[）)】\\]]")
_GAP = re.compile(f"(?<![ \t{HOLE}])[ \t]*+{HOLE}[ \t{HOLE}]*+")
_NO_BLANK_BEFORE = frozenset(",.;:!?)]，。；：！？、）》」』”’")
_MAGIC = re.compile(r"__[A-Z]{3,24}__|__[\u4e00-\u9fff]{2,10}__")
_QUOTES = re.compile("'{2,}")
_LIST_MARKS = "*#:;"
_ONLY_MARKS = re.compile(r"[\W_]*+")


class _Line(NamedTuple):
    text: str
    level: int
    """Of a heading from 1; 0 for text."""


def tidy(text: str) -> str:
    r"""Lay out a page whose links, templates, tables and tags are resolved.

    Example:
        "== 历史 ==\n* 甲\n* 乙（\x03，丙）" -> "历史\n- 甲\n- 乙（丙）"
    """
    if "''" in text:
        text = _QUOTES.sub(_quotes, text)
    if "__" in text:
        text = _MAGIC.sub("", text)
    if HOLE in text:
        text = _close_brackets(text)
    return _join(_without_empty_sections(_read(text)))


def _quotes(match: re.Match[str]) -> str:
    """Two for italics, three for bold, five for both; what is over is an apostrophe."""
    run = len(match[0])
    return "'" * (run - 5 if run > 5 else 1 if run == 4 else 0)


def _close_brackets(text: str) -> str:
    """Take the separators away that stood between a hole and a bracket, and brackets that hold nothing else."""
    text = _OPENED.sub(lambda match: match[1] + HOLE if HOLE in match[2] else match[0], text)
    text = _CLOSED.sub(lambda match: HOLE + match[2] if HOLE in match[1] else match[0], text)
    return _EMPTIED.sub(HOLE, text)


def _read(text: str) -> list[_Line]:
    lines: list[_Line] = []
    numbering = _Numbering()
    left_out = 0
    for raw in text.split("\n"):
        line = raw.strip() if raw[:1] in " \t=" else raw.rstrip()
        if line.startswith("=") and (heading := _heading(line)):
            if left_out and heading.level > left_out:
                continue
            left_out = heading.level if heading.text.lower() in APPARATUS else 0
            if not left_out:
                lines.append(heading)
                numbering = _Numbering()
        elif not left_out:
            lines.extend(_text(line, numbering))
    return lines


def _heading(line: str) -> _Line | None:
    """Of `=== title ===`; the shorter side says the level."""
    line = line.rstrip(HOLE + " \t")
    level = min(len(line) - len(line.lstrip("=")), len(line) - len(line.rstrip("=")), 6)
    title = line[level:-level].replace(HOLE, "").strip() if 2 * level < len(line) else ""
    return _Line(title, level) if title and level else None


class _Numbering:
    """Counts the items of ordered lists, by depth."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def mark(self, marks: str) -> str:
        depth = len(marks)
        self._counts = {level: count for level, count in self._counts.items() if level <= depth}
        indent = "  " * (depth - 1)
        if marks[-1] == "#":
            self._counts[depth] = self._counts.get(depth, 0) + 1
            return f"{indent}{self._counts[depth]}. "
        if marks[-1] == "*":
            self._counts.pop(depth, None)
            return f"{indent}- "
        return ""

    def stop(self) -> None:
        self._counts.clear()


def _text(line: str, numbering: _Numbering) -> list[_Line]:
    hollow = HOLE in line
    first = line[:1]
    if hollow:
        line = _fill(line)
    if first == "|" or (hollow and _ONLY_MARKS.fullmatch(line)):
        return []  # a row of a broken table, or a line that held nothing but what was taken out
    if line.startswith("----"):
        line = line.lstrip("-").strip()
    if line[:1] and line[0] in _LIST_MARKS:
        content = line.lstrip(_LIST_MARKS)
        marks = line[: len(line) - len(content)]
        content = content.strip()
        if not content:
            return []
        return [_Line(numbering.mark(marks[:6]) + content, 0)]
    numbering.stop()
    return [_Line(line, 0)]


def _fill(line: str) -> str:
    """Close the gap that a hole leaves: one blank between words, none before a full stop or at an end."""

    def replace(match: re.Match[str]) -> str:
        after = line[match.end() : match.end() + 1]
        blank = not after or after in _NO_BLANK_BEFORE or match.start() == 0
        return "" if blank or not (set(match[0]) & {" ", "\t"}) else " "

    return _GAP.sub(replace, line)


def _without_empty_sections(lines: list[_Line]) -> list[_Line]:
    kept: list[_Line] = []
    shallowest = 7  # level of the outermost heading since the last text, seen from below
    for line in reversed(lines):
        if line.level == 0:
            kept.append(line)
            if line.text:
                shallowest = 0
        elif shallowest == 0 or line.level < shallowest < 7:
            kept.append(line)
            shallowest = line.level
    kept.reverse()
    return kept


def _join(lines: list[_Line]) -> str:
    """Lines with at most one empty one between two, and one before a heading."""
    result: list[str] = []
    for line in lines:
        if (line.level or not line.text) and result and result[-1]:
            result.append("")
        if line.text:
            result.append(line.text)
    return "\n".join(result).strip("\n")
