"""Edited copies of a corpus's own documents: their similarities, the error of estimates, and that they are found."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from siku_dedup.parts import SignedParts
from siku_dedup.planted import COPIES, choose_rows, describe_planted, plant
from siku_dedup.signing import Signer
from siku_manifests.findings import Curve, encode
from siku_manifests.sections import Dedup

Sign = Callable[..., SignedParts]


def texts(seed: int, count: int, size: int = 300) -> list[str]:
    rng = random.Random(seed)
    return ["".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(rng.randrange(60, size))) for _ in range(count)]


@pytest.mark.parametrize("permutations", [128, 256])
def test_errors_are_those_of_theory_and_copies_are_found(signed: Sign, permutations: int) -> None:
    documents = signed(texts(1, 150), n=5, permutations=permutations)
    signer = Signer.of(Dedup(permutations=permutations), "web", source=0)  # type: ignore[arg-type]
    planted = plant(documents, np.arange(len(documents)), signer, threshold=0.8, seed=3)
    assert len(planted.exact) == COPIES * len(documents)
    assert planted.exact.min() < 0.55
    alike = planted.exact >= 0.8
    assert planted.proposed[alike].mean() >= 0.995
    error = np.sqrt(((planted.estimate - planted.exact) ** 2).mean())
    # Long texts fill every bin of a signature once, whose error is a little below that of independent values.
    assert error <= 1.02 * np.sqrt((planted.exact * (1 - planted.exact)).mean() / permutations)


def test_the_report_says_so_and_says_it_again(signed: Sign) -> None:
    documents = signed(texts(2, 60), ["短"] * 5, n=3)
    signer = Signer.of(Dedup(), "poetry", source=0)
    assert (choose_rows(documents, seed=1) < 60).all()
    first, again = (describe_planted(documents, signer, threshold=0.8, seed=1) for _ in range(2))
    assert encode(first) == encode(again)
    assert [block.title for block in first if isinstance(block, Curve)] == [
        "Error of estimated similarity",
        "Edited copies found",
    ]
    assert "are found" in first[1].note  # type: ignore[union-attr]


def test_a_corpus_of_short_texts_has_no_such_picture(signed: Sign) -> None:
    signer = Signer.of(Dedup(), "poetry", source=0)
    assert describe_planted(signed(["春眠不覺曉", "白日依山盡"], n=3), signer, threshold=0.8, seed=1) == []
