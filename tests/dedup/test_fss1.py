"""The compiled scheme against a few lines of plain Python, and its error against theory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup import fss1, shingles
from siku_dedup.points import column_points

MASK64, MASK32 = 2**64 - 1, 2**32 - 1


def mixed(h: int) -> int:
    h ^= h >> 16
    h = h * 0x85EBCA6B & MASK32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & MASK32
    return h ^ h >> 16


def reference_hashes(text: str, n: int) -> list[int]:
    coefficients = [int(k) for k in shingles._COEFFICIENTS]
    grams = [text[i : i + n] for i in range(max(1, len(text) - n + 1))]
    sums = [coefficients[0] + sum(k * ord(c) for k, c in zip(coefficients[1:], gram, strict=False)) for gram in grams]
    return [mixed((total & MASK64) >> 32) for total in sums]


def reference_signature(hashes: list[int], bins: int) -> list[int]:
    bits = bins.bit_length() - 1
    best: dict[int, int] = {}
    for h in hashes:
        best[h >> (32 - bits)] = min(best.get(h >> (32 - bits), MASK32), h & ((1 << (32 - bits)) - 1))
    a, b = fss1._A.tolist(), fss1._B.tolist()
    return [
        best[k] if k in best else min((a[k] * h + b[k]) & MASK32 for h in hashes) >> 1 | 1 << 31 for k in range(bins)
    ]


TEXT = st.one_of(st.text(max_size=30), st.text(st.sampled_from("天地玄黃宇宙洪荒"), max_size=2500))


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(1, 13), st.sampled_from([128, 256]))
def test_kernels_equal_plain_python(texts: list[str], n: int, bins: int) -> None:
    hashed = shingles.hash_shingles(column_points(pa.array(texts, pa.string())), n=n)
    signatures = fss1.sign(hashed, permutations=bins)
    for row, text in enumerate(texts):
        expected = reference_hashes(text, n)
        assert hashed.hashes[hashed.starts[row] : hashed.starts[row + 1]].tolist() == expected
        assert signatures[row].tolist() == reference_signature(expected, bins)


@pytest.mark.parametrize("size", [20, 150, 3000])
@pytest.mark.parametrize("bins", [128, 256])
def test_error_is_within_theory_for_short_and_long_texts(size: int, bins: int) -> None:
    random = np.random.RandomState(size)
    pairs = []
    for _ in range(400):
        text = random.randint(0x4E00, 0x9FA0, size)
        other = text.copy()
        changed = random.choice(size, max(1, size // 12), replace=False)
        other[changed] = random.randint(0x4E00, 0x9FA0, len(changed))
        pairs += ["".join(map(chr, text)), "".join(map(chr, other))]
    signatures = fss1.sign(shingles.hash_shingles(column_points(pa.array(pairs)), n=3), permutations=bins)
    estimate = (signatures[0::2] == signatures[1::2]).mean(axis=1)
    grams = [{text[i : i + 3] for i in range(size - 2)} for text in pairs]
    exact = np.array([len(a & b) / len(a | b) for a, b in zip(grams[0::2], grams[1::2], strict=True)])
    theory = np.sqrt((exact * (1 - exact)).mean() / bins)
    error = estimate - exact
    assert np.sqrt((error**2).mean()) < 1.1 * theory
    assert abs(error.mean()) < 4 * theory / np.sqrt(len(error))


def test_texts_shorter_than_a_shingle_differ() -> None:
    hashed = shingles.hash_shingles(column_points(pa.array(["", "春", "春眠", "春眠", "眠春"])), n=5)
    signatures = fss1.sign(hashed, permutations=128)
    agree = (signatures[:, None] == signatures[None]).mean(axis=2)
    assert agree[2, 3] == 1
    assert agree[np.triu_indices(5, 1)].sum() == 1


def test_one_shingle_repeated_ten_thousand_times() -> None:
    hashed = shingles.hash_shingles(column_points(pa.array(["哈" * 10_000, "哈" * 5])), n=5)
    signatures = fss1.sign(hashed, permutations=128)
    assert (signatures[0] == signatures[1]).all()
