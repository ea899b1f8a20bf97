"""Bands: how they are chosen, and that keys are equal where rows are."""

from __future__ import annotations

import numpy as np
import pytest

from siku_dedup.bands import Bands, band_keys, choose_bands


@pytest.mark.parametrize(
    ("permutations", "threshold", "expected"),
    [
        (128, 0.8, (32, 8, 2)),
        (256, 0.8, (32, 8, 1)),
        (128, 0.9, (16, 8, 1)),
        (128, 0.7, (32, 4, 1)),
        (256, 0.5, (128, 4, 2)),
    ],
)
def test_bands_follow_the_curve(permutations: int, threshold: float, expected: tuple[int, int, int]) -> None:
    bands = choose_bands(permutations, threshold=threshold)
    assert bands == expected
    assert bands.number * bands.rows == permutations * bands.layouts
    assert bands.recall(threshold) >= 0.99


@pytest.mark.parametrize("similarity", [0.6, 0.7, 0.8])
def test_recall_of_two_layouts_is_what_happens(similarity: float) -> None:
    agree = np.random.RandomState(0).random_sample((40_000, 128)) < similarity
    rows = agree.reshape(-1, 16, 8)
    columns = agree.reshape(-1, 8, 16).transpose(0, 2, 1)
    shared = rows.all(axis=2).any(axis=1) | columns.all(axis=2).any(axis=1)
    assert shared.mean() == pytest.approx(Bands(32, 8, 2).recall(similarity), abs=0.01)


def test_recall_is_the_textbook_curve() -> None:
    assert Bands(16, 8).recall(0.8) == pytest.approx(0.947, abs=5e-4)
    assert Bands(32, 8).recall(0.8) == pytest.approx(0.997, abs=5e-4)


def test_keys_are_equal_where_all_values_of_a_band_are() -> None:
    signatures = np.random.RandomState(0).randint(0, 3, (3000, 32), dtype=np.uint32)
    keys = band_keys(signatures, Bands(16, 4, 2), salt=1)
    for band in range(16):
        values = signatures[:, 4 * band : 4 * band + 4] if band < 8 else signatures[:, band - 8 :: 8]
        together = {(*row, key) for row, key in zip(values.tolist(), keys[band].tolist(), strict=True)}
        assert len(together) == len(np.unique(keys[band])) == len(np.unique(values, axis=0))
    assert not np.isin(keys, band_keys(signatures, Bands(16, 4, 2), salt=2)).any()
