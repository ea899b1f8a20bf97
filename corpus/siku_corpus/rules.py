"""The rules of normalization in their order, and what each of them waits for."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from siku_corpus.copies import remove_boilerplate, remove_second_body
from siku_corpus.private import PRIVATE
from siku_corpus.private import WAITS_FOR as PRIVATE_WAITS_FOR
from siku_corpus.private_use import PRIVATE_USE
from siku_corpus.rewriting import HAN, LINE_STARTS, Applied, Rule, difference, stretch, substitute
from siku_corpus.script import to_simplified
from siku_corpus.survey import SEPARATOR

_CONTROLS = (
    "\x00-\x08\x0e-\x1d\x1f\x7f-\x84\x86-\x9f"  # C0 and C1 but for tab, line ends and the separator
    "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, bidirectional
    "\ufe00-\ufe0f\U000e0000-\U000e01ef"  # variation selectors and tags
)
_LINE_ENDS = "\r\x0b\x0c\x85\u2028\u2029"
_WIDE = "０-９Ａ-Ｚａ-ｚ"
_SYMBOLS = "％＋＝＜＞＠＆．"
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def _to_half(match: re.Match[str]) -> str:
    return match[0].translate(_HALF_WIDTH)


def _compose(text: str) -> Applied:
    """Unicode NFC, never NFKC, which would take ，（）：；？！ for their ASCII look-alikes.

    It maps the 1,002 CJK compatibility ideographs (豈 U+F900) to the unified ones that Unicode declares equal:
    else one poem in two encodings would be two poems. It is the only rule, with `private_use`, that changes a
    Han character in poetry and classical text.
    """
    count, example, documents = 0, ("", ""), []
    for document in text.split(SEPARATOR):
        composed = unicodedata.normalize("NFC", document)
        if composed != document:
            count += 1
            example = example if count > 1 else difference(document, composed)
        documents.append(composed)
    return Applied(SEPARATOR.join(documents) if count else text, count, example)


def _script(text: str) -> Applied:
    documents = text.split(SEPARATOR)
    simplified, count = to_simplified(documents)
    if not count:
        return Applied(text, 0)
    changed = next((pair for pair in zip(documents, simplified, strict=True) if pair[0] != pair[1]), None)
    return Applied(SEPARATOR.join(simplified), count, difference(*changed) if changed else ("", ""))


_ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
_AMPERSANDS = re.compile(r"&(?:amp;)+")
_ENTITY_ROUNDS = 4
_unescape = substitute(_ENTITY, lambda entity: html.unescape(entity[0]).replace(SEPARATOR, ""), gate="&")


def _entities(text: str) -> Applied:
    """HTML entities with their semicolon, so that `?a=1&copy=2` stays an address; also escaped twice."""
    count, example = 0, ("", "")
    for _ in range(_ENTITY_ROUNDS):
        applied = _unescape(_AMPERSANDS.sub("&amp;", text) if "&amp;amp;" in text else text)
        example = example if count else applied.example
        if applied.text == text:
            break
        count += applied.changes
        text = applied.text
    return Applied(text, count, example)


_PUNCTUATION = dict(zip(",?!:;", "，？！：；", strict=True))
_DOTS = re.compile(r"\.\.\.+")
_BEFORE_DOTS = re.compile(rf"[{HAN}”’」』！？]")
_STOPS = re.compile("。。。+")


def _one_space(run: re.Match[str]) -> str:
    return run[0][0] if run[0][0] in LINE_STARTS else " "


def _ellipsis(text: str) -> Applied:
    """Three dots or more after Han, and three full stops or more, are one ……."""
    count, example = 0, ("", "")
    for pattern, gate, before in ((_DOTS, "...", _BEFORE_DOTS), (_STOPS, "。。。", None)):
        pieces, end = [], 0
        for found in pattern.finditer(text) if gate in text else ():
            if before is not None and not before.match(text, max(0, found.start() - 1), found.start()):
                continue
            pieces += [text[end : found.start()], "……"]
            end, count = found.end(), count + 1
            if count == 1:
                around = stretch(text, *found.span())
                example = (around, around.replace(found[0], "……", 1))
        text = "".join([*pieces, text[end:]]) if end else text
    return Applied(text, count, example)


def _trim(text: str) -> Applied:
    """No space at a line's end, at most one empty line, nothing empty around a document."""
    documents = text.split(SEPARATOR)
    trimmed = [
        _rstrip_lines(document) if " \n" in document or "\t\n" in document else document for document in documents
    ]
    while any("\n\n\n" in document for document in trimmed):
        trimmed = [document.replace("\n\n\n", "\n\n") for document in trimmed]
    trimmed = [document.strip(" \t\n") for document in trimmed]
    changes = sum(map(str.__ne__, documents, trimmed))
    return Applied(SEPARATOR.join(trimmed) if changes else text, changes)


def _rstrip_lines(document: str) -> str:
    return "\n".join(line.rstrip(" \t") for line in document.split("\n"))


