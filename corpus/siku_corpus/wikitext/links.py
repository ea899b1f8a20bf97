"""Internal links by the namespace of their target, and external links."""

from __future__ import annotations

import re

from siku_corpus.wikitext.marks import HOLE, SHIELD
from siku_corpus.wikitext.namespaces import CATEGORY_NAMES, FILE_NAMES, LANGUAGES, namespace


def is_file(target: str) -> bool:
    """Whether a link with this target shows a file."""
    return namespace(target.lstrip(SHIELD + " \t\n")) in FILE_NAMES


def resolve_link(parts: list[str]) -> str:
    """The text that `[[target|label]]` shows.

    Args:
        parts: what the bars separate, the target first. A file has more than two; its caption goes with it.

    Example:
        ["地球", "母星"] -> 母星;  ["File:Moon.jpg", "thumb", "月球"] -> a hole
    """
    target = parts[0].strip()
    if "\n" in target or not target:
        return "|".join(parts)
    plain = target.lstrip(SHIELD)
    label = "|".join(parts[1:]).strip() if len(parts) > 1 else ""
    if plain.startswith(":"):
        return label or plain.lstrip(": ")
    name = namespace(plain)
    if name and (name in FILE_NAMES or name in CATEGORY_NAMES or name in LANGUAGES):
        return HOLE
    return label or target


_SCHEME = (
    r"\[(?:(?:https?|ftps?|sftp|ircs?|git|svn|gopher|telnet|nntp|worldwind|mms|ssh|redis):)?//"
    r"|\[(?:mailto|news|urn|tel|magnet|bitcoin|xmpp|sip|geo):"
)
_EXTERNAL = re.compile(rf"(?:{_SCHEME})[^\s\[\]]*+[ \t\u3000]*+((?:[^\[\]\n]|\[[^\[\]\n]*+\])*+)\]", re.I)
_EXTERNAL_OPEN = re.compile(rf"(?:{_SCHEME})[^\s\[\]]*+[ \t]*+", re.I)


def unlink_external(text: str) -> str:
    """Text in which `[https://… label]` is its label, or a hole where it has none."""
    if "[" not in text:
        return text
    text = _EXTERNAL.sub(lambda match: match[1].strip() or HOLE, text)
    return _EXTERNAL_OPEN.sub("", text)
