"""The pages of formats and of cleaning in `docs/`, written from the code so that they cannot be wrong.

`python -m siku_corpus.reference docs` writes them; a test compares.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

from siku_corpus.filters import FILTERS
from siku_corpus.opening import COMPRESSIONS, MAX_WHOLE_BYTES
from siku_corpus.profiles import PROFILES, THRESHOLDS
from siku_corpus.profiles import RULES as PROFILE_RULES
from siku_corpus.records import MAX_DOCUMENT_CHARACTERS
from siku_corpus.rules import RULES, SAYS
from siku_corpus.sources import FORMATS, Format, load_reader
from siku_corpus.sources.lines import MAX_LINE_BYTES
from siku_corpus.tell import REFUSED
from siku_manifests.atomic import write_bytes

SOURCES_PAGE = "sources.md"
CLEANING_PAGE = "cleaning.md"
_CLEANING = """# Cleaning

A source's `profile` says what kind of text it is, and that decides what is done to it. A recipe changes single things:
`[normalize] script` and `private`, `[filter.thresholds.PROFILE]`, `[filter] report_only`.
"""
_RULES = """Before these, mojibake is found behind a cheap look and repaired where the way back is exact; a document
that stays lost goes to the quarantine. The rules run in this order, each is counted and shown with an example in the
report, and running them again changes nothing. A dot says where a rule applies by default.
"""
_FILTERS = """Asked in this order; the first that objects names the reason. A number is the default threshold; nothing
means that the filter is off. `FineWeb-2, adapted` is counted in characters where the original counts words, and set
on known good news; the thresholds of `english` are Gopher's, its n-grams are of words. Spaces are left out where shares
of characters are counted. A dropped document is kept beside the others with its reason and its value, and
`siku explain RECIPE ID` says it.
"""

_INTRODUCTION = """# Source formats

`format = "…"` of a `[[source]]` names one of these. Every one is also read behind a compression
({compressions}) and inside an archive (`.zip`, and `.tar` with any of gz, bz2, xz,
zst), which is never unpacked: give the archive's own path or address as `where`, and `path` chooses among its members.
What else `where` may say is told in [fetching.md](fetching.md).
A document's id is `SOURCE/PATH#LOCATOR`, with a member's path behind its archive's.

Encodings are found (UTF-8 with or without a byte-order mark, UTF-16 of whole files, GB18030 with its subsets, Big5) or
declared, `encoding = "big5"`. Where the text stands in JSON lines, Parquet and CSV, `column = "body"` says. To the
quarantine go a line above {line} MiB, a file above {whole} MiB that can only be read whole, and a document above
{characters:,} characters. What an operating system leaves beside files (`__MACOSX/._*`, `.DS_Store`,
`Thumbs.db`) is counted as `system_file` and not read.

| format | holds | many workers in one file |
|---|---|---|
"""


def sources_page() -> str:
    """Every format with what it holds and how its records become documents, in Markdown."""
    introduction = _INTRODUCTION.format(
        compressions=", ".join(f"`{ending}`" for ending in COMPRESSIONS),
        line=MAX_LINE_BYTES >> 20,
        whole=MAX_WHOLE_BYTES >> 20,
        characters=MAX_DOCUMENT_CHARACTERS,
    )
    rows = [f"| [`{name}`](#{name}) | {_cell(format_.holds)} | {_cut(format_)} |" for name, format_ in FORMATS.items()]
    parts = [introduction + "\n".join(rows)]
    parts += [_section(name, format_) for name, format_ in FORMATS.items()]
    reasons = [f"| `{reason}` | {says} |" for reason, says in sorted(REFUSED.items())]
    parts.append("\n".join(["## Refused records", "", "| reason | means |", "|---|---|", *reasons]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _cut(format_: Format) -> str:
    return "yes" if format_.divisible else "no"


def _section(name: str, format_: Format) -> str:
    """What the module says of its shapes, and the reader of its documents."""
    module = importlib.import_module(format_.reader.partition(":")[0])
    about = inspect.getdoc(module) or ""
    reads = inspect.getdoc(load_reader(name)) or ""
    shapes = "\n".join(["```text", about, "```"])
    return f"## {name}\n\n{reads}\n\n{shapes}"


def cleaning_page() -> str:
    """Rules and filters by profile, with what each does and whose thresholds they are, in Markdown."""
    head = " | ".join(PROFILES)
    line = "---|" * len(PROFILES)
    rules = [
        f"| `{name}` | {_cell(SAYS[name])} | "
        + " | ".join("•" if name in PROFILE_RULES[p] else "" for p in PROFILES)
        + " |"
        for name in RULES
    ]
    filters = [
        f"| `{each.reason}` | `{each.threshold}` | {_cell(each.says)} | {each.unit} | {each.origin} | "
        + " | ".join(f"{THRESHOLDS[p][each.threshold]:g}" if each.threshold in THRESHOLDS[p] else "" for p in PROFILES)
        + f" | {each.from_characters or ''} |"
        for each in FILTERS
    ]
    return (
        f"{_CLEANING}\n## Normalization\n\n{_RULES}\n| rule | does | {head} |\n|---|---|{line}\n"
        + "\n".join(rules)
        + f"\n\n## Filters\n\n{_FILTERS}\n| reason | threshold | drops | unit | origin | {head} | asked from |\n"
        + f"|---|---|---|---|---|{line}---|\n"
        + "\n".join(filters)
        + "\n"
    )


if __name__ == "__main__":
    write_bytes(Path(sys.argv[1]) / SOURCES_PAGE, sources_page().encode())
    write_bytes(Path(sys.argv[1]) / CLEANING_PAGE, cleaning_page().encode())
