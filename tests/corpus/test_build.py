"""The stage through its command: the sample's formats in small, built by the real runner."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from siku_corpus import command
from siku_corpus.build import RANGE_BYTES, plan, work
from siku_manifests.errors import InputError
from siku_manifests.recipe import load_recipe
from siku_manifests.stage import Context, Range, RawFile

POEMS = [
    {"title": "春曉", "author": "孟浩然", "paragraphs": ["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲，花落知多少。"]},
    {"title": "空", "author": "無名", "paragraphs": []},
    {"title": "靜夜思", "author": "李白", "paragraphs": ["牀前看月光，疑是地上霜。\ue817", "舉頭望山月，低頭思故鄉。"]},
    {"name": "李白", "desc": "…"},
]
NEWS = """\
新年/t  讲话/n
今天/t  很/d  冷/a  ，/w  大家/r  都/d  穿/v  厚/a  衣服/n  ，/w  街/n  上/f  人/n  不/d  多/a  。/w
商店/n  照常/d  开门/v  。/w  学校/n  放假/v  三/m  天/q  ，/w  孩子/n  们/k  在/p  公园/n  里/f  放/v  风筝/n  。/w
天气/n  预报/vn
明天/t  晴/a  。/w
"""
DOCUMENTATION = """\
Title
=====

A library reads :class:`~siku.Document` rows from folders, one after the other, and writes
what it kept into shards of a fixed size. Nothing is lost on the way.

Every record that cannot be read goes to quarantine with its place and its first bytes.
"""
CATALOGUE = """\
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgid "Open file"
msgstr "打开文件"

