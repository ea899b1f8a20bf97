"""Documents of a window by the ids that they have in the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.document import DOCUMENT_SCHEMA
from siku_manifests.manifest import Identity, Record, write_manifest
from siku_manifests.shards import write_table
from siku_tokenize.tokenfile import TokenFile, write_token_file
from siku_train.documents import DocumentNames, documents_between


class Lengths:
    """What `documents_between` reads of a token file."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = np.array(lengths, np.int32)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.data())
def test_documents_between_two_places(lengths: list[int], data: st.DataObject) -> None:
    owner = [number for number, length in enumerate(lengths) for _ in range(length)]
    if not owner:
        return
    first = data.draw(st.integers(0, len(owner) - 1))
    last = data.draw(st.integers(first + 1, len(owner) + 3))
    found = documents_between(Lengths(lengths), first, last)  # type: ignore[arg-type]
    assert set(owner[first:last]) <= set(found)
    assert found.start == owner[first]
    assert found[-1] == (owner[last - 1] if last <= len(owner) else len(lengths) - 1)


def test_a_window_names_its_documents(tmp_path: Path) -> None:
    file = write_token_file(tmp_path / "a", [np.arange(3), np.arange(2), np.arange(4)], np.uint16)
    assert list(documents_between(TokenFile(file.stem), 2, 5)) == [0, 1]
    assert DocumentNames()("a", [0, 1]) == ["a document 0", "a document 1"]


def test_the_corpus_is_found_by_its_id(tmp_path: Path) -> None:
    def folder(name: str, kind: str, parents: dict[str, str]) -> str:
        (tmp_path / name).mkdir()
        identity = Identity(kind=kind, parents=parents, recipe={"name": name}, shards=())
        record = Record(key=name, counts={}, files=(), seed=1, code="", environment={})
        return write_manifest(tmp_path / name, identity, record).id

    folder("corpus-11111111", "corpus", {})
    wanted = folder("corpus-22222222", "corpus", {})
    folder("tokens-33333333", "tokens", {"corpus": wanted})
    for number, ids in enumerate((["a/x#0", "a/x#9"], ["a/y#0"])):
        rows = [{field.name: "" for field in DOCUMENT_SCHEMA} | {"id": name} for name in ids]
        (tmp_path / "corpus-22222222/train").mkdir(exist_ok=True)
        table = pa.Table.from_pylist(rows, schema=DOCUMENT_SCHEMA)
        write_table(table, tmp_path / f"corpus-22222222/train/a-{number:05d}.parquet")
    name = DocumentNames.beside(tmp_path / "tokens-33333333")
    assert name("a", [1, 2]) == ["a/x#9", "a/y#0"]
    assert DocumentNames.beside(tmp_path / "corpus-11111111")("a", [1]) == ["a document 1"]
