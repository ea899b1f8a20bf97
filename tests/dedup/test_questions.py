"""Files of questions: every form gives the same questions, and what cannot be read is said."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from siku_dedup.questions import Question, read_questions
from siku_manifests.errors import InputError

TEXT, OPTIONS = "下列属于不可扩张市场的是", ("家用电器市场", "高档化妆品市场", "食盐市场", "汽车市场")
WORKBOOK = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def test_every_form_gives_the_same_question(tmp_path: Path) -> None:
    header = ["Question", *"ABCD"]
    csv = ",".join(["", *header, "Answer"]) + "\n" + ",".join(["0", TEXT, *OPTIONS, "C"]) + "\n"
    files = {
        "q.csv": "\ufeff" + csv,
        "q.tsv": csv.replace(",", "\t"),
        "q.jsonl": json.dumps({"question": TEXT, "choices": OPTIONS}) + "\n\n",
        "q.json": json.dumps([{"question": TEXT, **dict(zip("ABCD", OPTIONS, strict=True))}], ensure_ascii=False),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    pq.write_table(pa.table({"query": [TEXT], "options": [list(OPTIONS)]}), tmp_path / "q.parquet")
    for path in sorted(tmp_path.iterdir()):
        assert read_questions(path) == [Question(path.name, 1, TEXT, OPTIONS)], path.name


@pytest.mark.parametrize("explained", [False, True])
def test_c_eval_as_it_is_published(tmp_path: Path, explained: bool) -> None:
    columns = {"id": [0, 1], "question": [TEXT, "第二题"], **{x: [o, x] for x, o in zip("ABCD", OPTIONS, strict=True)}}
    columns |= {"answer": ["C", "A"]} | ({"explanation": ["食盐", ""]} if explained else {})
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    lines = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "marxism_val.csv").write_text(lines, encoding="utf-8")
    pq.write_table(pa.table(columns), tmp_path / "val.parquet")
    for path in sorted(tmp_path.iterdir()):
        first, second = read_questions(path)
        assert first == Question(path.name, 1, TEXT, OPTIONS)
        assert second == Question(path.name, 2, "第二题", ("A", "B", "C", "D"))


def test_a_workbook_with_shared_inline_and_missing_cells(tmp_path: Path) -> None:
    shared = f'<sst xmlns="{WORKBOOK}"><si><t>instruction</t></si><si><r><t>写一首</t></r><r><t>诗</t></r></si></sst>'
    sheet = (
        f'<worksheet xmlns="{WORKBOOK}"><sheetData><row><c r="A1" t="inlineStr"><is><t>kind</t></is></c>'
        '<c r="B1" t="s"><v>0</v></c></row><row><c r="B2" t="s"><v>1</v></c></row></sheetData></worksheet>'
    )
    path = tmp_path / "sheet.xlsx"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/sharedStrings.xml", shared)
        book.writestr("xl/worksheets/sheet1.xml", sheet)
    assert read_questions(path) == [Question("sheet.xlsx", 1, "写一首诗")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", b"id,answer\n1,A\n", "no column holds questions; it has answer, id"),
        ("q.csv", "question\n春眠".encode("gb18030"), "is not UTF-8"),
        ("q.jsonl", b'{"question": "a"}\n{"question"\n', "line 2 is not JSON"),
        ("q.json", b"[1]", "record 1 is no JSON object"),
        ("q.xlsx", b"PK", "cannot be read as an xlsx workbook"),
        ("q.pdf", b"", "questions are read from"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_questions(path)


def test_published_files(shared_data: Path) -> None:
    sheet = read_questions(shared_data / "firefly" / "firefly-eval.xlsx")
    assert len(sheet) == 130
    tables = sorted((shared_data / "cmmlu").rglob("*.csv"))
    whole = [path for path in tables if _is_utf8(path)]
    questions = [question for path in whole for question in read_questions(path)]
    assert len(questions) > 8000
    assert sum(len(question.options) == 4 for question in questions) > 0.99 * len(questions)


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
