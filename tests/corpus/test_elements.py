"""Elements of a JSON list as the decoder of the whole sees them, however the list is spelled and cut into blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus import elements
from siku_corpus.elements import Element, iterate_elements
from siku_corpus.records import Bad, Document
from siku_corpus.sources.instructions import read_instructions
from siku_corpus.sources.poetry import read_poetry

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text('[]{},"\\\n 诗', max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.sampled_from([None, 1]), st.integers(1, 40), st.booleans())
def test_elements_are_those_of_the_list(
    tmp_path_factory: pytest.TempPathFactory, content: list[object], indent: int | None, block: int, mark: bool
) -> None:
    file = tmp_path_factory.mktemp("list") / "a.json"
    data = ("\ufeff" if mark else "").encode() + json.dumps(content, indent=indent).encode() + b"\n"
    file.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elements, "_BLOCK_BYTES", max(block, 8))
        found = list(iterate_elements(file))
    assert [json.loads(element.data) for element in found if isinstance(element, Element)] == content
    for number, element in enumerate(found):
        assert isinstance(element, Element)
        assert element.number == number
        assert data[element.offset :].lstrip().startswith(element.data)


@pytest.mark.parametrize(
    ("data", "texts", "reasons"),
    [
        (b'[{"a":1}, {"b"', [b'{"a":1}'], ["json"]),
        (b'[{"a":1}', [], ["json"]),
        (b"[]", [], []),
        (b"[1, 2] rest", [b"1", b"2"], []),
        (b'["' + b"x" * 300 + b'", 2]', [b"2"], ["size"]),
    ],
)
def test_what_is_broken_or_too_long_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, texts: list[bytes], reasons: list[str]
) -> None:
    monkeypatch.setattr(elements, "MAX_ELEMENT_BYTES", 100)
    monkeypatch.setattr(elements, "_BLOCK_BYTES", 16)
    file = tmp_path / "a.json"
    file.write_bytes(data)
    found = list(iterate_elements(file))
    assert [element.data for element in found if isinstance(element, Element)] == texts
    assert [element.reason for element in found if isinstance(element, Bad)] == reasons


def test_a_long_list_is_read_as_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poems = [{"title": f"其{n}", "author": "甲", "paragraphs": ["春眠不覺曉。"] * (n % 3)} for n in range(50)]
    talks = [{"instruction": "问", "input": "", "output": f"答{n}"} for n in range(50)]
    for reader, content in ((read_poetry, poems), (read_instructions, talks)):
        file = tmp_path / "a.json"
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        short = list(reader(file, 0, 1))
        monkeypatch.setattr("siku_corpus.opening.MAX_WHOLE_BYTES", 100)
        assert list(reader(file, 0, 1)) == short
        assert all(isinstance(item, Document) for item in short)
        file.write_text(json.dumps([*content, "no object"], ensure_ascii=False), encoding="utf-8")
        *rest, last = reader(file, 0, 1)
        assert rest == short
        assert isinstance(last, Bad)
        assert last.reason == "record"
        monkeypatch.undo()
