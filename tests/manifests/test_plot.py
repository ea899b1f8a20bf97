"""plot: whatever is drawn is well-formed, stays on its paper, and shows what it was given."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siku_manifests.findings import Bars, Curve, Funnel, Histogram
from siku_manifests.report.legible import number
from siku_manifests.report.plot import Picture, draw, proportions

SVG = "{http://www.w3.org/2000/svg}"
TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**18)


@st.composite
def pictures(choose: st.DrawFn) -> Picture:
    title, unit = choose(TEXT), choose(TEXT)
    kind = choose(st.sampled_from(["bars", "funnel", "histogram", "curve"]))
    if kind == "bars":
        return Bars(title, unit, choose(st.lists(st.tuples(TEXT, FINITE), max_size=12)), section="corpus")
    if kind == "funnel":
        steps = choose(st.lists(TEXT, min_size=1, max_size=8))
        counts = st.lists(COUNT, min_size=len(steps), max_size=len(steps))
        return Funnel(title, steps, choose(st.lists(st.tuples(TEXT, counts), max_size=6)), section="corpus")
    if kind == "histogram":
        log = choose(st.booleans())
        edges = sorted(choose(st.sets(FINITE.filter(lambda x: x > 0 or not log), min_size=2, max_size=9)))
        counts = st.lists(COUNT, min_size=len(edges) - 1, max_size=len(edges) - 1)
        series = choose(st.lists(st.tuples(TEXT, counts), max_size=5))
        return Histogram(title, unit, edges, series, section="corpus", log=log)
    points = st.lists(st.tuples(FINITE, FINITE), max_size=20).map(sorted)
    curves = choose(st.lists(st.tuples(TEXT, points), max_size=9))
    lines = choose(st.lists(st.tuples(TEXT, FINITE), max_size=3))
    return Curve(title, unit, unit, curves, lines, section="training")


def parse(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert "style" not in svg
    return root


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@settings(max_examples=120, deadline=None)
@given(pictures(), st.sampled_from([340, 880]))
@example(Curve("", "", "", [("", [(0, i / 1e3)]) for i in range(4)], section="training"), 340)
def test_every_picture_is_well_formed_and_on_its_paper(block: Picture, width: int) -> None:
    svg = draw(block, width=width)
    assert svg == draw(block, width=width)
    root = parse(svg)
    assert root.find(f"{SVG}title") is not None
    assert (root.findtext(f"{SVG}desc") or "").strip()
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    assert wide == width
    for element in root.iter():
        for name, limit in (("x", wide), ("x1", wide), ("x2", wide), ("cx", wide), ("y", high), ("cy", high)):
            if name in element.attrib:
                assert -1 <= float(element.attrib[name]) <= limit + 1, (element.tag, name)
        assert float(element.attrib.get("height", 1)) > 0


def test_bars_are_as_long_as_their_values() -> None:
    block = Bars("t", "records", [("a", 400), ("b", 100), ("c", -200), ("d", 0)], section="corpus")
    root = parse(draw(block))
    a, b, c = (float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect"))
    assert a == pytest.approx(4 * b, rel=0.01)
    assert c == pytest.approx(2 * b, rel=0.01)
    assert {"a", "400", "-200", "records"} <= set(texts(root))


def test_a_funnel_shows_each_source_in_shares_of_its_own() -> None:
    block = Funnel("t", ["read", "kept"], [("big", [10**6, 5 * 10**5]), ("small", [10, 5])], section="corpus")
    root = parse(draw(block))
    widths = [float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect") if rect.attrib["height"] == "14"]
    assert widths[0] == widths[2]
    assert widths[1] == widths[3] == pytest.approx(widths[0] / 2, abs=0.1)
    assert {"50.0 % of 1,000,000", "50.0 % of 10"} <= set(texts(root))


def test_a_histogram_has_a_column_for_each_bin_that_holds_something() -> None:
    block = Histogram("t", "characters", [1, 10, 100, 1000], [("s", [5, 0, 10])], section="corpus", log=True)
    root = parse(draw(block))
    first, last = root.iter(f"{SVG}rect")
    assert float(last.attrib["height"]) == pytest.approx(2 * float(first.attrib["height"]), abs=0.2)
    assert float(last.attrib["width"]) == pytest.approx(float(first.attrib["width"]), abs=0.2)
    assert {"s", "15 in all", "1", "10", "100", "1k"} <= set(texts(root))


def test_a_curve_shows_its_levels_and_where_it_ends() -> None:
    series = [("train", [(0, 10.95), (100, 8.5)]), ("validation", [(0, 10.9), (100, 8.08)])]
    root = parse(draw(Curve("t", "step", "nats", series, [("unigram entropy", 7.83)], section="training")))
    assert {"train", "validation", "8.5", "8.08", "unigram entropy 7.83", "step", "nats"} <= set(texts(root))
    styles = {(path.attrib["class"], path.attrib["stroke-dasharray"]) for path in root.iter(f"{SVG}path")}
    assert len(styles) == 2
    assert len({dash for _, dash in styles}) == 2


def test_a_long_curve_stays_small_and_keeps_its_peak() -> None:
    points = [(float(i), 1000.0 if i == 31_337 else i % 7) for i in range(100_000)]
    svg = draw(Curve("t", "x", "y", [("s", points)], section="training"))
    assert len(svg) < 60_000
    (line, *_) = sorted((path.attrib["d"] for path in parse(svg).iter(f"{SVG}path")), key=len, reverse=True)
    heights = [float(pair.split()[1]) for pair in line.lstrip("M").split("L")]
    assert min(heights) < min(heights[:300]) - 100


def test_labels_at_the_ends_of_curves_do_not_overlap() -> None:
    series = [(f"s{i}", [(0, 1), (1, 2 + i / 1e3)]) for i in range(5)]
    root = parse(draw(Curve("t", "x", "y", series, section="training")))
    places = sorted(float(t.attrib["y"]) for t in root.iter(f"{SVG}text") if t.attrib["class"] == "value")
    assert len(places) == 5
    assert all(b - a >= 14 for a, b in pairwise(places))


def test_curves_that_end_in_one_place_have_one_label() -> None:
    series = [(f"s{i}", [(0, i), (1, 1)]) for i in range(5)]
    root = parse(draw(Curve("t", "x", "y", series, section="training")))
    assert [t.text for t in root.iter(f"{SVG}text") if t.attrib["class"] == "value"] == ["1"]


def test_a_level_is_named_where_the_curve_is_not() -> None:
    falling = [(float(i), max(8.0, 11 - i / 10)) for i in range(100)]
    root = parse(draw(Curve("t", "x", "y", [("s", falling)], [("entropy", 7.9)], section="training")))
    (label,) = (text for text in root.iter(f"{SVG}text") if text.attrib["class"] == "level")
    (level,) = (line for line in root.iter(f"{SVG}line") if line.attrib["class"] == "level")
    assert label.attrib["text-anchor"] == "start" or float(label.attrib["y"]) > float(level.attrib["y1"])


def test_proportions_fill_the_bar() -> None:
    root = parse(proportions([("kept", 3), ("dropped", 0), ("joined", 1)]).replace("<svg", f'<svg xmlns="{SVG[1:-1]}"'))
    widths = {rect.attrib["class"]: float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect")}
    assert widths == {"kept": 90, "joined": 30}
    assert list(parse(proportions([]).replace("<svg", f'<svg xmlns="{SVG[1:-1]}"'))) == []


@given(st.floats(-1e300, 1e300) | st.integers())
def test_a_number_is_readable_and_near(value: float) -> None:
    written = number(value)
    assert len(written) <= 24
    assert float(written.replace(",", "")) == pytest.approx(value, rel=1e-3)
