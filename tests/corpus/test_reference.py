"""The page of formats is what the code says."""

from __future__ import annotations

from pathlib import Path

from siku_corpus.reference import SOURCES_PAGE, sources_page
from siku_corpus.sources import FORMATS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_current() -> None:
    assert (DOCS / SOURCES_PAGE).read_text(encoding="utf-8") == sources_page(), (
        "run: .venv/bin/python -m siku_corpus.reference docs"
    )


def test_every_format_has_its_section() -> None:
    page = sources_page()
    assert all(f"\n## {name}\n" in page for name in FORMATS)
    assert max(map(len, page.splitlines())) < 200
