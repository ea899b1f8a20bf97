"""The whole stage on documents: what stays, what goes and why, and that nothing else decides it."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from siku_dedup.explain import explain_lines
from siku_manifests.equation import check_equation
from siku_manifests.errors import InputError
from siku_manifests.findings import SideBySide, Table, encode
from siku_manifests.sections import Dedup

if TYPE_CHECKING:
    from tests.dedup.conftest import Corpus

VERSE = "後宮佳麗三千人，三千寵愛在一身。金屋妝成嬌侍夜，玉樓宴罷醉和春。姊妹弟兄皆列土，可憐光彩生門戶。"
SIMPLE = "后宫佳丽三千人 三千宠爱在一身 金屋妆成娇侍夜 玉楼宴罢醉和春 姊妹弟兄皆列土 可怜光彩生门户"
VARIANT = VERSE.replace("嬌", "驕")
MATCH = "昨晚主队在主场以{}比{}战胜客队，继续领跑积分榜，下一轮他们将前往客场挑战卫冕冠军。"
SMALL = [MATCH.format(2, 1), MATCH.format(3, 0), "1998", "1999", "……", "！！", "春", "眠"]


def kept(folder: Path, split: str = "train") -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted((folder / split).glob("*.parquet")):
        table = pq.read_table(path)
        texts.update(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))
    return texts


def dropped(folder: Path) -> dict[str, tuple[str, dict[str, object]]]:
    rows: dict[str, tuple[str, dict[str, object]]] = {}
    for path in sorted((folder / "dropped").glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            assert row["stage"] == "corpus"
            rows[row["id"]] = (row["reason"], json.loads(row["detail"]))
    return rows


def digests(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "parts" not in path.parts)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)
    }


def varied(seed: int, count: int) -> list[str]:
    """Verse-like texts, some repeated with other punctuation, some with a few other characters."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(count):
        lines = ["".join(chr(rng.randrange(0x5000, 0x5400)) for _ in range(7)) for _ in range(rng.choice([4, 8]))]
        texts.append("，".join(lines))
        if rng.random() < 0.3:
            texts.append("。".join(lines))
        if rng.random() < 0.3:
            copy = list(texts[-1])
            copy[rng.randrange(len(copy))] = "文"
            texts.append("".join(copy))
    rng.shuffle(texts)
    return texts


def test_what_is_one_document_and_what_is_not(corpus: Corpus) -> None:
    folder, outcome = corpus.build({"verse": [VERSE, SIMPLE, VARIANT], "news": SMALL}, profiles={"news": "modern"})
    assert kept(folder) == {"verse/file#00000": VERSE} | {f"news/file#{n:05d}": text for n, text in enumerate(SMALL)}
    gone = dropped(folder)
    assert gone["verse/file#00001"] == (
        "exact_duplicate",
        {"duplicate_of": "verse/file#00000", "similarity": 1, "threshold": 0.8},
    )
    reason, detail = gone["verse/file#00002"]
    assert (reason, detail["duplicate_of"]) == ("near_duplicate", "verse/file#00000")
    assert detail["similarity"] == pytest.approx(37 / 43, abs=1e-4)
    check_equation(outcome.counts, stage="corpus")
    verse, news = outcome.counts["verse"], outcome.counts["news"]
    assert (verse.read, verse.kept, verse.dropped) == (3, 1, {"exact_duplicate": 1, "near_duplicate": 1})
    assert (verse.characters, verse.han, verse.bytes) == (len(VERSE), 42, len(VERSE.encode()))
    assert (news.read, news.kept) == (len(SMALL), len(SMALL))


def test_the_source_of_higher_priority_keeps_its_copy(corpus: Corpus) -> None:
    texts = {"first": [VERSE], "second": [SIMPLE]}
    folder, _ = corpus.build(texts)
    assert list(kept(folder)) == ["first/file#00000"]
    folder, _ = corpus.build(texts, priorities={"second": 1})
    assert list(kept(folder)) == ["second/file#00000"]
    folder, _ = corpus.build({"short": [VERSE], "long": [VERSE + "遂令天下"]})
    assert list(kept(folder)) == ["long/file#00000"]


def test_scope_source_looks_inside_each_source(corpus: Corpus) -> None:
    texts = {"first": [VERSE, VARIANT], "second": [SIMPLE, VARIANT]}
    folder, _ = corpus.build(texts, dedup=Dedup(scope="source", validation=0.0))
    assert list(kept(folder)) == ["first/file#00000", "second/file#00000"]


def test_scope_snapshot_looks_inside_each_snapshot(corpus: Corpus) -> None:
    texts = {"page-1": [VERSE, VARIANT], "page-2": [SIMPLE, VARIANT], "book": [SIMPLE], "school": [VERSE]}
    snapshots = {"page-1": "CC-MAIN-2023-14", "page-2": "CC-MAIN-2023-40", "book": "", "school": ""}
    folder, _ = corpus.build(texts, dedup=Dedup(scope="snapshot", validation=0.0), snapshots=snapshots)
    assert list(kept(folder)) == ["book/file#00000", "page-1/file#00000", "page-2/file#00000"]
    snapshots["page-2"] = snapshots["page-1"]
    folder, _ = corpus.build(texts, dedup=Dedup(scope="snapshot", validation=0.0), snapshots=snapshots)
    assert list(kept(folder)) == ["book/file#00000", "page-1/file#00000"]


