"""Repeated lines: counted by document, equal by key, and removed without harm to the rest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.keytext import key_text
from siku_dedup.lines import count_lines, without_lines
from siku_manifests.findings import Table
from siku_manifests.sections import Dedup

if TYPE_CHECKING:
    from tests.dedup.conftest import Corpus

LINE = st.sampled_from(["", " ", "首页", "首頁。", "春眠不觉晓", "——", "版权所有", "正文甲", "正文乙"])
DOCUMENTS = st.lists(st.lists(LINE, max_size=6).map("\n".join), max_size=8)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_counts_are_those_of_python(texts: list[str]) -> None:
    found = count_lines(pa.array(texts, pa.string()))
    expected = Counter(key for text in texts for key in {key_text(line) for line in text.split("\n") if line.strip()})
    keys = [key_text(line) for line in found.texts.to_pylist()]
    assert dict(zip(keys, found.documents.tolist(), strict=True)) == expected


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.integers(1, 4))
def test_removal_is_that_of_python(texts: list[str], least: int) -> None:
    column = pa.array(texts, pa.string())
    found = count_lines(column)
    repeated = found.hashes[found.documents >= least]
    gone = {key_text(line) for line in found.texts.filter(pa.array(found.documents >= least)).to_pylist()}
    result = without_lines(column, repeated).to_pylist()
    for before, after in zip(texts, result, strict=True):
        stays = [line for line in before.split("\n") if line.strip() and key_text(line) not in gone]
        if not stays or len(stays) == sum(bool(line.strip()) for line in before.split("\n")):
            assert after == before
        else:
            assert [line for line in after.split("\n") if line.strip()] == stays


def test_blank_lines_do_not_pile_up() -> None:
    column = pa.array(["首页\n\n正文\n\n广告\n\n结尾\n版权所有", "首页", "无关"])
    counts = count_lines(pa.array(["首頁", "广告", "版权所有"]))
    assert without_lines(column, np.sort(counts.hashes)).to_pylist() == ["正文\n\n结尾", "首页", "无关"]


def test_the_stage_removes_them_by_source(corpus: Corpus) -> None:
    notice = "【版权所有，未经许可不得转载】"
    bodies = ["春眠不觉晓处处闻啼鸟", "白日依山尽黄河入海流", "床前明月光疑是地上霜", "千山鸟飞绝万径人踪灭"]
    web = [f"{body}\n{notice}" for body in bodies]
    texts = {"web": [*web, bodies[0]], "other": [notice + "\n" + "红豆生南国春来发几枝", "另一篇"]}
    dedup = Dedup(validation=0.0, repeated_lines=3)
    folder, outcome = corpus.build(texts, dedup=dedup, shard_bytes=200)
    kept = {
        name: [
            text
            for path in sorted((folder / "train").glob(f"{name}-*.parquet"))
            for text in pq.read_table(path)["text"].to_pylist()
        ]
        for name in texts
    }
    # Without its notice the first page is the same as the last; in the other source nothing repeats.
    assert kept == {"web": bodies, "other": texts["other"]}
    assert outcome.counts["web"].dropped == {"exact_duplicate": 1}
    (block,) = [block for block in outcome.findings if block.title == "Repeated lines"]
    assert isinstance(block, Table)
    assert block.rows == (("web", 1, 4, notice),)
