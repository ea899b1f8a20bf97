"""Manifests, the equation, canonical ids."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.atomic import atomic_write
from siku_manifests.document import document_id, encode_meta
from siku_manifests.equation import Counts, check_equation, total
from siku_manifests.errors import SikuError, VerificationError
from siku_manifests.manifest import Identity, Record, Shard, read_manifest, write_manifest

IDENTITY = Identity(
    kind="documents",
    parents={},
    recipe={"threshold": 0.8, "名": "詩"},
    shards=(Shard(path="a.parquet", content_sha256="0" * 64),),
)


def record(**changes: object) -> Record:
    plain = Record(key="k", counts={"s": Counts(read=1, kept=1)}, files=(), seed=0, code="c", environment={})
    return msgspec.structs.replace(plain, **changes)


def test_the_id_is_of_the_identity_alone(tmp_path: Path) -> None:
    one = write_manifest(tmp_path / "one", IDENTITY, record())
    two = write_manifest(tmp_path / "two", IDENTITY, record(code="other", environment={"python": "9"}))
    assert one.id == two.id
    assert read_manifest(tmp_path / "one") == one
    other = msgspec.structs.replace(IDENTITY, recipe={"threshold": 0.7})
    assert other.id() != IDENTITY.id()


def test_an_edited_manifest_is_found_out(tmp_path: Path) -> None:
    write_manifest(tmp_path, IDENTITY, record())
    path = tmp_path / "manifest.json"
    tree = json.loads(path.read_text())
    tree["identity"]["recipe"]["threshold"] = 0.81
    path.write_text(json.dumps(tree))
    with pytest.raises(VerificationError, match="was edited"):
        read_manifest(tmp_path)
    path.write_text(path.read_text()[:-5])
    with pytest.raises(VerificationError, match="not a manifest of version 1"):
        read_manifest(tmp_path)
    with pytest.raises(VerificationError, match="has not been built"):
        read_manifest(tmp_path / "nowhere")


numbers = st.integers(0, 10**9)
counts = st.builds(
    Counts,
    read=numbers,
    kept=numbers,
    split=numbers,
    joined=numbers,
    dropped=st.dictionaries(st.sampled_from(["short", "duplicate"]), numbers),
    quarantined=st.dictionaries(st.sampled_from(["json", "encoding"]), numbers),
)


@given(st.lists(counts, max_size=6))
def test_sums_balance_exactly_as_their_parts_do(parts: list[Counts]) -> None:
    def gap(count: Counts) -> int:
        left = count.read + count.split
        return left - count.kept - count.joined - count.total_dropped - count.total_quarantined

    assert gap(total(parts)) == sum(map(gap, parts))
    assert total(parts).balanced == (sum(map(gap, parts)) == 0)


def test_an_equation_that_does_not_hold_is_a_bug() -> None:
    check_equation(
        {"s": Counts(read=5, split=2, kept=3, joined=1, dropped={"x": 2}, quarantined={"json": 1})}, stage="t"
    )
    with pytest.raises(SikuError, match="source s does not add up: 5 read"):
        check_equation({"s": Counts(read=5, kept=4)}, stage="t")


def test_document_ids_are_posix_and_nfc() -> None:
    assert document_id("poetry", "json\\poet.0.json", 17) == "poetry/json/poet.0.json#17"
    assert document_id("s", "cafe\u0301.txt", "3/1") == "s/caf\u00e9.txt#3/1"
    assert encode_meta({"題": "靜夜思", "a": 1}) == '{"a":1,"題":"靜夜思"}'


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
