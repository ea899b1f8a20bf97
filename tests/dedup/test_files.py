"""Files that are no Siku corpus: records stay as they were, and every form is decided alike."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from siku_dedup import files, records
from siku_dedup.command import dedup_files, similarity
from siku_dedup.files import FilesResult, Settings, deduplicate_files
from siku_dedup.records import Columns
from siku_dedup.signing import Signer
from siku_dedup.thresholds import removed_at
from siku_manifests.errors import InputError
from siku_manifests.sections import Dedup

SIGNER = Signer.of(Dedup(), "web", source=0)
POEM = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"


def documents(seed: int, count: int) -> list[str]:
    """Texts, some of them twice and some nearly so."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        text = "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(200))
        at = rng.randrange(200)
        texts += [text, text + "。", text[:at] + "改" + text[at + 1 :]][: rng.choice([1, 1, 2, 3])]
    rng.shuffle(texts)
    return texts


def run(paths: list[Path], out: Path, columns: Columns = Columns("text", "id")) -> FilesResult:  # noqa: B008
    return deduplicate_files(paths, out, settings=Settings(SIGNER, 0.8, columns))


def test_parquet_and_lines_keep_the_same_records(tmp_path: Path) -> None:
    texts = documents(1, 300)
    ids = [f"d{row:04d}" for row in range(len(texts))]
    numbers = list(range(len(texts)))
    pq.write_table(pa.table({"id": ids, "text": texts, "n": numbers}), tmp_path / "a.parquet")
    lines = [
        json.dumps({"n": n, "id": i, "text": t}, ensure_ascii=False) + "\n"
        for n, i, t in zip(numbers, ids, texts, strict=True)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(lines)
    results = [run([tmp_path / name], tmp_path / f"out-{name}") for name in ("a.parquet", "a.jsonl", "a.jsonl.gz")]
    assert results[0] == results[1] == results[2]
    first = results[0]
    assert first.documents == len(texts)
    assert first.exact > 0 < first.near
    kept = pq.read_table(tmp_path / "out-a.parquet" / "kept" / "a.parquet")
    assert kept.column_names == ["id", "text", "n"]
    assert len(kept) == first.documents - first.exact - first.near == 300
    expected = [lines[n] for n in kept["n"].to_pylist()]
    assert (tmp_path / "out-a.jsonl" / "kept" / "a.jsonl").read_text(encoding="utf-8") == "".join(expected)
    with gzip.open(tmp_path / "out-a.jsonl.gz" / "kept" / "a.jsonl.gz", "rt", encoding="utf-8") as stream:
        assert stream.read() == "".join(expected)
    gone = pq.read_table(tmp_path / "out-a.parquet" / "duplicates.parquet")
    assert set(gone["duplicate_of"].to_pylist()) <= set(kept["id"].to_pylist())
    assert set(ids) - set(kept["id"].to_pylist()) == set(gone["id"].to_pylist())
    assert gone["id"].to_pylist() == [ids[row] for row in gone["row"].to_pylist()]
    assert sorted(path.name for path in (tmp_path / "out-a.parquet").iterdir()) == [
        "duplicates.parquet",
        "kept",
        "pairs.parquet",
    ]


def test_files_are_compared_with_each_other_in_any_order(tmp_path: Path) -> None:
    texts = documents(2, 100)
    for name, rows in (("a", texts[::2]), ("b", texts[1::2])):
        ids = [f"{name}{row}" for row in range(len(rows))]
        pq.write_table(pa.table({"id": ids, "text": rows}), tmp_path / f"{name}.parquet")
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for order, out in ((paths, "one"), (paths[::-1], "two")):
        run(order, tmp_path / out)
    for name in ("a", "b"):
        kept = [pq.read_table(tmp_path / out / "kept" / f"{name}.parquet") for out in ("one", "two")]
        assert kept[0].equals(kept[1])


def in_files(folder: Path, rows: list[tuple[str, str]], count: int) -> list[Path]:
    """The records (id, text) in so many files, in order."""
    folder.mkdir()
    paths = []
    for number in range(count):
        paths.append(folder / f"{number}.jsonl")
        part = rows[number * len(rows) // count : (number + 1) * len(rows) // count]
        lines = [json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n" for name, text in part]
        paths[-1].write_text("".join(lines), encoding="utf-8")
    return paths


def kept_ids(out: Path) -> list[str]:
    paths = sorted((out / "kept").glob("*"))
    return sorted(json.loads(line)["id"] for path in paths for line in path.read_text(encoding="utf-8").splitlines())


def test_the_kept_list_is_the_same_in_any_order_and_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"d{number:04d}", text) for number, text in enumerate(documents(4, 120))]
    run(in_files(tmp_path / "one", rows, 1), tmp_path / "out")
    expected = kept_ids(tmp_path / "out")
    assert len(expected) == 120
    monkeypatch.setattr(records, "BATCH_BYTES", 4000)
    monkeypatch.setattr(files, "PART_POINTS", 3000)  # several parts a file
    for number, cut in enumerate((1, 3, 7)):
        random.Random(number).shuffle(rows)
        paths = in_files(tmp_path / f"cut-{cut}", rows, cut)
        random.Random(number).shuffle(paths)
        out = tmp_path / f"out-{cut}"
        run(paths, out)
        assert kept_ids(out) == expected


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    rows = [(f"d{number:04d}", text) for number, text in enumerate(documents(5, 80))]
    paths = in_files(tmp_path / "in", rows, 4)
    for workers in (1, 2, 4):
        out = ["--out", str(tmp_path / str(workers)), "--workers", str(workers)]
        done = CliRunner().invoke(dedup_files, [*map(str, paths), *out, "--id", "id"], catch_exceptions=False)
        assert "= 80 kept" in done.output
    for path in (path for path in (tmp_path / "1").rglob("*") if path.is_file()):
        for workers in ("2", "4"):
            assert (tmp_path / workers / path.relative_to(tmp_path / "1")).read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_a_broken_file_is_named_from_a_worker_too(tmp_path: Path) -> None:
    paths = in_files(tmp_path / "in", [("a", "甲"), ("b", "乙")], 2)
    paths[1].write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="record 1 is no JSON object"):
        deduplicate_files(paths, tmp_path / "out", settings=Settings(SIGNER), workers=2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a", "id": "1"}\n{"text"\n', "record 2 is no JSON object"),
        ("a.jsonl", b'{"body": "a", "id": "1"}\n', "no text in 'text'; it has body, id"),
        ("a.jsonl", b'{"text": "\xff", "id": "1"}\n', "record 1 is no JSON object"),
        ("a.parquet", b"PAR1", "cannot be read as Parquet"),
        ("a.csv", b"", "expected .parquet or"),
        ("b.jsonl", None, "no such file"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        run([tmp_path / name], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_columns_that_are_not_there_and_nulls(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"body": ["a", None]}), path)
    with pytest.raises(InputError, match="no column 'text'; it has body"):
        run([path], tmp_path / "out", Columns())
    with pytest.raises(InputError, match="1 of 2 rows are null"):
        run([path], tmp_path / "out", Columns("body"))
    with pytest.raises(InputError, match="two files have this name"):
        run([path, path], tmp_path / "out", Columns("body"))


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in [POEM, POEM, "别的"]), encoding="utf-8")
    done = CliRunner().invoke(dedup_files, [str(path), "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert "3 documents = 2 kept + 1 exact + 0 near-duplicates" in done.output


def test_the_report_shows_what_went(tmp_path: Path) -> None:
    rows = [(f"d{number:04d}", text) for number, text in enumerate([POEM] * 9 + documents(6, 150))]
    paths = in_files(tmp_path / "in", rows, 2)
    out = ["--out", str(tmp_path / "out"), "--id", "id", "--report", "--index", str(tmp_path / "index")]
    done = CliRunner().invoke(dedup_files, [*map(str, paths), *out], catch_exceptions=False)
    assert "report: " in done.output
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for title in ("What each source lost", "Error of estimated similarity", "The largest clusters", "Just similar"):
        assert title in page
    assert "0.jsonl" in page
    assert "d0000" in page  # stays for the largest cluster
    CliRunner().invoke(dedup_files, [*map(str, paths), *out], catch_exceptions=False)
    assert "known to the index" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_similarity_of_two_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(POEM, encoding="utf-8")
    done = CliRunner().invoke(similarity, [str(tmp_path / "a.txt"), POEM.replace("处处", "到处"), "--characters", "3"])
    # 20 characters have 18 runs of three; a changed one spoils three of them on both sides.
    assert f"exact similarity of runs of 3 characters: {15 / 21:.4f}" in done.output
    assert "two documents" in done.output
    assert "one document" in CliRunner().invoke(similarity, [POEM, POEM.replace("觉晓", "覺曉。")]).output


def test_threshold_curve_is_that_of_components_at_each_threshold() -> None:
    rng = np.random.RandomState(3)
    left = rng.randint(0, 50, 80)
    right = left + 1 + rng.randint(0, 20, 80)
    exact = rng.uniform(0.6, 1.0, 80)
    for threshold, removed in removed_at(left, right, exact, thresholds=(0.9, 0.7, 0.8)):
        groups = [{row} for row in range(71)]
        for a, b, similar in zip(left, right, exact, strict=True):
            if similar >= threshold:
                joined = next(group for group in groups if a in group) | next(group for group in groups if b in group)
                groups = [group for group in groups if not group & joined] + [joined]
        assert removed == 71 - len(groups)