msgid "Close"
msgstr ""
"""
RECIPE = """
seed = 7
[[source]]
name = "poetry"
format = "chinese-poetry"
where = "data"
path = ["poems/*.json"]
license = "MIT"
profile = "poetry"
[[source]]
name = "news"
format = "people-daily"
where = "data"
path = ["news.txt"]
license = "LicenseRef-unclear"
profile = "modern"
[[source]]
name = "reviews"
format = "lines"
where = "data"
path = ["reviews.txt"]
license = "LicenseRef-unclear"
profile = "dialogue"
[[source]]
name = "docs"
format = "rst"
where = "data"
path = ["docs/*.rst"]
license = "BSD-3-Clause"
profile = "english"
[[source]]
name = "pairs"
format = "po"
where = "data"
path = ["*.po"]
license = "BSD-3-Clause"
profile = "bitext"
"""
SCHEMAS = {"": 6, "dropped": 6, "quarantine": 10}


def make(root: Path, *, extra: str = "") -> Path:
    data = root / "data"
    for folder in (data / "poems", data / "docs"):
        folder.mkdir(parents=True)
    for number in range(3):
        (data / "poems" / f"poet.{number}.json").write_text(json.dumps(POEMS, ensure_ascii=False), encoding="utf-8")
    (data / "news.txt").write_text(NEWS, encoding="utf-8")
    (data / "reviews.txt").write_text("很好,很好\n這個賣家態度很好，發貨也很快。\n。\n" * 40, encoding="utf-8")
    (data / "docs" / "a.rst").write_text(DOCUMENTATION, encoding="utf-8")
    (data / "a.po").write_text(CATALOGUE, encoding="utf-8")
    recipe = root / "recipe.toml"
    recipe.write_text(extra + RECIPE, encoding="utf-8")
    return recipe


def siku(recipe: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "siku_manifests", "documents", str(recipe), "--out", str(recipe.parent / "build")]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def folder_of(recipe: Path) -> Path:
    (folder,) = (recipe.parent / "build").glob("*/documents-*")
    return folder


def hashes(recipe: Path) -> dict[str, str]:
    folder = folder_of(recipe)
    files = [*sorted(folder.rglob("*.parquet")), folder / "findings.json"]
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = make(tmp_path_factory.mktemp("one"))
    done = siku(recipe, "--workers", "1", PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    return recipe


def rows(recipe: Path, source: str, table: str = "") -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted((folder_of(recipe) / table).glob(f"{source}-*.parquet")):
        found += pq.read_table(path).to_pylist()
    return found


def test_documents_have_ids_texts_languages_and_metadata(built: Path) -> None:
    poems = rows(built, "poetry")
    assert [row["id"] for row in poems] == [f"poetry/poems/poet.{n}.json#{r}" for n in range(3) for r in (0, 2)]
    assert poems[1] == {
        "id": "poetry/poems/poet.0.json#2",
        "text": "牀前看月光，疑是地上霜。𠂉\n舉頭望山月，低頭思故鄉。".replace("𠂉", "\U00020089"),
        "source": "poetry",
        "language": "lzh",
        "license": "MIT",
        "meta": '{"author":"李白","title":"靜夜思"}',
    }
    reviews = rows(built, "reviews")
    assert [row["text"] for row in reviews[:2]] == ["很好，很好", "这个卖家态度很好，发货也很快。"]
    assert {row["language"] for row in reviews} == {"zh"}
    assert rows(built, "pairs")[0]["text"] == "Open file\n打开文件"
    assert rows(built, "docs")[0]["language"] == "en"
    assert json.loads(rows(built, "news")[0]["meta"]) == {"title": "新年讲话"}


def test_what_was_dropped_says_why(built: Path) -> None:
    assert {(row["id"], row["reason"]) for row in rows(built, "poetry", "dropped")} == {
        (f"poetry/poems/poet.{n}.json#{record}", why)
        for n in range(3)
        for record, why in ((1, "empty"), (3, "author_record"))
    }
    assert {row["reason"] for row in rows(built, "reviews", "dropped")} == {"too_short"}
    (short,) = rows(built, "news", "dropped")
    assert (short["reason"], json.loads(short["detail"])) == ("too_short", {"threshold": 50, "value": 9})
    assert short["text"] == "天气预报\n明天晴。"


def explain(recipe: Path, document: str) -> Result:
    return CliRunner().invoke(command.explain, [str(recipe), document, "--out", str(recipe.parent / "build")])


def test_a_document_can_be_asked_after(built: Path) -> None:
    kept = explain(built, "poetry/poems/poet.0.json#2")
    assert kept.output.startswith("documents: kept, 26 characters, language lzh, author 李白, title 靜夜思\n\n牀前")
    (short,) = rows(built, "news", "dropped")
    dropped = explain(built, str(short["id"]))
    assert "dropped, too_short: too few characters (threshold 50, value 9.0)" in dropped.output
    unknown = explain(built, "poetry/none#1")
    assert isinstance(unknown.exception, InputError)


def test_the_books_are_in_the_manifest(built: Path) -> None:
    counts = json.loads((folder_of(built) / "manifest.json").read_text(encoding="utf-8"))["record"]["counts"]
    assert counts["poetry"]["dropped"] == {"author_record": 3, "empty": 3}
    assert (counts["news"]["read"], counts["news"]["joined"], counts["news"]["kept"]) == (5, 3, 1)
    kept = rows(built, "poetry")
    assert counts["poetry"]["kept"] == len(kept)
    assert counts["poetry"]["characters"] == sum(len(row["text"]) for row in kept)
    assert counts["poetry"]["bytes"] == sum(len(row["text"].encode()) for row in kept)


def test_bytes_depend_on_nothing_but_the_sources(built: Path, tmp_path: Path) -> None:
    elsewhere = make(tmp_path / "another" / "place")
    done = siku(elsewhere, "--workers", "2", PYTHONHASHSEED="2")
    assert done.returncode == 0, done.stderr
    assert hashes(elsewhere) == hashes(built)


def test_broken_records_are_quarantined_with_their_bytes_and_end_with_status_3(tmp_path: Path) -> None:
    recipe = make(tmp_path)
    broken = b'[{"paragraphs": ["\xff'
    (tmp_path / "data/poems/poet.9.json").write_bytes(broken)
    (tmp_path / "data/reviews.txt").write_text("锟斤拷锟斤拷锟斤拷\n很好很好\n", encoding="utf-8")
    done = siku(recipe, "--workers", "1")
    assert done.returncode == 3, done.stderr
    assert "quarantine" in done.stderr
    (poem,) = rows(recipe, "poetry", "quarantine")
    assert (poem["path"], poem["reason"], poem["bytes"]) == ("poems/poet.9.json", "json", broken)
    assert poem["sha256"] == hashlib.sha256(broken).hexdigest()
    (review,) = rows(recipe, "reviews", "quarantine")
    assert (review["reason"], review["bytes"].decode()) == ("mojibake", "锟斤拷锟斤拷锟斤拷")  # type: ignore[attr-defined]


def test_report_only_counts_and_keeps(tmp_path: Path) -> None:
    recipe = make(tmp_path)
    assert siku(recipe, "--workers", "1", "--set", "filter.report_only=true").returncode == 0
    assert {row["reason"] for row in rows(recipe, "reviews", "dropped")} == set()
    assert {row["reason"] for row in rows(recipe, "poetry", "dropped")} == {"author_record", "empty"}
    findings = json.loads((folder_of(recipe) / "findings.json").read_text(encoding="utf-8"))
    (why,) = (block for block in findings if block["title"] == "Why texts were dropped")
    assert {row[0]: row[2] for row in why["rows"]}["too_short"] == 41  # 40 reviews of one stop, and the forecast


def test_an_unknown_format_is_one_sentence(tmp_path: Path) -> None:
    recipe = make(tmp_path)
    done = siku(recipe, "--set", "source.news.format=people-dayly")
    assert done.returncode == 2
    assert "did you mean 'people-daily'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ranges_are_a_function_of_the_files(tmp_path: Path) -> None:
    recipe = load_recipe(str(make(tmp_path)))

    def raw(source: str, path: str, size: int) -> RawFile:
        return RawFile(source=source, path=path, file=tmp_path / path, bytes=size, sha256="")

    files = (
        raw("reviews", "reviews.txt", 2 * RANGE_BYTES + 5),
        raw("poetry", "b.json", RANGE_BYTES // 2),
        raw("poetry", "a.json", RANGE_BYTES // 2),
        raw("poetry", "c.json", 3 * RANGE_BYTES),
        raw("news", "empty.txt", 0),
    )
    context = Context(recipe=recipe, folder=tmp_path, parents={}, raw=files)
    pieces = {(r.number, r.source): r.inputs["pieces"] for r in plan(context)}
    assert pieces == {
        (0, "poetry"): [["a.json", 0, RANGE_BYTES // 2], ["b.json", 0, RANGE_BYTES // 2]],
        (1, "poetry"): [["c.json", 0, 3 * RANGE_BYTES]],
        (2, "news"): [["empty.txt", 0, 0]],
        (3, "reviews"): [["reviews.txt", 0, RANGE_BYTES]],
        (4, "reviews"): [["reviews.txt", RANGE_BYTES, 2 * RANGE_BYTES]],
        (5, "reviews"): [["reviews.txt", 2 * RANGE_BYTES, 2 * RANGE_BYTES + 5]],
    }


def test_a_range_of_any_size_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(str(make(tmp_path)))
    range_ = Range(0, "reviews", {"pieces": [["reviews.txt", 0, 1 << 30]]}, 1)
    context = Context(recipe=recipe, folder=tmp_path, parents={}, raw=())
    found = {}
    for size in (200, 1 << 30):
        monkeypatch.setattr("siku_corpus.build.PART_BYTES", size)
        out = tmp_path / str(size)
        out.mkdir()
        work(context, range_, out)
        found[size] = [pq.read_table(file).to_pylist() for file in sorted(out.glob("kept-*.parquet"))]
    assert len(found[200]) > 10
    assert [row for rows in found[200] for row in rows] == found[1 << 30][0]
    assert len(found[1 << 30]) == 1