def test_no_duplicate_crosses_into_validation(corpus: Corpus) -> None:
    texts = varied(1, 400)
    folder, outcome = corpus.build({"verse": texts}, dedup=Dedup(validation=0.2))
    train, validation = kept(folder), kept(folder, "validation")
    assert 0.1 * len(train) < len(validation) < 0.4 * len(train)
    assert len(train) + len(validation) == outcome.counts["verse"].kept
    gone = dropped(folder)
    assert len(train) + len(validation) + len(gone) == len(texts)
    survivors = {detail["duplicate_of"] for _, detail in gone.values()}
    assert survivors <= train.keys() | validation.keys()
    # The split is a property of the texts: other documents beside them move nothing.
    again, _ = corpus.build({"other": varied(2, 50), "verse": texts}, dedup=Dedup(validation=0.2))
    for split, before in (("train", train), ("validation", validation)):
        assert {name: text for name, text in kept(again, split).items() if name.startswith("verse/")} == before


def test_bytes_do_not_depend_on_workers(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"verse": varied(3, 200), "more": varied(4, 100)}
    one, first = corpus.build(texts, shard_bytes=8000)
    two, second = corpus.build(texts, shard_bytes=8000, workers=2)
    assert len(first.shards) > 3
    assert digests(one) == digests(two)
    assert encode(first.findings) == encode(second.findings)


def test_what_is_kept_does_not_depend_on_shards_or_order(corpus: Corpus) -> None:
    texts = varied(5, 200)
    expected = sorted(kept(corpus.build({"verse": texts})[0]).values())
    assert sorted(kept(corpus.build({"verse": texts}, shard_bytes=5000)[0]).values()) == expected
    # Ids are numbered by position here, so the survivor among equals moves; its key and the count do not.
    shuffled = texts.copy()
    random.Random(6).shuffle(shuffled)
    assert len(kept(corpus.build({"verse": shuffled})[0])) == len(expected)
    halves = {"a": texts[:150], "b": texts[150:]}
    assert len(kept(corpus.build(halves)[0])) == len(expected)


def test_both_schemes_and_sizes_agree(corpus: Corpus) -> None:
    texts = {"verse": varied(7, 200)}
    found = []
    for scheme in ("fss1", "datasketch"):
        for permutations in (128, 256):
            dedup = Dedup(scheme=scheme, permutations=permutations, validation=0.0)
            found.append(kept(corpus.build(texts, dedup=dedup)[0]))
    assert all(each == found[0] for each in found)


def test_findings_show_pairs_and_add_up(corpus: Corpus) -> None:
    folder, outcome = corpus.build({"verse": [*varied(8, 100), VERSE, VARIANT]})
    pairs = [pair for block in outcome.findings if isinstance(block, SideBySide) for pair in block.pairs]
    assert any({pair.left, pair.right} == {VERSE, VARIANT} for pair in pairs) or len(pairs) >= 4
    titles = [block.title for block in outcome.findings]
    assert titles[:6] == [
        "Duplicates",
        "Documents left",
        "What each source lost",
        "Documents in a cluster",
        "Estimated and exact similarity",
        "Near-duplicates at other thresholds",
    ]
    assert outcome.extra_files == ["pairs.parquet", "dropped/verse-00000.parquet"]
    assert all((folder / name).is_file() for name in [*outcome.shards, *outcome.extra_files])


def test_a_corpus_without_duplicates_and_one_of_nothing_else(corpus: Corpus) -> None:
    folder, outcome = corpus.build({"verse": ["春眠不覺曉", "白日依山盡"]})
    assert len(kept(folder)) == 2
    encode(outcome.findings)
    folder, outcome = corpus.build({"verse": [VERSE] * 500})
    assert list(kept(folder)) == ["verse/file#00000"]
    assert outcome.counts["verse"].dropped == {"exact_duplicate": 499}


def test_a_documents_stage_without_documents_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="kept no document"):
        corpus.build({"verse": []})


def test_alarms_name_what_a_person_should_look_at(corpus: Corpus) -> None:
    texts = {"copies": [VERSE] * 30, "good": ["春眠不覺曉", "白日依山盡"]}
    _, outcome = corpus.build(texts, dedup=Dedup(validation=0.0, alarm_cluster=20))
    (block,) = [block for block in outcome.findings if block.title == "Alarms"]
    assert isinstance(block, Table)
    assert [row[:3] for row in block.rows] == [("copies", "cluster", 30), ("copies", "share lost", 0.967)]
    _, outcome = corpus.build({"good": texts["good"]})
    assert "Alarms" not in [block.title for block in outcome.findings]


def test_a_document_is_explained(corpus: Corpus) -> None:
    folder, _ = corpus.build({"verse": [VERSE, SIMPLE, VARIANT]})
    stays = list(explain_lines(folder, "verse/file#00000"))
    assert stays[0] == "verse/file#00000: kept for train"
    assert "  stands for 2 others" in stays
    goes = list(explain_lines(folder, "verse/file#00002"))
    assert goes[0] == "verse/file#00002: dropped, near_duplicate"
    assert any("[-嬌-]{+驕+}" in line for line in goes)
    with pytest.raises(InputError, match="neither kept nor dropped"):
        list(explain_lines(folder, "verse/file#9"))
