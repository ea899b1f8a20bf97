"""Batches hold what the reader yielded, and their books balance."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.records import Bad, Document, Item, Refused, batches

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
documents = st.builds(
    Document,
    locator=st.integers(0, 9999).map(str),
    text=text,
    meta=st.dictionaries(st.text("abc", min_size=1, max_size=3), text, max_size=3),
    records=st.integers(0, 4),
)
refused = st.builds(Refused, locator=st.just("0"), text=text, reason=st.sampled_from(["fuzzy", "obsolete"]))
bad = st.builds(Bad, reason=st.sampled_from(["json", "record"]), detail=text, data=st.binary(max_size=20))
items = st.lists(st.one_of(documents, refused, bad), max_size=30)


@given(items, st.integers(1, 200))
def test_every_item_comes_out_once_and_the_books_balance(given_items: list[Item], batch_bytes: int) -> None:
    found = list(batches(given_items, batch_bytes=batch_bytes))
    texts = [value for batch in found for value in batch.documents.column("text").to_pylist()]
    assert texts == [item.text for item in given_items if isinstance(item, Document)]
    assert [item for batch in found for item in batch.refused] == [i for i in given_items if isinstance(i, Refused)]
    assert [item for batch in found for item in batch.bad] == [i for i in given_items if isinstance(i, Bad)]
    for batch in found:
        out = batch.documents.num_rows + len(batch.refused) + len(batch.bad)
        assert batch.read + batch.split == batch.joined + out


@given(st.dictionaries(st.text("abcdé字", min_size=1, max_size=3), st.text(st.characters(exclude_categories=["Cs"]))))
def test_metadata_is_canonical_json(meta: dict[str, str]) -> None:
    (batch,) = batches([Document("0", "text", meta)])
    written = batch.documents.column("meta")[0].as_py()
    assert json.loads(written) == meta
    assert written.encode() == rfc8785.dumps(meta)


def test_half_a_surrogate_pair_is_quarantined_and_nothing_else() -> None:
    read = [Document("0", "好"), Document("1", "x\ud800y", records=3), Document("2", "也好", records=0)]
    (batch,) = batches(read)
    assert batch.documents.column("text").to_pylist() == ["好", "也好"]
    assert [(item.reason, item.records) for item in batch.bad] == [("encoding", 3)]
    assert batch.read + batch.split == batch.joined + 3


def test_a_document_that_would_take_all_memory_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siku_corpus.records.MAX_DOCUMENT_CHARACTERS", 5)
    (batch,) = batches([Document("0", "一二三四五"), Document("7", "一二三四五六", records=3)])
    assert batch.documents.column("text").to_pylist() == ["一二三四五"]
    assert [(item.reason, item.length, item.records) for item in batch.bad] == [("size", 18, 3)]
    assert (batch.read, batch.joined) == (4, 2)
