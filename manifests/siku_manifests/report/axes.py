"""Axes: where the ticks stand, what they say, and where a value lies on the paper.

Tick positions are computed in decimal arithmetic from integers, so a label says exactly
what its tick is: no 0.30000000000000004.

Source of the 1-2-5 steps: Heckbert, Nice numbers for graph labels, Graphics Gems, 1990.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple

FARTHEST = 1e300
"""Numbers beyond are drawn here: their differences still fit a float."""

_EXACT = Context(prec=60)
_SUFFIXES = ((12, "T"), (9, "G"), (6, "M"), (3, "k"))


class Tick(NamedTuple):
    """A mark on an axis and its label."""

    value: float
    label: str


class Scale(NamedTuple):
    """Maps low…high to start…stop (pixels), linearly or by logarithm."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside land on the nearer end."""
        low, high, value = (self._bend(x) for x in (self.low, self.high, value))
        portion = (min(max(value, low), high) - low) / (high - low)
        return self.start + portion * (self.stop - self.start)

    def _bend(self, value: float) -> float:
        value = clamp(value)
        return math.log10(max(value, 1 / FARTHEST)) if self.log else value


def clamp(value: float) -> float:
    """The value, at most FARTHEST away from zero."""
    return float(max(-FARTHEST, min(value, FARTHEST)))


def linear_ticks(low: float, high: float, *, count: int = 5) -> tuple[Tick, ...]:
    """About `count` evenly spaced ticks, the first at or below low, the last at or above high.

    The step is 1, 2 or 5 times a power of ten. Where low and high are equal, or too close
    to be told apart by labels of a dozen digits, the axis spans a tenth to either side.

    Example:
        (0, 93, count=5) -> 0, 20, 40, 60, 80, 100
    """
    bottom, top = _apart(clamp(low), clamp(high))
    rough = _EXACT.divide(_EXACT.subtract(top, bottom), Decimal(max(count, 1)))
    power = rough.adjusted()
    nice = next(n for n in (1, 2, 5, 10) if rough <= Decimal(n).scaleb(power))
    step = Decimal(nice).scaleb(power)
    first = int(_EXACT.divide(bottom, step).to_integral_value(ROUND_FLOOR))
    last = int(_EXACT.divide(top, step).to_integral_value(ROUND_CEILING))
    return _labelled([_EXACT.multiply(Decimal(n), step) for n in range(first, last + 1)])


def log_ticks(low: float, high: float) -> tuple[Tick, ...]:
    """Ticks inside low…high for a logarithmic axis: powers of ten, with 2 and 5 where there is room.

    Over less than a decade, where that leaves fewer than two, the ticks are those of a linear axis.

    Example:
        (1, 2000) -> 1, 10, 100, 1k
    """
    low, high = max(clamp(low), 1 / FARTHEST), max(clamp(high), 1 / FARTHEST)
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = 1 + (top - bottom) // 9
    leads = (1, 2, 5) if top - bottom <= 2 else (1,)
    values = [Decimal(n).scaleb(k) for k in range(bottom, top + 1, stride) for n in leads]
    inside = [value for value in values if low <= float(value) <= high]
    if len(inside) >= 2:
        return tuple(_labelled([value])[0] for value in inside)
    return inner(linear_ticks(low, high), low, high)


def inner(ticks: tuple[Tick, ...], low: float, high: float) -> tuple[Tick, ...]:
    """The ticks that lie within low…high, for an axis that ends where its data end."""
    return tuple(tick for tick in ticks if low <= tick.value <= high)


def text_width(text: str, *, size: float = 12) -> float:
    """Estimated pixels of a text: a full em from the CJK radicals upwards, 0.57 below."""
    wide = sum(char >= "\u2e80" for char in text)
    return size * (wide + 0.57 * (len(text) - wide))


def fitted(text: str, width: float, *, size: float = 12) -> str:
    """The text, cut with an ellipsis where it would be wider than `width` pixels."""
    if text_width(text, size=size) <= width:
        return text
    while text and text_width(text + "…", size=size) > width:
        text = text[:-1]
    return text + "…"


def _apart(low: float, high: float) -> tuple[Decimal, Decimal]:
    reach = max(abs(low), abs(high))
    if high - low > reach * 1e-12 and high - low > 1 / FARTHEST:
        return Decimal(low), Decimal(high)
    if reach <= 1 / FARTHEST:
        return Decimal(-1 if low < 0 else 0), Decimal(1)
    return Decimal(low) - Decimal(reach) / 10, Decimal(high) + Decimal(reach) / 10


def _labelled(values: list[Decimal]) -> tuple[Tick, ...]:
    """Ticks whose labels share one unit (k, M, …, or a power of ten) and one number of decimals."""
    reach = max(abs(value) for value in values)
    shift, suffix = 0, ""
    if reach and not -3 <= reach.adjusted() < 15:
        shift, suffix = reach.adjusted(), f"e{reach.adjusted()}"
    else:
        for power, letter in _SUFFIXES:
            if reach.adjusted() >= power and all(_places(v.scaleb(-power)) <= 3 for v in values):
                shift, suffix = power, letter
                break
    scaled = [value.scaleb(-shift) for value in values]
    places = max(map(_places, scaled))
    return tuple(
        Tick(float(value), f"{small:,.{places}f}{suffix}" if value else "0")
        for value, small in zip(values, scaled, strict=True)
    )


def _places(value: Decimal) -> int:
    """Decimals that the value needs; never negative."""
    exponent = value.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) and value else 0
