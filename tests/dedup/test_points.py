"""Decoding against Python's own codec."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.points import column_points
from siku_manifests.errors import InputError

TEXT = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("春眠不覺曉"), min_size=30, max_size=140),
    st.text(st.sampled_from("春a¶𠀀眠"), min_size=30, max_size=140),
)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=6), st.integers(0, 3), st.sampled_from([pa.string(), pa.large_string()]))
def test_code_points_are_those_of_the_text(texts: list[str], skipped: int, kind: pa.DataType) -> None:
    points = column_points(pa.array(texts, kind).slice(skipped))
    assert [points.text(row) for row in range(len(points))] == texts[skipped:]
    assert points.values.dtype == np.uint32


def test_a_column_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="expected strings, found int64"):
        column_points(pa.array([1, 2]))
    with pytest.raises(InputError, match="1 of 2 rows are null"):
        column_points(pa.array(["a", None]))
