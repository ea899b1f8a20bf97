"""The paper that pictures are drawn on: SVG elements, axes, legend and rows of bars.

Colours are classes of the report's style sheet; a style attribute would be refused by the
page's security policy. Coordinates are pixels, y grows downwards.
"""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from siku_manifests.report.axes import Scale, Tick, fitted, text_width
from siku_manifests.report.legible import legible

NARROW = 520
"""Papers less wide than this are for phones: labels stand above their bars instead of beside them."""

_DASHES = ("", "7 4", "2 3", "9 3 2 3")
_COLOURS = 6


class Key(NamedTuple):
    """One entry of a legend: a swatch of a class, or the line of a series."""

    name: str
    kind: str
    dash: str | None = None


def series_key(name: str, index: int) -> Key:
    """How the series of that number is drawn: six colours, each round of them with another dash.

    The second colour has the second dash already, so neighbours differ without colour too.
    """
    return Key(name, f"l{index % _COLOURS}", _DASHES[(index + index // _COLOURS) % len(_DASHES)])


class Paper:
    """Collects SVG elements; everything that is written on it is escaped."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.elements: list[str] = []

    def add(self, tag: str, content: str = "", **attributes: str | float) -> None:
        """Append an element; attribute names have `_` for `-`, `kind` for `class`."""
        written = "".join(
            f" {'class' if name == 'kind' else name.replace('_', '-')}={quoteattr(_written(value))}"
            for name, value in attributes.items()
        )
        self.elements.append(f"<{tag}{written}>{escape(legible(content))}</{tag}>")

    def bar(self, left: float, right: float, *, y: float, height: float, kind: str) -> None:
        """A bar that is never invisible: something that is not zero is at least one pixel."""
        left, right = min(left, right), max(left, right)
        self.add("rect", x=left, y=y, width=max(right - left, 1), height=height, kind=kind)

    def column(self, sides: tuple[float, float], top: float, base: float) -> None:
        """An upright bar between its left and right side, standing on the base."""
        self.add("rect", x=sides[0], y=min(top, base - 1), width=sides[1] - sides[0],
                 height=max(base - top, 1), kind="s0")  # fmt: skip

    def text(self, x: float, y: float, content: str, *, kind: str, anchor: str = "start") -> None:
        """A line of text; the anchor is the part of it that stands at x: start, middle or end."""
        self.add("text", content, x=x, y=y, text_anchor=anchor, kind=kind)

    def line(self, start: tuple[float, float], end: tuple[float, float], *, kind: str) -> None:
        """A straight line between two points."""
        self.add("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], kind=kind)

    def x_axis(self, ticks: Sequence[Tick], scale: Scale, *, top: float, bottom: float) -> None:
        """Vertical grid lines from top to bottom, labels beneath; labels that would touch are left out."""
        free = float("-inf")
        for tick in ticks:
            x, half = scale(tick.value), text_width(tick.label, size=11) / 2
            self.line((x, top), (x, bottom), kind="grid")
            if x - half >= free:
                middle = min(max(x, half), self.width - half)
                self.text(middle, bottom + 16, tick.label, kind="tick", anchor="middle")
                free = x + half + 6

    def y_axis(self, ticks: Sequence[Tick], scale: Scale, *, left: float, right: float) -> None:
        """Horizontal grid lines from left to right, labels before them."""
        for tick in ticks:
            y = scale(tick.value)
            self.line((left, y), (right, y), kind="grid")
            self.text(left - 6, y + 4, tick.label, kind="tick", anchor="end")

    def decoration(self, height: float) -> str:
        """The finished drawing, for the eye only."""
        box = f"0 0 {_written(self.width)} {_written(height)}"
        return f'<svg aria-hidden="true" class="mini" viewBox="{box}">{"".join(self.elements)}</svg>'

    def svg(self, height: float, *, title: str, description: str) -> str:
        """The finished drawing, with a title and a description for those who cannot see it."""
        head = f"<title>{escape(legible(title))}</title><desc>{escape(legible(description))}</desc>"
        box = f"0 0 {_written(self.width)} {_written(height)}"
        body = "".join(self.elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{box}"'
            f' width="{_written(self.width)}" height="{_written(height)}">{head}{body}</svg>'
        )

    def legend(self, keys: Sequence[Key]) -> float:
        """The keys in lines from the top left; returns where the room below begins."""
        x, y = 0.0, 12.0
        for key in keys:
            name = fitted(key.name, self.width - 30)
            wide = 24 + text_width(name)
            if x and x + wide > self.width:
                x, y = 0.0, y + 20
            if key.dash is None:
                self.add("rect", x=x, y=y - 10, width=16, height=12, kind=key.kind)
            else:
                start, end = (x, y - 4), (x + 18, y - 4)
                self.add("path", d=path([start, end]), kind=key.kind, stroke_dasharray=key.dash or "none")
            self.text(x + 24, y, name, kind="key")
            x += wide + 18
        return y + 16 if keys else 0.0


class Rows:
    """Places for horizontal bars with their labels: beside the bar, or above it on narrow paper."""

    def __init__(self, labels: Sequence[str], paper: Paper, *, top: float = 0) -> None:
        self.paper, self.top = paper, top
        self.above = paper.width < NARROW
        widest = max(map(text_width, labels), default=0.0)
        self.room = paper.width if self.above else min(widest, 0.32 * paper.width)
        self.left = 1.0 if self.above else self.room + 10
        self.pitch = 42 if self.above else 26

    def label(self, index: int, label: str) -> float:
        """Write a row's label; returns the top of its bar, which is 14 pixels high."""
        y = self.top + index * self.pitch + 6
        if self.above:
            self.paper.text(6, y + 9, fitted(label, self.room), kind="label")
            return y + 17
        self.paper.text(self.room, y + 11, fitted(label, self.room), kind="label", anchor="end")
        return y


def path(points: Sequence[tuple[float, float]]) -> str:
    """Path data of a line through the points."""
    return "M" + "L".join(f"{_written(x)} {_written(y)}" for x, y in points)


def _written(value: str | float) -> str:
    """An attribute's text; a tenth of a pixel is enough."""
    return legible(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
