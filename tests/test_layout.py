"""The shape of the house: what lies where, how long it may be, and that names do not hide the standard library."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = {room: f"siku_{room}" for room in ("manifests", "corpus", "dedup", "tokenize", "train")}
MODULE_LINES = 300
FUNCTION_LINES = 40
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "datasets", "tokenizers", "evaluate"}


def modules() -> list[Path]:
    return sorted(path for room, package in ROOMS.items() for path in (REPOSITORY / room / package).rglob("*.py"))


@pytest.mark.parametrize(("room", "package"), ROOMS.items())
def test_a_room_holds_one_package_and_is_none_itself(room: str, package: str) -> None:
    folder = REPOSITORY / room
    assert not list(folder.glob("*.py")), f"{room}/ would be importable and could hide a standard module"
    assert [path.parent.name for path in folder.glob("*/__init__.py")] == [package]


def test_the_standard_library_is_not_hidden_by_a_room() -> None:
    code = "import tokenize, sys; sys.exit('lib' not in tokenize.__file__)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            assert lines <= FUNCTION_LINES, f"{path.name}: {node.name} has {lines} lines"


@pytest.mark.parametrize("group", ["siku.commands", "siku.stages"])
def test_declarations_import_nothing_heavy(group: str) -> None:
    names = sorted(point.value for point in importlib.metadata.entry_points(group=group))
    assert names
    heavy = {"pyarrow", "numpy", "numba", "polars", "opencc", "sentencepiece", "tokenizers", "torch", "transformers"}
    code = (
        "import importlib.metadata, sys\n"
        f"for point in importlib.metadata.entry_points(group={group!r}): point.load()\n"
        f"print(' '.join(sorted({heavy!r} & set(sys.modules))))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_tests_mirror_the_rooms() -> None:
    folders = {path.name for path in (REPOSITORY / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - {"data"} == set(ROOMS)


def test_every_dependency_says_why() -> None:
    lines = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("dependencies = [")
    stop = lines.index("[project.scripts]")
    for line in lines[start:stop]:
        if line.strip().startswith('"'):
            assert " # " in line, f"{line.strip()} has no reason beside it"
