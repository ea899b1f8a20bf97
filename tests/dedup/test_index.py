"""The incremental index: as if all had been deduplicated at once, and a damaged or foreign index is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.against import MOST, equal_in_sorted, match
from siku_dedup.files import FilesResult, Settings, deduplicate_files
from siku_dedup.index import Index
from siku_dedup.parts import SignedParts
from siku_dedup.records import Columns
from siku_dedup.signing import Signer
from siku_manifests.errors import InputError
from siku_manifests.sections import Dedup

SIGNER = Signer.of(Dedup(), "web", source=0)


def texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(150)) for _ in range(count)]


def edited(text: str, seed: int) -> str:
    at = random.Random(seed).randrange(20, 120)
    return text[:at] + "改" + text[at + 1 :]


def run(folder: Path, name: str, rows: list[str], *, index: Path | None, signer: Signer = SIGNER) -> FilesResult:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"id": [f"{name}{row:04d}" for row in range(len(rows))], "text": rows}), path)
    settings = Settings(signer, 0.8, Columns("text", "id"))
    return deduplicate_files([path], folder / f"out-{name}", settings=settings, index=index)


def kept(folder: Path, name: str) -> list[str]:
    ids: list[str] = pq.read_table(folder / f"out-{name}" / "kept" / f"{name}.parquet")["id"].to_pylist()
    return ids


def test_new_documents_are_compared_with_the_old_ones_and_each_other(tmp_path: Path) -> None:
    old, new = texts(1, 60), texts(2, 60)
    index = tmp_path / "index"
    assert run(tmp_path, "a", old, index=index).known == 0
    batch = [
        *new,
        old[0] + "。",  # equal but for punctuation
        edited(old[1], 1),  # nearly an old one
        edited(new[0], 2),  # nearly a new one
    ]
    found = run(tmp_path, "b", batch, index=index)
    assert (found.documents, found.known, found.exact, found.near) == (63, 2, 0, 1)
    assert kept(tmp_path, "b") == [f"b{row:04d}" for row in range(60)]
    rows = pq.read_table(tmp_path / "out-b" / "known.parquet").to_pylist()
    assert [(row["id"], row["known_as"]) for row in rows] == [("b0060", "a0000"), ("b0061", "a0001")]
    assert rows[0]["similarity"] == 1.0
    assert rows[1]["similarity"] == pytest.approx(141 / 151)
    # What was kept is known the next time, whichever addition it came with; the index grew twice.
    again = run(tmp_path, "c", batch + old[:5], index=index)
    assert again.known == again.documents
    assert len(Index(index, SIGNER)) == 120
    assert len(Index(index, SIGNER).generations) == 2


def test_a_cluster_is_known_as_a_whole(tmp_path: Path) -> None:
    (old,) = texts(3, 1)
    near = "变" + old[:120] + old[121:]
    far = near[:60] + "异" + near[61:120] + "样" + near[121:]
    index = tmp_path / "index"
    run(tmp_path, "a", [old], index=index)
    found = run(tmp_path, "b", [far, near], index=index)
    assert (found.known, kept(tmp_path, "b")) == (2, [])


def test_the_kept_list_is_that_of_one_run(tmp_path: Path) -> None:
    rng = random.Random(4)
    pool = texts(5, 80)
    rows = pool + [edited(rng.choice(pool), seed) for seed in range(60)] + [rng.choice(pool) for _ in range(20)]
    rng.shuffle(rows)
    whole = run(tmp_path, "whole", rows, index=None)
    index = tmp_path / "index"
    parts = [run(tmp_path, f"part{low}", rows[low : low + 40], index=index) for low in range(0, len(rows), 40)]
    remain = [part.documents - part.known - part.exact - part.near for part in parts]
    assert sum(remain) == whole.documents - whole.exact - whole.near
    assert len(Index(index, SIGNER)) == sum(remain)


def test_a_large_addition_is_cut_into_generations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = texts(12, 40), texts(13, 10)
    monkeypatch.setattr("siku_dedup.index.GENERATION_POINTS", 4000)
    run(tmp_path, "a", old, index=tmp_path / "index")
    opened = Index(tmp_path / "index", SIGNER)
    assert (len(opened), len(opened.generations)) == (40, 5)
    found = run(tmp_path, "b", [*old[::3], *new, edited(old[-1], 1)], index=tmp_path / "index")
    assert (found.known, found.exact, found.near) == (15, 0, 0)
    assert kept(tmp_path, "b") == [f"b{row:04d}" for row in range(14, 24)]
    assert len(Index(tmp_path / "index", SIGNER).generations) == 7


def test_order_of_new_documents_does_not_matter(tmp_path: Path, signed: Callable[..., SignedParts]) -> None:
    old = texts(6, 30)
    run(tmp_path, "a", old, index=tmp_path / "index")
    new = [edited(text, seed) for seed, text in enumerate(old)] + texts(7, 30)
    index = Index(tmp_path / "index", SIGNER)
    order = np.random.RandomState(8).permutation(len(new))
    first = match(index, signed(new), np.arange(len(new)), threshold=0.8)
    second = match(index, signed([new[row] for row in order]), np.arange(len(new)), threshold=0.8)
    assert (first.known[order] == second.known).all()
    assert (first.known[:30] == np.arange(30)).all()
    assert (first.known[30:] == -1).all()


def test_another_version_scheme_or_a_damaged_file_is_refused(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path, "a", texts(9, 20), index=index)
    with pytest.raises(InputError, match="cannot be compared"):
        Index(index, SIGNER._replace(n=7))
    with pytest.raises(InputError, match="cannot be compared"):
        Index(index, SIGNER._replace(scheme="datasketch"))
    band = index / "00000" / "band-03.keys.npy"
    whole = band.read_bytes()
    band.write_bytes(whole[:-8])
    with pytest.raises(InputError, match=r"band-03.keys.npy: has .* bytes, the index says"):
        Index(index, SIGNER)
    band.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match="is not what was written"):
        Index(index, SIGNER)
    band.write_bytes(whole)
    record = json.loads((index / "index.json").read_text(encoding="utf-8"))
    for content, message in (
        (json.dumps(record | {"version": 2}), "version is 2, this run has 1"),
        ("{", "is no index of documents"),
    ):
        (index / "index.json").write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message):
            Index(index, SIGNER)


def test_a_killed_addition_leaves_the_index_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index"
    run(tmp_path, "a", texts(10, 10), index=index)
    before = (index / "index.json").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("siku_dedup.index.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, "b", texts(11, 10), index=index)
    assert (index / "index.json").read_bytes() == before
    assert len(Index(index, SIGNER)) == 10
    assert run(tmp_path, "b", texts(11, 10), index=index).known == 0
    assert len(Index(index, SIGNER)) == 20


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=300), st.lists(st.integers(0, 40), max_size=60))
def test_joining_is_that_of_python(old: list[int], new: list[int]) -> None:
    keys = np.array(old, np.uint64) << np.uint64(58)
    order = np.argsort(keys, kind="stable")
    wanted = np.array(new, np.uint64) << np.uint64(58)
    left, right = equal_in_sorted(keys[order], order.astype(np.int32), wanted)
    expected = [
        (a, b) for a, one in enumerate(wanted) for b in [at for at, key in enumerate(keys) if key == one][:MOST]
    ]
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == expected
