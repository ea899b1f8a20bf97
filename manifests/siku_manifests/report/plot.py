"""Pictures of findings as SVG: bars, funnels, histograms and curves.

A picture is drawn for a width in pixels, so that labels keep their size on a phone: the
report holds a wide and a narrow drawing and its style sheet shows one.
"""

from collections.abc import Sequence
from itertools import pairwise

from siku_manifests.findings import Bars, Curve, Funnel, Histogram
from siku_manifests.report.axes import Scale, Tick, fitted, inner, linear_ticks, log_ticks, text_width
from siku_manifests.report.legible import number, share
from siku_manifests.report.paper import NARROW, Key, Paper, Rows, path, series_key

Picture = Bars | Funnel | Histogram | Curve


def draw(block: Picture, *, width: int = 880) -> str:
    """The block as one self-contained `<svg>` element, `width` pixels wide."""
    match block:
        case Bars():
            return _bars(block, width)
        case Funnel():
            return _funnel(block, width)
        case Histogram():
            return _histogram(block, width)
        case Curve():
            return _curve(block, width)


def proportions(parts: Sequence[tuple[str, int]], *, width: int = 120) -> str:
    """A thin bar cut into parts of those sizes; the parts' names are the classes of their colours.

    Decoration beside the numbers, so hidden from those who have the page read to them.
    """
    whole = sum(count for _, count in parts)
    paper = Paper(width)
    start = 0.0
    for kind, count in parts:
        if count:
            stop = start + width * count / whole
            paper.bar(start, stop, y=0, height=10, kind=kind)
            start = stop
    return paper.decoration(10)


