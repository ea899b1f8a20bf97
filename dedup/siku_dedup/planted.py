"""How sure the search is on these very documents: edited copies of some are made, signed, and looked for.

Pairs that the search proposed say little about those that it missed, and their estimates lean upwards, since only
high ones passed the gate. Copies of known similarity have neither fault.

Shape legend: D documents, P pairs of a document and its copy.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_dedup.bands import band_keys
from siku_dedup.clusters import GATE
from siku_dedup.jaccard import jaccard
from siku_dedup.parts import SignedParts
from siku_dedup.points import Points
from siku_dedup.signing import Signer, sign_points
from siku_manifests.findings import Curve, Finding

DOCUMENTS = 400
COPIES = 16
"""Of a document: similarities are spread evenly from `LOWEST` to 1."""
LOWEST = 0.5
SHORTEST = 50
"""Of shorter texts one changed character is too large a step."""
_BIN = 0.025


class Planted(NamedTuple):
    """P documents and their copies."""

    exact: NDArray[np.float64]
    """Shape (P,): similarity, counted on the sets of shingles."""
    estimate: NDArray[np.float64]
    """Shape (P,): from signatures."""
    proposed: NDArray[np.bool_]
    """Shape (P,): whether they share a band and pass the gate, so that the exact similarity would decide."""


def plant(signed: SignedParts, rows: NDArray[np.int64], signer: Signer, *, threshold: float, seed: int) -> Planted:
    """Make copies of some documents and compare them as a corpus is compared.

    Args:
        signed: all documents.
        rows: those of which copies are made.
        signer: how signatures are made; its n is taken from each document.
        threshold: from which two documents are duplicates.
        seed: of every choice.
    """
    random = np.random.RandomState(seed % 2**32)
    parts = [Planted(np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))]
    for n in np.unique(signed.n[rows]).tolist():
        chosen = rows[signed.n[rows] == n]
        points = signed.points(np.repeat(chosen, COPIES + 1))
        _edit(points, n, random)
        signatures = sign_points(points, signer._replace(n=n))
        keys = band_keys(signatures, signer.bands, salt=n)
        right = np.flatnonzero(np.arange(len(points)) % (COPIES + 1))
        left = right - right % (COPIES + 1)
        estimate = (signatures[left] == signatures[right]).mean(axis=1)
        shared = (keys[:, left] == keys[:, right]).any(axis=0)
        exact = jaccard(points, left, right, n=np.full(len(left), n))
        parts.append(Planted(exact, estimate, shared & (estimate >= threshold - GATE)))
    exact, estimate, proposed = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Planted(exact, estimate, proposed)


def _edit(points: Points, n: int, random: np.random.RandomState) -> None:
    """Leave every first of `COPIES` + 1 equal texts, and give the others ever more characters from elsewhere in them.

    A changed character spoils n shingles on both sides, so m of c give a similarity of (c - mn) / (c + mn).
    """
    for row in range(len(points)):
        copy = row % (COPIES + 1)
        text = points.values[points.starts[row] : points.starts[row + 1]]
        wanted = 1 - (1 - LOWEST) * (copy - random.random_sample()) / COPIES
        changes = max(1, round(len(text) * (1 - wanted) / (n * (1 + wanted))))
        if copy:
            at = random.randint(0, len(text), (2, changes))
            text[at[0]] = text[at[1]]


def choose_rows(signed: SignedParts, *, seed: int) -> NDArray[np.int64]:
    """Documents to copy, ascending, none of them short."""
    long = np.flatnonzero(signed.lengths >= SHORTEST)
    return np.sort(np.random.RandomState(seed % 2**32).permutation(long)[:DOCUMENTS])


def describe_planted(signed: SignedParts, signer: Signer, *, threshold: float, seed: int) -> list[Finding]:
    """Two curves for the report: the error of estimates, and the share of copies that are found."""
    planted = plant(signed, choose_rows(signed, seed=seed), signer, threshold=threshold, seed=seed)
    drawn = (planted.exact >= LOWEST) & (planted.exact < 1)
    planted = Planted(planted.exact[drawn], planted.estimate[drawn], planted.proposed[drawn])
    alike = planted.exact >= threshold
    if not alike.any():
        return []
    middles, places = _bins(planted.exact)
    error = planted.estimate - planted.exact
    variance = planted.exact * (1 - planted.exact) / signer.permutations
    chance = np.array([signer.bands.recall(value) for value in planted.exact])
    count, recall = int(alike.sum()), float(planted.proposed[alike].mean())
    measured, theory = np.sqrt((error[alike] ** 2).mean()), np.sqrt(variance[alike].mean())
    made = f"Of {len(planted.exact):,} edited copies of documents of this corpus, made for this picture."
    return [
        Curve(
            section="dedup",
            title="Error of estimated similarity",
            x_label="exact similarity",
            y_label="root of mean squared error",
            series=[
                ("measured", _means(error**2, places, middles, root=True)),
                ("theory, sqrt(J(1 − J)/K)", _means(variance, places, middles, root=True)),
            ],
            note=f"{made} From the threshold {threshold} up: {measured:.4f} measured, {theory:.4f} by theory.",
        ),
        Curve(
            section="dedup",
            title="Edited copies found",
            x_label="exact similarity",
            y_label="share that is compared exactly",
            series=[
                ("measured", _means(planted.proposed.astype(np.float64), places, middles)),
                ("theory of the bands", _means(chance, places, middles)),
            ],
            note=f"{made} Of the {count:,} at the threshold {threshold} or above, {100 * recall:.2f} % are found. "
            f"What is estimated below {threshold - GATE:.2f} is not compared, so fewer are than share a band.",
        ),
    ]


def _bins(exact: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Middles of the bins that are not empty, and the bin of each pair."""
    kinds, places = np.unique(np.floor(exact / _BIN), return_inverse=True)
    return (kinds + 0.5) * _BIN, places


def _means(
    values: NDArray[np.float64], places: NDArray[np.int64], middles: NDArray[np.float64], *, root: bool = False
) -> list[tuple[float, float]]:
    means = np.bincount(places, values) / np.bincount(places)
    means = np.sqrt(means) if root else means
    return [(round(x, 4), round(y, 5)) for x, y in zip(middles.tolist(), means.tolist(), strict=True)]
