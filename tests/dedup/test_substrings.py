"""Repeated substrings: found as by brute force, cut without harm, and the same bytes however the stage runs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup import trimming
from siku_dedup.explain import explain_lines
from siku_dedup.points import column_points
from siku_dedup.substrings import Repeats, Texts, find_repeats, spans, without
from siku_manifests.equation import check_equation
from siku_manifests.findings import Examples, Table
from siku_manifests.manifest import Manifest
from siku_manifests.recipe import load_recipe
from siku_manifests.runner import run_stage
from siku_manifests.sections import Dedup

if TYPE_CHECKING:
    from tests.dedup.conftest import Corpus

PARTS = st.lists(st.lists(st.text("甲乙丙", max_size=30), max_size=4), min_size=1, max_size=4)
BOILER = "本网站所载内容均来自网络，版权归原作者所有，如有侵权请与管理员联系，我们将在二十四小时内删除，特此声明。"


def texts_of(parts: Sequence[Sequence[str]], scopes: Sequence[int]) -> Texts:
    return Texts([column_points(pa.array(part, pa.string())) for part in parts], scopes)


def repeats_by_python(parts: Sequence[Sequence[str]], scopes: Sequence[int], size: int) -> dict[int, int]:
    """Place of each window that stood before -> place of the first one."""
    first: dict[tuple[int, str], int] = {}
    repeats = {}
    base = 0
    for part, scope in zip(parts, scopes, strict=True):
        for text in part:
            for at in range(len(text) - size + 1):
                origin = first.setdefault((scope, text[at : at + size]), base + at)
                if origin + size <= base + at:
                    repeats[base + at] = origin
            base += len(text)
    return repeats


def repeats_by_suffix_array(texts: Sequence[str], size: int) -> set[int]:
    """The same places, read off sorted suffixes; a text ends with a character that no other has."""
    joined = "".join(text + chr(0xE000 + number) for number, text in enumerate(texts))
    suffixes = sorted(range(len(joined)), key=lambda at: joined[at:])
    found: set[int] = set()
    group = suffixes[:1]
    for at in [*suffixes[1:], -1]:
        if at >= 0 and len(joined) - at >= size and joined[at : at + size] == joined[group[0] : group[0] + size]:
            group.append(at)
            continue
        found |= {place for place in group if min(group) + size <= place}
        group = [at]
    ends = np.cumsum([len(text) + 1 for text in texts])
    return {place - int(np.searchsorted(ends, place, side="right")) for place in found}


@settings(max_examples=150, deadline=None)
@given(PARTS, st.integers(1, 8), st.integers(1, 5), st.randoms(use_true_random=False))
def test_repeats_are_those_of_python(parts: list[list[str]], size: int, passes: int, rng: random.Random) -> None:
    scopes = [rng.randrange(2) for _ in parts]
    texts = texts_of(parts, scopes)
    found = [find_repeats(texts, size=size, number=number, passes=passes) for number in range(passes)]
    got: dict[int, int] = {}
    for each in found:
        assert (np.diff(each.places) > 0).all()
        got.update(zip(each.places.tolist(), each.origins.tolist(), strict=True))
    assert sum(len(each.places) for each in found) == len(got)
    assert got == repeats_by_python(parts, scopes, size)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text("甲乙丙", max_size=25), max_size=5), st.integers(1, 8))
def test_repeats_are_those_of_a_suffix_array(texts: list[str], size: int) -> None:
    found = find_repeats(texts_of([texts], [0]), size=size)
    assert set(found.places.tolist()) == repeats_by_suffix_array(texts, size)


def test_windows_of_one_hash_are_told_apart_by_their_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    parts = [["".join(rng.choices("甲乙", k=20)) for _ in range(6)] for _ in range(3)]
    real = trimming.find_repeats.__globals__["select_windows"]

    def weak(points: object, wanted: object, keys: np.ndarray, places: np.ndarray) -> int:
        count: int = real(points, wanted, keys, places)
        keys %= np.uint64(3)
        return count

    monkeypatch.setattr("siku_dedup.substrings.select_windows", weak)
    found = find_repeats(texts_of(parts, [0, 1, 0]), size=4)
    assert dict(zip(found.places.tolist(), found.origins.tolist(), strict=True)) == repeats_by_python(
        parts, [0, 1, 0], 4
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("甲乙丙", max_size=40), max_size=5), st.integers(2, 8))
def test_a_character_goes_if_a_repeat_covers_it(texts: list[str], size: int) -> None:
    points = column_points(pa.array(texts, pa.string()))
    found = find_repeats(Texts([points], [0]), size=size)
    gone = {place + k for place in found.places.tolist() for k in range(size)}
    cut = spans(points, found, size=size)
    bounds = zip(cut.documents.tolist(), cut.begins.tolist(), cut.ends.tolist(), strict=True)
    assert {int(points.starts[doc]) + at for doc, begin, end in bounds for at in range(begin, end)} == gone
    # Nothing is lost: from what goes one comes, origin by origin, to a character that stays.
    origin = {
        place + k: first + k
        for place, first in zip(found.places.tolist(), found.origins.tolist(), strict=True)
        for k in range(size)
    }
    values = points.values
    for start in gone:
        at = start
        while at in gone:
            assert values[origin[at]] == values[start]
            at = origin[at]


@pytest.mark.parametrize(
    ("text", "begin", "end", "cut"),
    [
        ("甲é乙丙丁", 2, 4, [(2, 4)]),
        ("甲e\u0301乙丙丁", 2, 5, [(3, 5)]),  # the accent stays with its letter
        ("甲乙丙e\u0301丁", 1, 4, [(1, 3)]),
        ("甲👩\u200d🎓乙丙", 2, 5, [(4, 5)]),
        ("葛\U000e0100城市", 0, 1, []),
        ("an entry of words", 4, 13, [(8, 12)]),  # words stay whole
        ("甲e\u0301", 0, 3, [(0, 3)]),
    ],
)
def test_no_character_is_cut(text: str, begin: int, end: int, cut: list[tuple[int, int]]) -> None:
    points = column_points(pa.array(["前", text]))
    repeats = Repeats(np.array([begin + 1]), np.array([0]))
    found = spans(points, repeats, size=end - begin)
    assert [each for _, each in found.by_document()] == ([cut] if cut else [])


def test_a_line_ends_where_something_was_cut() -> None:
    assert without("甲乙丙丁戊", [(1, 3)]) == "甲\n丁戊"
    assert without("甲乙\n丙丁\n戊", [(0, 2), (3, 5)]) == "戊"
    assert without("甲乙", [(0, 2)]) == ""


def body(seed: int, count: int = 60) -> str:
    rng = random.Random(seed)
    return "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(count))


def rows(folder: Path, kind: str) -> dict[str, dict[str, object]]:
    paths = sorted((folder / kind).glob("*.parquet"))
    return {str(row["id"]): row for path in paths for row in pq.read_table(path).to_pylist()}


def test_the_stage_cuts_what_stood_before(corpus: Corpus) -> None:
    bodies = [body(seed) for seed in range(5)]
    texts = {
        "web": [bodies[0] + "\n" + BOILER, BOILER + bodies[1], bodies[2], "短" + BOILER, BOILER[:50] + bodies[3][:30]],
        "news": [bodies[4] + BOILER + bodies[4][:10]],
    }
    dedup = Dedup(validation=0.0, substrings=50)
    folder, outcome = corpus.build(texts, dedup=dedup, priorities={"news": 1})
    kept = {name: row["text"] for name, row in rows(folder, "train").items()}
    # The source of higher priority keeps the notice, though the recipe names it last.
    assert kept == {
        "web/file#00000": bodies[0],
        "web/file#00001": bodies[1],
        "web/file#00002": bodies[2],
        "web/file#00004": bodies[3][:30],
        "news/file#00000": texts["news"][0],
    }
    check_equation(outcome.counts, stage="corpus")
    assert outcome.counts["web"].dropped == {"repeated_substrings": 1}
    assert outcome.counts["web"].characters == sum(map(len, bodies[:3])) + 30 == outcome.counts["web"].han
    (gone,) = rows(folder, "dropped").values()
    assert (gone["reason"], gone["text"]) == ("repeated_substrings", "短" + BOILER)
    assert json.loads(str(gone["detail"])) == {"characters_cut": len(BOILER), "characters_left": 1}
    cut = rows(folder, "cuts")["web/file#00004"]
    assert (cut["begin"], cut["end"], cut["found_in"], cut["found_at"]) == (0, 50, "news/file#00000", 60)
    assert cut["text"] == BOILER[:50]
    assert "cuts/web-00000.parquet" in outcome.extra_files
    tables = {block.title: block for block in outcome.findings if isinstance(block, Table | Examples)}
    assert ("web", 4, 4, 0, 3 * len(BOILER) + 50) in tables["Repeated substrings"].rows  # type: ignore[union-attr]
    assert tables["What was cut out most often"].items[0][:2] == ("cut out 3 times", BOILER)  # type: ignore[union-attr]
    explained = list(explain_lines(folder, "web/file#00001"))
    assert f"  characters 0 to {len(BOILER)} were cut out; they stand in news/file#00000 from 60:" in explained


def test_a_source_of_which_nothing_stays_and_lines_that_went_before(corpus: Corpus) -> None:
    texts = {
        "web": [f"{body(seed)}\n首页 登录 注册\n{BOILER}" for seed in range(3)],
        "copy": [body(0) + "\n首页，登录，注册\n" + BOILER],
    }
    dedup = Dedup(validation=0.0, substrings=50, repeated_lines=3)
    folder, outcome = corpus.build(texts, dedup=dedup)
    # The notice is a repeated line of web, but not of copy, whose document therefore is no copy any more.
    kept = {name: row["text"] for name, row in rows(folder, "train").items()}
    assert kept == {f"web/file#0000{seed}": body(seed) for seed in range(3)} | {
        "copy/file#00000": f"首页，登录，注册\n{BOILER}"
    }
    folder, outcome = corpus.build({"web": texts["web"], "z": texts["web"][:2]}, dedup=Dedup(substrings=50))
    assert outcome.counts["z"].dropped == {"exact_duplicate": 2}
    assert outcome.counts["web"].kept == 3


def test_scopes_divide_substrings_too(corpus: Corpus) -> None:
    texts = {name: [body(seed) + BOILER, body(seed + 9) + BOILER] for seed, name in enumerate(["a", "b"])}
    for scope, cut in (("global", 3), ("source", 2)):
        dedup = Dedup(validation=0.0, substrings=50, scope=scope)  # type: ignore[arg-type]
        folder, _ = corpus.build(texts, dedup=dedup)
        assert len(rows(folder, "cuts")) == cut


def build(folder: Path, out: str, *, workers: int = 1) -> Manifest:
    recipe = load_recipe(str(folder / "recipe.toml"))
    for stage in ("documents", "corpus"):
        manifest, _ = run_stage(stage, recipe, out=folder / out, workers=workers, say=lambda _: None)
    return manifest


@pytest.fixture
def recipe_folder(tmp_path: Path) -> Path:
    lines = [body(seed, 120) + (BOILER if seed % 3 == 0 else "") + body(-seed, 40) for seed in range(300)]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(
        'name = "t"\n[[source]]\nname = "a"\nformat = "lines"\nwhere = "."\npath = ["*.txt"]\nlicense = "CC0-1.0"\n'
        'profile = "poetry"\nlanguage = "zh"\n[dedup]\nsubstrings = 50\n',
        encoding="utf-8",
    )
    return tmp_path


def test_a_killed_search_goes_on_to_the_same_bytes(recipe_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = build(recipe_folder, "whole")
    assert expected.record.counts["a"].characters < 300 * 165
    monkeypatch.setattr(trimming, "PASS_WINDOWS", 10_000)
    calls: list[int] = []

    def killed(find: Callable[..., Repeats], **options: int) -> Callable[..., Repeats]:
        def work(*arguments: object, **named: object) -> Repeats:
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return find(*arguments, **named)

        return work

    with monkeypatch.context() as patch:
        patch.setattr(trimming, "find_repeats", killed(find_repeats))
        with pytest.raises(KeyboardInterrupt):
            build(recipe_folder, "killed")
    again = build(recipe_folder, "killed")
    assert len(calls) == 3
    assert (again.id, again.record.files) == (expected.id, expected.record.files)


@pytest.mark.slow
def test_two_and_four_workers_give_the_same_bytes(recipe_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "PASS_WINDOWS", 10_000)
    one, two, four = (build(recipe_folder, f"with-{workers}", workers=workers) for workers in (1, 2, 4))
    assert one.id == two.id == four.id
    assert one.record.files == two.record.files == four.record.files
