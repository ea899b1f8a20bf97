"""Shards: equal rows give equal bytes, boundaries follow rows only, damage is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siku_manifests.digest import content_sha256, sha256_file
from siku_manifests.document import DOCUMENT_SCHEMA
from siku_manifests.errors import InputError
from siku_manifests.shards import ShardWriter, read_batches, read_row_groups, row_group_runs, write_table

TEXTS = st.lists(st.text(alphabet="春眠不覺曉處聞啼鳥 ,。\nab😀", max_size=60), max_size=40)


def table_of(texts: list[str]) -> pa.Table:
    rows = [
        {"id": f"s/f#{i}", "text": t, "source": "s", "language": "zh", "license": "CC0-1.0", "meta": "{}"}
        for i, t in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, DOCUMENT_SCHEMA)


def write(folder: Path, table: pa.Table, *, batch_rows: int, shard_bytes: int) -> list[Path]:
    folder.mkdir(exist_ok=True, parents=True)
    with ShardWriter(folder, "s", DOCUMENT_SCHEMA, shard_bytes=shard_bytes) as writer:
        for batch in table.to_batches(max_chunksize=batch_rows):
            writer.write(batch)
    return writer.paths


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, first=st.integers(1, 9), second=st.integers(1, 50), limit=st.integers(1, 600))
def test_boundaries_and_bytes_do_not_depend_on_batches(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], first: int, second: int, limit: int
) -> None:
    table = table_of(texts)
    folder = tmp_path_factory.mktemp("shards")
    one = write(folder / "one", table, batch_rows=first, shard_bytes=limit)
    two = write(folder / "two", table, batch_rows=second, shard_bytes=limit)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    kept = [text for batch in read_batches(one) for text in batch.column("text").to_pylist()]
    assert kept == texts
    for path in one:
        sizes = [sum(len(str(value).encode()) for value in row.values()) for row in pq.read_table(path).to_pylist()]
        assert len(sizes) == 1 or sum(sizes) <= limit


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(1, 40), min_size=1, max_size=12), run_bytes=st.integers(1, 6_000))
def test_runs_of_row_groups_hold_every_row_once_and_keep_their_limit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], run_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("runs") / "a.parquet"
    with pq.ParquetWriter(path, DOCUMENT_SCHEMA) as writer:
        for number, count in enumerate(rows):
            writer.write_table(table_of([f"第{number}組第{row}句" for row in range(count)]))
    runs = row_group_runs(path, run_bytes=run_bytes)
    assert [group for groups, _ in runs for group in groups] == list(range(len(rows)))
    metadata = pq.read_metadata(path)
    for groups, size in runs:
        assert size == sum(metadata.row_group(group).total_byte_size for group in groups)
        assert size <= run_bytes or len(groups) == 1
    read = [batch for groups, _ in runs for batch in read_row_groups(path, groups, columns=["text"])]
    texts = [text for batch in read for text in batch["text"].to_pylist()]
    assert texts == pq.read_table(path)["text"].to_pylist()


def content_by_hand(table: pa.Table) -> str:
    digest = hashlib.sha256()
    for name in table.column_names:
        values = [value.encode() for value in table.column(name).to_pylist()]
        digest.update(f"{name}\0string\0{len(values)}\0".encode())
        digest.update(b"".join(len(value).to_bytes(8, "little") for value in values))
        digest.update(b"".join(values))
    return digest.hexdigest()


@settings(max_examples=20, deadline=None)
@given(texts=TEXTS)
def test_content_hash_is_what_its_definition_says(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("digest") / "a.parquet"
    write_table(table_of(texts), path)
    assert content_sha256(path) == content_by_hand(table_of(texts))


def test_content_hash_ignores_encoding_and_sees_every_value(tmp_path: Path) -> None:
    table = table_of(["白日依山盡", "", "黄河入海流"] * 9)
    write_table(table, tmp_path / "a.parquet")
    pq.write_table(table, tmp_path / "b.parquet", compression="none", row_group_size=2)
    assert sha256_file(tmp_path / "a.parquet") != sha256_file(tmp_path / "b.parquet")
    assert content_sha256(tmp_path / "a.parquet") == content_sha256(tmp_path / "b.parquet")
    moved = table_of(["白日依山盡黄", "", "河入海流"] * 9)  # the same characters, cut elsewhere
    write_table(moved, tmp_path / "c.parquet")
    assert content_sha256(tmp_path / "c.parquet") != content_sha256(tmp_path / "a.parquet")


def test_shards_load_in_other_tools_as_they_are(tmp_path: Path) -> None:
    (path,) = write(tmp_path, table_of(["一", "二"]), batch_rows=1, shard_bytes=10_000)
    frame = polars.read_parquet(path)
    assert frame.columns == DOCUMENT_SCHEMA.names
    assert frame["text"].to_list() == ["一", "二"]


def test_damage_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (path,) = write(
        tmp_path, table_of([f"千山鳥飛絕{number**7}" for number in range(300)]), batch_rows=50, shard_bytes=1 << 20
    )
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[: len(whole) // 2], b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"s-00000\.parquet: cannot be read"):
            list(read_batches([path]))
        with pytest.raises(InputError, match=r"s-00000\.parquet: cannot be read"):
            row_group_runs(path, run_bytes=1)
    path.write_bytes(whole)
    column = pq.read_metadata(path).row_group(0).column(DOCUMENT_SCHEMA.get_field_index("text"))
    flipped = bytearray(whole)
    flipped[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_batches([path]))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_row_groups(path, [0], columns=["text"]))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_batches([tmp_path / "missing.parquet"]))


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path, "s", DOCUMENT_SCHEMA, shard_bytes=1_000) as writer:
            writer.write(table_of(["一" * 20]).to_batches()[0])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
