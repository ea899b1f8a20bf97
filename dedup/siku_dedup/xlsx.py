"""The rows of an Excel workbook's first sheet, as text; evaluation sheets come in this form.

Source: ECMA-376, part 1, 18.3 and 18.4: a workbook is a zip of XML, where texts are mostly shared strings.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from siku_manifests.errors import InputError

_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_rows(path: Path) -> Iterator[list[str]]:
    """Cells of each row, empty ones as "".

    Raises:
        InputError: not a workbook.
    """
    try:
        with zipfile.ZipFile(path) as book:
            names = set(book.namelist())
            shared = _shared(book) if "xl/sharedStrings.xml" in names else []
            sheets = sorted(name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
            # expat 2.4.1 and later refuses entities that grow without bound.
            sheet = ElementTree.fromstring(book.read(sheets[0]))  # noqa: S314
    except (zipfile.BadZipFile, ElementTree.ParseError, IndexError, KeyError) as error:
        msg = f"{path}: cannot be read as an xlsx workbook ({error}); save it again, or as CSV."
        raise InputError(msg) from error
    for row in sheet.iter(f"{_NAMESPACE}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_NAMESPACE}c"):
            cells += [""] * (_column(cell.get("r", "")) - len(cells))
            cells.append(_cell(cell, shared))
        yield cells


def _shared(book: zipfile.ZipFile) -> list[str]:
    table = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314
    return [_text(entry) for entry in table.iter(f"{_NAMESPACE}si")]


def _text(element: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in element.iter(f"{_NAMESPACE}t"))


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell)
    value = cell.findtext(f"{_NAMESPACE}v") or ""
    return shared[int(value)] if cell.get("t") == "s" and value else value


def _column(reference: str) -> int:
    """0 for A1, 27 for AB7; 0 if there is no reference, which the format allows."""
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = 26 * number + ord(letter) - ord("A") + 1
    return max(number - 1, 0)