RULES: dict[str, Rule] = {
    "line_ends": substitute(f"\r\n?|[{_LINE_ENDS[1:]}]", "\n"),
    "controls": substitute(f"[{_CONTROLS}]+", ""),
    "private_use": substitute(f"[{''.join(PRIVATE_USE)}]", lambda found: PRIVATE_USE[found[0]]),
    "width": substitute(f"[{_WIDE}]+", _to_half),
    "compose": _compose,
    "symbols": substitute(f"[{_SYMBOLS}](?=[0-9A-Za-z])(?<=[0-9A-Za-z].)", _to_half),
    "entities": _entities,
    "spaces": substitute(f"[{_SPACES}]", " "),
    "runs": substitute(" [ \t]+|\t[ \t]*|\n[ \t]+|\x1e[ \t]+", _one_space),
    "gaps": substitute(f" (?=[{HAN}])(?<=[{HAN}] )", "", gate=" "),
    **PRIVATE,
    "punctuation": substitute(f"[,?!:;](?=[{HAN}])(?<=[{HAN}].)", lambda found: _PUNCTUATION[found[0]]),
    "ellipsis": _ellipsis,
    "boilerplate": remove_boilerplate,
    "trim": _trim,
    "script": _script,
    "pasted_twice": remove_second_body,
}
"""Every rule in the order in which it runs."""

SAYS: Mapping[str, str] = {
    "line_ends": "CR, CR LF, vertical tab, form feed, NEL and Unicode's separators become LF",
    "controls": "control, invisible, bidirectional and variation-selecting characters go; tab and LF stay",
    "private_use": "private-use characters of GBK become those that Unicode has since taken in",
    "width": "full-width letters and digits become ASCII; punctuation stays wide",
    "compose": "Unicode NFC, never NFKC",
    "symbols": "％＋＝＜＞＠＆．become ASCII between ASCII letters or digits",
    "entities": "HTML entities become their characters, also escaped twice",
    "spaces": "no-break, ideographic and other wide spaces become a space",
    "runs": "runs of spaces and tabs become a space, none at a line's beginning",
    "gaps": "no space between two Han characters",
    "email": "e-mail addresses become [EMAIL]",
    "id_number": "numbers of identity cards become [ID_NUMBER]",
    "bank_card": "numbers of bank cards become [BANK_CARD]",
    "mobile": "mobile numbers become [MOBILE]",
    "ip_address": "public IPv4 addresses become [IP_ADDRESS]",
    "punctuation": ", ? ! : ; between Han characters become wide",
    "ellipsis": "three dots or more after Han, and three full stops, become ……",
    "boilerplate": "lines of a page's frame and of advertisements go",
    "trim": "no space at a line's end, at most one empty line, none around a document",
    "script": "documents in traditional characters become simplified, by OpenCC's t2s",
    "pasted_twice": "a body that stands twice in its document stands once",
}
"""What each rule does, for people."""

AGAIN: Mapping[str, Sequence[str]] = {
    "entities": ("line_ends", "controls", "private_use", "width", "compose", "symbols", "entities"),
    "pasted_twice": ("script", "pasted_twice"),
}
"""Rule -> the rules for which it may have made new work: an entity may spell any character, and what is few
characters in a long text may be many in a shorter one."""

WAITS_FOR: Mapping[str, str] = {
    **{name: name for name in ("line_ends", "controls", "private_use", "width", "compose", "symbols", "spaces")},
    "entities": "&",
    **PRIVATE_WAITS_FOR,
}
"""Rule -> the class of characters of the survey without which it changes nothing."""


def awaited() -> dict[str, Iterable[str]]:
    """The classes that WAITS_FOR names, with their characters."""
    patterns = {
        "line_ends": _LINE_ENDS, "controls": _CONTROLS, "private_use": "".join(PRIVATE_USE), "width": _WIDE,
        "symbols": _SYMBOLS, "spaces": _SPACES,
    }  # fmt: skip
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000), *range(0xE0000, 0xE0200)]))
    found: dict[str, Iterable[str]] = {name: re.findall(f"[{members}]", every) for name, members in patterns.items()}
    return found | {"&": "&", "@": "@", "compose": _uncomposed()}


def _uncomposed() -> list[str]:
    """Characters that NFC changes, moves, or may join with the one before: without them a text is composed.

    Source: Unicode Standard Annex 15, 9, the quick check of NFC.
    """
    found = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}  # vowels and finals of hangul
    for code in (*range(0x80, 0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x20000), *range(0x2F800, 0x2FA20)):
        character = chr(code)
        if unicodedata.combining(character):
            found.add(character)
        parts = unicodedata.decomposition(character)
        if parts and parts[0] != "<":
            found.update(chr(int(part, 16)) for part in parts.split()[1:])
            if unicodedata.normalize("NFC", character) != character:
                found.add(character)
    return sorted(found)
