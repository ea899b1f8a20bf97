"""Clusters to look at: the largest, the most borderline, and some at random, with the texts side by side.

Of sources whose texts belong to nobody (verse, classics) if there are any: a report is passed on.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from siku_dedup.findings import Result
from siku_dedup.inputs import texts_at
from siku_dedup.jaccard import jaccard
from siku_dedup.parts import SignedParts
from siku_dedup.survivors import EXACT, NEAR
from siku_manifests.findings import Finding, Pair, SideBySide, Table
from siku_manifests.stage import Context

SHOWN = 4
LISTED = 10
_COMPARED = 1000
"""Members of a listed cluster that are compared with the one that stays."""
_PUBLIC = ("poetry", "classical")


class Shown(NamedTuple):
    """Pairs of one kind: the row that stays, or the left one, and the other."""

    title: str
    note: str
    labels: tuple[str, str]
    rows: list[tuple[int, int]]


class Look(NamedTuple):
    """Where clusters come from, and what may be shown of them."""

    names: list[str]
    """Of the sources."""
    public: NDArray[np.bool_]
    """By source, whether its texts belong to nobody."""
    threshold: float
    seed: int
    texts: Callable[[list[int]], dict[int, str]]
    """Texts of documents by row."""


def look_at(context: Context) -> Look:
    """The corpus of a recipe."""
    sources, dedup = context.recipe.source, context.recipe.dedup
    names = [source.name for source in sources]
    public = np.array([source.profile in _PUBLIC for source in sources], np.bool_)
    return Look(names, public, dedup.threshold, context.recipe.seed, functools.partial(texts_at, context))


def describe_clusters(result: Result, signed: SignedParts, look: Look) -> list[Finding]:
    """A table of the largest clusters, then pairs to judge by."""
    blocks = largest_clusters(result, signed, look.names)
    for title, note, labels, rows in chosen_pairs(result, look.public, threshold=look.threshold, seed=look.seed):
        if not rows:
            continue
        texts = look.texts([row for pair in rows for row in pair])
        notes = _notes(result, signed, np.array(rows, np.int64))
        pairs = [Pair(texts[one], texts[other], said) for (one, other), said in zip(rows, notes, strict=True)]
        left, right = labels
        blocks.append(
            SideBySide(section="dedup", title=title, left_label=left, right_label=right, pairs=pairs, note=note)
        )
    return blocks


def largest_clusters(result: Result, signed: SignedParts, names: list[str]) -> list[Finding]:
    """What the clusters of most documents consist of."""
    sizes = np.bincount(result.survivor, minlength=len(result.survivor))
    heads = np.flatnonzero(sizes > 1)
    heads = heads[np.argsort(-sizes[heads], kind="stable")][:LISTED]
    rows: list[list[str | int | float]] = []
    for head, name in zip(heads.tolist(), signed.ids(heads), strict=True):
        members = np.flatnonzero(result.survivor == head)
        fates, homes = result.fate[members], np.unique(result.source[members])
        near = members[fates == NEAR][:_COMPARED]
        least = min(_similarities(signed, np.full(len(near), head), near).tolist(), default=1.0)
        sources = ", ".join(names[home] for home in homes)
        rows.append([name, len(members), int((fates == EXACT).sum()), int((fates == NEAR).sum()), least, sources])
    columns = ["the document that stays", "documents", "exact copies", "near copies", "least similar", "sources"]
    note = (
        "Least similar: to the document that stays; a chain of similar documents may lead below the threshold. "
        "Which documents were compared, and how similar they are, stands in pairs.parquet."
    )
    table = Table(section="dedup", title="The largest clusters", columns=columns, rows=rows, note=note)
    return [table] if rows else []


def chosen_pairs(result: Result, public: NDArray[np.bool_], *, threshold: float, seed: int) -> list[Shown]:
    """The pairs to show; `public` says by source whether its texts may be."""
    shown = public if public[result.source[result.fate == NEAR]].any() else np.ones_like(public)
    near = np.flatnonzero((result.fate == NEAR) & shown[result.source])
    sizes = np.bincount(result.survivor, minlength=len(result.survivor))
    by_size = near[np.lexsort((near, -sizes[result.survivor[near]]))]
    _, first = np.unique(result.survivor[by_size], return_index=True)
    largest = by_size[np.sort(first)][:SHOWN]
    random = np.random.RandomState(seed % 2**32).permutation(near)[:SHOWN]
    visible = shown[result.source[result.left]] & shown[result.source[result.right]]
    order = np.lexsort((result.left, np.abs(result.exact - threshold)))
    order = order[visible[order]]
    above = order[result.exact[order] >= threshold][:SHOWN]
    below = order[result.exact[order] < threshold][:SHOWN]

    def of(rows: NDArray[np.int64]) -> list[tuple[int, int]]:
        return list(zip(result.survivor[rows].tolist(), rows.tolist(), strict=True))

    def at(pairs: NDArray[np.int64]) -> list[tuple[int, int]]:
        return list(zip(result.left[pairs].tolist(), result.right[pairs].tolist(), strict=True))

    goes, both = ("stays", "goes"), ("stays", "stays too")
    said = f"Similarity at or above {threshold}: the two belong together, and one document of their cluster stays."
    return [
        Shown("Of the largest clusters", "The document that stays beside one that goes.", goes, of(largest)),
        Shown("Just similar enough", said, ("one", "the other"), at(above)),
        Shown("Not quite", f"Similarity below {threshold}: both stay, if nothing else links them.", both, at(below)),
        Shown("Near-duplicates taken at random", "", goes, of(random)),
    ]


def _notes(result: Result, signed: SignedParts, pairs: NDArray[np.int64]) -> list[str]:
    """Both similarities of pairs of rows, shape (P, 2), the size of the cluster, and which documents they are."""
    left, right = pairs.T
    exact = _similarities(signed, left, right)
    estimate = (signed.signatures(left) == signed.signatures(right)).mean(axis=1)
    sizes = np.bincount(result.survivor, minlength=len(result.survivor))[result.survivor[right]]
    figures = zip(exact, estimate, sizes, signed.ids(left), signed.ids(right), strict=True)
    return [
        f"exact {similar:.4f}, estimated {guess:.3f}, cluster of {size:,}: {one} and {other}"
        for similar, guess, size, one, other in figures
    ]


def _similarities(signed: SignedParts, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    needed, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    return jaccard(signed.points(needed), places[: len(left)], places[len(left) :], n=signed.n[right])
