"""The documentation says what the code does: reference pages are made from it, commands and links exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from siku_manifests.reference import COMMANDS_PAGE, RECIPE_PAGE, commands_page, recipe_page

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
MEND = "run `.venv/bin/python -m siku_manifests.reference docs`"


def test_reference_pages_are_those_of_the_code() -> None:
    assert (REPOSITORY / "docs" / RECIPE_PAGE).read_text(encoding="utf-8") == recipe_page(), MEND
    assert (REPOSITORY / "docs" / COMMANDS_PAGE).read_text(encoding="utf-8") == commands_page(), MEND


def test_every_key_of_a_recipe_is_explained() -> None:
    unexplained = [line for line in recipe_page().splitlines() if re.fullmatch(r"\| `\w+` \|.*\|  \|", line)]
    named_by_themselves = {"name"}
    assert [line for line in unexplained if line.split("`")[1] not in named_by_themselves] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_make_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z]+)", text):
        assert re.search(rf"^{target}:", makefile, re.M), f"{page.name} names make {target}"


def test_make_alone_shows_the_targets() -> None:
    done = subprocess.run(["make", "-C", str(REPOSITORY)], capture_output=True, text=True, check=True)
    for target in ("corpus", "tokenizer", "pretrain", "report", "verify", "test", "check", "bench", "clean"):
        assert f"make {target} " in done.stdout


def test_both_readmes_have_the_same_sections() -> None:
    counts = [
        len(re.findall(r"^#+ ", (REPOSITORY / name).read_text(encoding="utf-8"), re.M))
        for name in ("README.md", "README.zh.md")
    ]
    assert counts[0] == counts[1]
