"""Questions of evaluations, read from the files in which they are published.

    CSV, TSV, xlsx   a header, then a row a question      CMMLU, C-Eval, evaluation sheets
    JSON, JSON lines an array of objects, or one a line   instruction data, CLUE
    Parquet          a row a question
    txt              a line a question

A record's question is the first of the columns `question`, `instruction`, `prompt`, `query`, `sentence`, `text`
and `content` (in any case) that it has, with `input` behind an instruction; its options are the columns A … H or
a list `choices` or `options`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from siku_dedup.xlsx import read_rows
from siku_manifests.errors import InputError
from siku_manifests.shards import read_batches

QUESTION_NAMES = ("question", "instruction", "prompt", "query", "sentence", "text", "content")
OPTION_LISTS = ("choices", "options")
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ".txt")


class Question(NamedTuple):
    """One question and where it stands."""

    file: str
    row: int
    """Record of the file, from 1, headers not counted."""
    text: str
    options: tuple[str, ...] = ()


def read_questions(path: Path) -> list[Question]:
    """All questions of one file; records whose question is empty are left out.

    Raises:
        InputError: a suffix that is not known, bytes that are not UTF-8, a broken record, or no column with questions.
    """
    questions: list[Question] = []
    seen: set[str] = set()
    for row, record in enumerate(_records(path), start=1):
        fields = {str(name).strip().casefold(): value for name, value in record.items()}
        seen |= fields.keys()
        text = _question(fields)
        if text.strip():
            questions.append(Question(path.name, row, text, _options(fields)))
    if seen and not seen & set(QUESTION_NAMES):
        msg = (
            f"{path}: no column holds questions; it has {', '.join(sorted(seen)[:12])}, expected one of "
            f"{', '.join(QUESTION_NAMES)}; rename it."
        )
        raise InputError(msg)
    return questions


def _question(fields: Mapping[str, Any]) -> str:
    for name in QUESTION_NAMES:
        if isinstance(fields.get(name), str):
            more = fields.get("input") if name == "instruction" else None
            return fields[name] + "\n" + more if isinstance(more, str) and more else str(fields[name])
    return ""


def _options(fields: Mapping[str, Any]) -> tuple[str, ...]:
    for name in OPTION_LISTS:
        if isinstance(fields.get(name), list):
            return tuple(str(option) for option in fields[name])
    return tuple(str(fields[letter]) for letter in "abcdefgh" if fields.get(letter) not in {None, ""})


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    suffix = path.suffix.casefold()
    if suffix not in SUFFIXES:
        msg = f"{path}: questions are read from {', '.join(SUFFIXES)}; convert it, or leave it out."
        raise InputError(msg)
    if suffix == ".parquet":
        for batch in read_batches([path]):
            yield from batch.to_pylist()
    elif suffix == ".xlsx":
        yield from _under_header(read_rows(path))
    elif suffix in {".csv", ".tsv"}:
        # newline="" as csv wants it: line breaks inside quotes stay.
        lines = io.StringIO(_decoded(path), newline="")
        yield from _under_header(csv.reader(lines, delimiter="," if suffix == ".csv" else "\t"))
    elif suffix == ".txt":
        yield from ({"text": line} for line in _decoded(path).splitlines())
    else:
        yield from _json(path)


def _under_header(rows: Iterable[list[str]]) -> Iterator[Mapping[str, str]]:
    """Each row as a mapping; a short row lacks its last columns."""
    rows = iter(rows)
    header = next(rows, [])
    for row in rows:
        yield dict(zip(header, row, strict=False))


def _json(path: Path) -> Iterator[Mapping[str, Any]]:
    text = _decoded(path)
    if text.lstrip().startswith("["):
        records: Iterable[Any] = _parsed(text, path, 1)
    else:
        records = (_parsed(line, path, at) for at, line in enumerate(text.split("\n"), start=1) if line.strip())
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            msg = f"{path}: record {number} is no JSON object; expected a question with its fields."
            raise InputError(msg)
        yield record


def _parsed(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"{path}: line {line} is not JSON ({error}); mend it, or save the file as CSV."
        raise InputError(msg) from error


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: byte {error.start:,} is not UTF-8; save the file as UTF-8."
        raise InputError(msg) from error
