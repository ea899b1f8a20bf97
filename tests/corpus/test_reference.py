"""The page of formats is what the code says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from siku_corpus.filters import FILTERS
from siku_corpus.reference import CLEANING_PAGE, SOURCES_PAGE, cleaning_page, sources_page
from siku_corpus.rules import RULES, SAYS
from siku_corpus.sources import FORMATS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("page", "write"), [(SOURCES_PAGE, sources_page), (CLEANING_PAGE, cleaning_page)])
def test_a_page_is_current(page: str, write: Callable[[], str]) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == write(), "run: .venv/bin/python -m siku_corpus.reference docs"


def test_every_rule_and_filter_has_its_line() -> None:
    page = cleaning_page()
    assert all(f"| `{name}` |" in page for name in (*RULES, *(each.reason for each in FILTERS)))
    assert set(SAYS) == set(RULES)


def test_every_format_has_its_section() -> None:
    page = sources_page()
    assert all(f"\n## {name}\n" in page for name in FORMATS)
    assert max(map(len, page.splitlines())) < 200
