"""The page of formats in `docs/`, written from the registry so that it cannot be wrong.

`python -m siku_corpus.reference docs` writes it; a test compares.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

from siku_corpus.opening import COMPRESSIONS, MAX_WHOLE_BYTES
from siku_corpus.records import MAX_DOCUMENT_CHARACTERS
from siku_corpus.sources import FORMATS, Format, load_reader
from siku_corpus.sources.lines import MAX_LINE_BYTES
from siku_corpus.tell import REFUSED
from siku_manifests.atomic import write_bytes

SOURCES_PAGE = "sources.md"

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


if __name__ == "__main__":
    write_bytes(Path(sys.argv[1]) / SOURCES_PAGE, sources_page().encode())
