"""axes: ticks are round, say exactly where they stand, and hold the data between them."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.report.axes import Scale, Tick, fitted, linear_ticks, log_ticks, text_width

ANY = st.floats(-1e300, 1e300)
POSITIVE = st.floats(1e-290, 1e290)
SUFFIX = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def read_label(label: str) -> float:
    """What a reader takes a label for."""
    match = re.fullmatch(r"(-?[\d,]+(?:\.\d+)?)([kMGT]?)((?:e-?\d+)?)", label)
    assert match, label
    return float(match[1].replace(",", "") + match[3]) * SUFFIX.get(match[2], 1)


def assert_sound(ticks: tuple[Tick, ...]) -> None:
    values = [tick.value for tick in ticks]
    assert all(a < b for a, b in pairwise(values))
    assert len({tick.label for tick in ticks}) == len(ticks)
    for tick in ticks:
        assert math.isclose(read_label(tick.label), tick.value, rel_tol=1e-12)


@given(ANY, ANY, st.integers(1, 12))
def test_linear_ticks_hold_the_data_and_say_where_they_are(a: float, b: float, count: int) -> None:
    low, high = min(a, b), max(a, b)
    ticks = linear_ticks(low, high, count=count)
    assert_sound(ticks)
    assert ticks[0].value <= low <= high <= ticks[-1].value
    assert 2 <= len(ticks) <= count + 3


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.integers(-12, 12))
def test_steps_are_one_two_or_five(low: int, span: int, power: int) -> None:
    ticks = linear_ticks(low * 10.0**power, (low + span) * 10.0**power)
    step = (ticks[-1].value - ticks[0].value) / (len(ticks) - 1)
    lead = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(lead - nice) for nice in (1, 2, 5)) < 1e-4


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 93, ["0", "20", "40", "60", "80", "100"]),
        (0, 0, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (8.08, 10.95, ["8", "9", "10", "11"]),
        (0, 311_855, ["0", "100k", "200k", "300k", "400k"]),
        (0, 2_500_000, ["0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]),
        (-3, 2, ["-3", "-2", "-1", "0", "1", "2"]),
        (0, 3e-7, ["0", "1e-7", "2e-7", "3e-7"]),
        (0, 4e21, ["0", "1e21", "2e21", "3e21", "4e21"]),
    ],
)
def test_labels_as_one_would_write_them(low: float, high: float, labels: list[str]) -> None:
    assert [tick.label for tick in linear_ticks(low, high)] == labels


@given(POSITIVE, POSITIVE)
def test_log_ticks_lie_inside(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    ticks = log_ticks(low, high)
    assert_sound(ticks)
    assert all(low <= tick.value <= high for tick in ticks)
    assert len(ticks) <= 12
    if high > 10.1 * low:
        assert ticks


def test_log_ticks_are_powers_of_ten() -> None:
    assert [tick.label for tick in log_ticks(1, 2000)] == ["1", "10", "100", "1k"]
    assert [tick.label for tick in log_ticks(1, 60)] == ["1", "2", "5", "10", "20", "50"]


@given(ANY, ANY, ANY)
def test_a_scale_keeps_order_and_stays_on_the_paper(a: float, b: float, c: float) -> None:
    ticks = linear_ticks(min(a, b), max(a, b))
    scale = Scale(ticks[0].value, ticks[-1].value, 40, 700)
    assert scale(ticks[0].value) == 40
    assert math.isclose(scale(ticks[-1].value), 700)
    assert 40 <= scale(c) <= 700
    assert (scale(a) <= scale(b)) == (a <= b) or scale(a) == scale(b)


def test_a_logarithmic_scale_gives_each_decade_the_same_room() -> None:
    scale = Scale(1, 1000, 0, 300, log=True)
    assert [round(scale(x), 6) for x in (1, 10, 100, 1000)] == [0, 100, 200, 300]


@given(st.text(max_size=60), st.floats(20, 400))
def test_fitted_text_fits(text: str, width: float) -> None:
    cut = fitted(text, width)
    assert text_width(cut) <= max(width, text_width("…"))
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))