def _bars(block: Bars, width: int) -> str:
    paper = Paper(width)
    values = [value for _, value in block.items]
    rows = Rows([label for label, _ in block.items], paper)
    margin = 8 + max([text_width(number(value)) for value in values], default=0.0)
    ticks = linear_ticks(min([0.0, *values]), max([0.0, *values]), count=width // 130)
    scale = Scale(ticks[0].value, ticks[-1].value, rows.left, width - margin)
    bottom = len(values) * rows.pitch + 4
    paper.x_axis(ticks, scale, top=0, bottom=bottom)
    for index, (label, value) in enumerate(block.items):
        y = rows.label(index, label)
        if value:
            paper.bar(scale(0), scale(value), y=y, height=14, kind="s0")
        paper.text(max(scale(0), scale(value)) + 6, y + 11, number(value), kind="value")
    paper.line((scale(0), 0), (scale(0), bottom), kind="axis")
    paper.text(width, bottom + 34, block.unit, kind="name", anchor="end")
    told = "; ".join(f"{label}: {number(value)}" for label, value in block.items)
    return paper.svg(bottom + 40, title=block.title, description=f"Bars, {block.unit}. {told}")


def _funnel(block: Funnel, width: int) -> str:
    """Each row is scaled to the largest of its counts: sources differ a thousandfold in size."""
    paper = Paper(width)
    top = paper.legend([Key(step, _shade(i, block)) for i, step in enumerate(block.steps)])
    rows = Rows([source for source, _ in block.rows], paper, top=top)
    ends = [f"{share(counts[-1], max(counts))} of {number(max(counts))}" for _, counts in block.rows]
    margin = 12 + max(map(text_width, ends), default=0.0)
    scale = Scale(0, 100, rows.left, width - margin)
    bottom = top + len(block.rows) * rows.pitch + 4
    ticks = tuple(Tick(float(percent), f"{percent} %") for percent in range(0, 101, 25))
    paper.x_axis(ticks, scale, top=top, bottom=bottom)
    for index, ((source, counts), end) in enumerate(zip(block.rows, ends, strict=True)):
        y = rows.label(index, source)
        # The longest first, so that a shorter bar lies upon it and every end can be seen.
        for step in sorted(range(len(counts)), key=lambda step: -counts[step]):
            if counts[step]:
                stop = scale(100 * counts[step] / max(counts))
                paper.bar(scale(0), stop, y=y, height=14, kind=_shade(step, block))
        paper.text(width - margin + 10, y + 11, end, kind="value")
    paper.line((scale(0), top), (scale(0), bottom), kind="axis")
    told = "; ".join(f"{source}: {' → '.join(map(number, counts))}" for source, counts in block.rows)
    description = f"What is left after the steps {', '.join(block.steps)}. {told}"
    return paper.svg(bottom + 24, title=block.title, description=description)


def _histogram(block: Histogram, width: int) -> str:
    """One panel a series over one common axis, each with its own counts."""
    paper = Paper(width)
    right = width - 12
    tall = {1: 170, 2: 84, 3: 84}.get(len(block.series), 48)
    marks = [linear_ticks(0, max([1, *counts]), count=max(1, tall // 40)) for _, counts in block.series]
    left = 8 + max([text_width(tick.label, size=11) for ticks in marks for tick in ticks], default=0.0)
    low, high = block.edges[0], block.edges[-1]
    across = Scale(low, high, left, right, block.log)
    linear = inner(linear_ticks(low, high, count=width // 90), low, high)
    bottom = len(block.series) * (tall + 30)
    paper.x_axis(log_ticks(low, high) if block.log else linear, across, top=20, bottom=bottom)
    for index, ((name, counts), ticks) in enumerate(zip(block.series, marks, strict=True)):
        base = (index + 1) * (tall + 30)
        up = Scale(ticks[0].value, ticks[-1].value, base, base - tall)
        paper.y_axis(ticks, up, left=left, right=right)
        for (start, end), count in zip(pairwise(block.edges), counts, strict=True):
            if count:
                # A pixel of paper between neighbours, unless they are narrower than that.
                paper.column((across(start), max(across(end) - 1, across(start) + 0.5)), up(count), base)
        paper.line((left, base), (right, base), kind="axis")
        paper.text(left, base - tall - 9, fitted(name, width / 2), kind="label")
        paper.text(right, base - tall - 9, f"{number(sum(counts))} in all", kind="tick", anchor="end")
    paper.text(right, bottom + 34, block.unit, kind="name", anchor="end")
    told = "; ".join(f"{name}: {number(sum(counts))} in all" for name, counts in block.series)
    description = f"Counts by {block.unit} from {number(low)} to {number(high)}. {told}"
    return paper.svg(bottom + 40, title=block.title, description=description)


def _curve(block: Curve, width: int) -> str:
    paper = Paper(width)
    drawn = [(name, points) for name, points in block.series if points]
    keys = [series_key(name, index) for index, (name, _) in enumerate(drawn)]
    ends = [number(points[-1][1]) for _, points in drawn]
    top = paper.legend(keys) + 22
    across, up = _curve_axes(paper, block, top=top, margin=16 + max(map(text_width, ends), default=0.0))
    lines = [_thinned([(across(x), up(y)) for x, y in points]) for _, points in drawn]
    for line, key in zip(lines, keys, strict=True):
        paper.add("path", d=path(line), kind=key.kind, stroke_dasharray=key.dash or "none")
        if len(line) <= 40:
            for x, y in line:
                paper.add("circle", cx=x, cy=y, r=2.5, kind=key.kind.replace("l", "s"))
    for name, level in block.lines:
        _level(paper, f"{name} {number(level)}", (across, up(level)), [point for line in lines for point in line])
    said = {(round(line[-1][1]), end): line[-1][1] for line, end in zip(lines, ends, strict=True)}
    for y, (_, end) in zip(_apart(list(said.values()), last=up.start), said, strict=True):
        paper.text(across.stop + 10, y + 4, end, kind="value")
    told = [f"{name}: {number(points[0][1])} → {number(points[-1][1])}" for name, points in drawn]
    told += [f"{name}: {number(level)}" for name, level in block.lines]
    description = f"{block.y_label} over {block.x_label}. {'; '.join(told)}"
    return paper.svg(up.start + 40, title=block.title, description=description)


def _curve_axes(paper: Paper, block: Curve, *, top: float, margin: float) -> tuple[Scale, Scale]:
    """Draw both axes with their names; returns the scales of x and of y."""
    points = [point for _, series in block.series for point in series]
    heights = [y for _, y in points] + [level for _, level in block.lines]
    x_reach = min((x for x, _ in points), default=0.0), max((x for x, _ in points), default=1.0)
    x_ticks = linear_ticks(*x_reach, count=int(paper.width) // 110)
    if x_reach[0] == x_reach[1]:
        x_reach = x_ticks[0].value, x_ticks[-1].value
    x_ticks = inner(x_ticks, *x_reach)
    y_ticks = linear_ticks(min(heights, default=0.0), max(heights, default=1.0))
    bottom = top + (300 if paper.width >= NARROW else 220)
    left, right = 8 + max(text_width(tick.label, size=11) for tick in y_ticks), paper.width - margin
    across, up = Scale(*x_reach, left, right), Scale(y_ticks[0].value, y_ticks[-1].value, bottom, top)
    paper.x_axis(x_ticks, across, top=top, bottom=bottom)
    paper.y_axis(y_ticks, up, left=left, right=right)
    paper.line((left, bottom), (right, bottom), kind="axis")
    paper.text(0, top - 12, block.y_label, kind="name")
    paper.text(right, bottom + 34, block.x_label, kind="name", anchor="end")
    return across, up


def _level(paper: Paper, told: str, place: tuple[Scale, float], points: Sequence[tuple[float, float]]) -> None:
    """A line to compare with, and its label at whichever end and side of it the curves leave most room."""
    across, y = place
    paper.line((across.start, y), (across.stop, y), kind="level")
    told = fitted(told, across.stop - across.start - 8)
    wide = text_width(told) + 12

    def room(spot: tuple[bool, int]) -> float:
        at_end, middle = spot
        start = across.stop - wide if at_end else across.start
        return min((abs(py - y - middle) for px, py in points if start <= px <= start + wide), default=999)

    at_end, middle = max([(True, -10), (True, 12), (False, -10), (False, 12)], key=room)
    x, anchor = (across.stop - 4, "end") if at_end else (across.start + 6, "start")
    paper.text(x, y + middle + 4, told, kind="level", anchor=anchor)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most four points for each pixel of width: first, lowest, highest, last. The picture is the same."""
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        columns.setdefault(int(point[0]), []).append(point)
    kept: list[tuple[float, float]] = []
    for column in columns.values():
        extremes = {0, len(column) - 1}
        heights = [y for _, y in column]
        extremes |= {heights.index(min(heights)), heights.index(max(heights))}
        kept += [column[index] for index in sorted(extremes)]
    return kept


def _apart(places: Sequence[float], *, last: float, gap: float = 15) -> list[float]:
    """The heights, pushed down where two labels would overlap and back up from `last`; in the order given."""
    moved = list(places)
    order = sorted(range(len(moved)), key=moved.__getitem__)
    free = float("-inf")
    for index in order:
        moved[index] = max(moved[index], free)
        free = moved[index] + gap
    room = last
    for index in reversed(order):
        moved[index] = min(moved[index], room)
        room = moved[index] - gap
    return moved


def _shade(step: int, block: Funnel) -> str:
    """Class of a step's colour: the first step palest, the last one darkest, of five."""
    return f"q{round(4 * (step + 1) / len(block.steps))}"
