"""The page of base models is that of the code."""

from __future__ import annotations

from pathlib import Path

from siku_train.reference import PAGE, families_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_families_is_that_of_the_code() -> None:
    written = (DOCS / PAGE).read_text(encoding="utf-8")
    assert written == families_page(), "run: .venv/bin/python -m siku_train.reference docs"
