"""findings.py: what a stage says comes back as it was said, and nonsense is refused."""

import json
import math
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests import findings as f

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(min_value=0, max_value=2**63 - 1)


def one_of_each(section: f.Section = "corpus") -> list[f.Finding]:
    return [
        f.Figures("Size", [("documents", "12", "after filters")], section=section),
        f.Table("Sources", ["source", "n", "share"], [["poetry", 3, 0.5]], section=section),
        f.Bars("Dropped", "records", [("short", 4)], section=section),
        f.Funnel("Kept", ["read", "kept"], [("poetry", [5, 3])], section=section),
        f.Histogram("Lengths", "characters", [1, 10, 100], [("poetry", [1, 2])], section=section),
        f.Curve("Loss", "step", "nats", [("train", [(0, 10.5), (1, 9)])], section=section),
        f.SideBySide("Pairs", "kept", "dropped", [f.Pair("床前", "牀前")], section=section),
        f.Examples("Texts", [("Li Bai", "床前明月光", "")], section=section),
    ]


def test_every_block_comes_back_and_bytes_repeat() -> None:
    blocks = one_of_each()
    data = f.encode(blocks)
    assert list(f.decode(data)) == blocks
    assert f.encode(f.decode(data)) == data


def test_the_stored_form_is_plain_tagged_json() -> None:
    stored = json.loads(f.encode(one_of_each()))
    assert [block["block"] for block in stored] == [
        "figures", "table", "bars", "funnel", "histogram", "curve", "sidebyside", "examples",
    ]  # fmt: skip
    assert stored[6]["pairs"] == [{"left": "床前", "right": "牀前", "note": ""}]


def test_no_findings_are_an_empty_list() -> None:
    assert f.encode([]) == b"[]"
    assert f.decode(b"[]") == ()


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT), max_size=4), ANY_TEXT)
def test_any_text_can_be_told(items: list[tuple[str, str, str]], title: str) -> None:
    block = f.Examples(title, items, section="provenance")
    assert f.decode(f.encode([block])) == (block,)


@given(st.lists(st.tuples(FINITE, FINITE), max_size=9), st.lists(COUNT, min_size=1, max_size=9))
def test_any_finite_number_can_be_told(points: list[tuple[float, float]], counts: list[int]) -> None:
    edges = list(range(len(counts) + 1))
    blocks: list[f.Finding] = [
        f.Curve("c", "x", "y", [("s", sorted(points))], section="training"),
        f.Histogram("h", "u", edges, [("s", counts)], section="corpus"),
    ]
    assert list(f.decode(f.encode(blocks))) == blocks


def test_a_block_keeps_no_door_open_to_a_callers_list() -> None:
    row = [1, 2]
    block = f.Table("t", ["a", "b"], [row], section="corpus")
    row.append(3)
    assert block.rows == ((1, 2),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: f.Table("T", ["a"], [[1, 2]], section="corpus"), "row 0 has 2 cells for 1"),
        (lambda: f.Table("T", ["a"], [[math.nan]], section="corpus"), "number 0 is nan"),
        (lambda: f.Bars("T", "n", [("a", math.inf)], section="corpus"), "leave it out"),
        (lambda: f.Funnel("T", ["r", "k"], [("s", [1])], section="corpus"), "1 counts for 2"),
        (lambda: f.Funnel("T", ["r"], [("s", [-1])], section="corpus"), "below 0"),
        (lambda: f.Histogram("T", "u", [1], [], section="corpus"), "at least two"),
        (lambda: f.Histogram("T", "u", [2, 1], [], section="corpus"), "larger than"),
        (lambda: f.Histogram("T", "u", [0, 1], [], section="corpus", log=True), "above 0"),
        (lambda: f.Histogram("T", "u", [0, 1], [("s", [])], section="corpus"), "0 counts for 2"),
        (lambda: f.Curve("T", "x", "y", [("s", [(2, 0), (1, 0)])], section="corpus"), "ascending"),
        (lambda: f.Curve("T", "x", "y", [], [("l", math.nan)], section="corpus"), "is nan"),
    ],
)
def test_a_block_that_cannot_be_drawn_is_refused(make: Callable[[], f.Finding], message: str) -> None:
    with pytest.raises(f.FindingError, match=message) as caught:
        make()
    assert "'T'" in str(caught.value)


@pytest.mark.parametrize("value", [object(), {1}, True, None])
def test_a_value_of_another_type_is_refused_when_written(value: object) -> None:
    block = f.Table("T", ["a"], [[value]], section="corpus")  # type: ignore[list-item]
    with pytest.raises(f.FindingError):
        f.encode([block])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'[{"block":"poem","section":"corpus"}]',
        b'[{"block":"figures","section":"kitchen","title":"a","items":[]}]',
        b'[{"block":"figures","section":"corpus","title":"a","items":[],"colour":"red"}]',
        b'[{"block":"funnel","section":"corpus","title":"a","steps":["r"],"rows":[["s",[]]]}]',
        b"\xff",
    ],
)
def test_a_file_that_is_no_findings_is_refused(data: bytes) -> None:
    with pytest.raises(f.FindingError, match="findings do not fit"):
        f.decode(data)


def test_telling_is_cheap_to_import() -> None:
    code = "import sys, siku_manifests.findings; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "msgspec" in loaded
    assert not loaded & {"pyarrow", "numpy", "jinja2", "torch", "polars"}
