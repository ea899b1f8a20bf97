"""Clusters against uniting all pairs by brute force, and against the order of everything."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from siku_dedup import clusters as module
from siku_dedup.clusters import Clusters, cluster
from siku_dedup.keytext import key_text
from siku_dedup.parts import SignedParts

Sign = Callable[..., SignedParts]


def grams(text: str, n: int) -> set[str]:
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))}


def brute_force(texts: Sequence[str], n: int, threshold: float) -> set[frozenset[str]]:
    """Components of the graph of all pairs at or above the threshold, found through an inverted index."""
    sets = [grams(key_text(text), n) for text in texts]
    holders: dict[str, list[int]] = {}
    shared: dict[tuple[int, int], int] = {}
    for row, own in enumerate(sets):
        for gram in own:
            for other in holders.setdefault(gram, []):
                shared[other, row] = shared.get((other, row), 0) + 1
            holders[gram].append(row)
    label = list(range(len(texts)))

    def root(row: int) -> int:
        while label[row] != row:
            row = label[row]
        return row

    for (a, b), common in shared.items():
        if common / (len(sets[a]) + len(sets[b]) - common) >= threshold:
            label[root(a)] = root(b)
    members: dict[int, set[str]] = {}
    for row, text in enumerate(texts):
        members.setdefault(root(row), set()).add(text)
    return {frozenset(rows) for rows in members.values()}


def found(texts: Sequence[str], result: Clusters) -> set[frozenset[str]]:
    members: dict[int, set[str]] = {}
    for text, root in zip(texts, result.root.tolist(), strict=True):
        members.setdefault(root, set()).add(text)
    return {frozenset(rows) for rows in members.values()}


def variants(seed: int, count: int, *, copies: int = 4, size: int = 120) -> list[str]:
    """Texts of random characters, each with near-copies that differ in 1 … 8 characters; all different."""
    rng = random.Random(seed)
    texts: dict[str, None] = {}
    for _ in range(count):
        base = [chr(rng.randrange(0x4E00, 0x4F00)) for _ in range(rng.randrange(size // 2, size * 2))]
        texts["".join(base)] = None
        for _ in range(rng.randrange(copies + 1)):
            copy = base.copy()
            for at in rng.sample(range(len(copy)), rng.randrange(1, 9)):
                copy[at] = chr(rng.randrange(0x4E00, 0x4F00))
            texts["".join(copy)] = None
    # Keys must differ too, since cluster() is given one document of each key.
    return list({key_text(text): text for text in texts}.values())


def run(signed: SignedParts, threshold: float = 0.8) -> Clusters:
    return cluster(signed, np.arange(len(signed)), threshold=threshold)


@pytest.mark.parametrize("permutations", [128, 256])
def test_planted_copies_are_clustered_as_by_brute_force(signed: Sign, permutations: int) -> None:
    texts = variants(1, 300)
    result = run(signed(texts, n=3, permutations=permutations))
    expected = brute_force(texts, 3, 0.8)
    pairs = {frozenset(pair) for group in expected for pair in combinations(group, 2)}
    got = {frozenset(pair) for group in found(texts, result) for pair in combinations(group, 2)}
    assert got <= pairs  # nothing is united that is not linked by verified pairs
    assert len(got) >= 0.995 * len(pairs)


def test_real_poems_are_clustered_as_by_brute_force(signed: Sign, shared_data: Path) -> None:
    files = sorted((shared_data / "chinese_poetry").rglob("poet.tang.*.json"))[:6]
    if not files:
        pytest.skip("no Tang poems among the raw samples")
    poems = ["".join(poem["paragraphs"]) for file in files for poem in json.loads(file.read_text(encoding="utf-8"))]
    texts = list({key_text(poem): poem for poem in poems if poem}.values())
    result = run(signed(texts, n=3, permutations=256))
    expected = brute_force(texts, 3, 0.8)
    removed = len(texts) - len(found(texts, result))
    assert removed == pytest.approx(len(texts) - len(expected), rel=0.01)


def test_order_of_documents_and_cut_of_parts_do_not_matter(signed: Sign) -> None:
    texts = variants(2, 120)
    expected = found(texts, run(signed(texts, n=3)))
    shuffled = texts.copy()
    random.Random(3).shuffle(shuffled)
    cut = len(shuffled) // 3
    parts = [shuffled[:cut], [], shuffled[cut:]]
    assert found(shuffled, run(signed(*parts, n=3))) == expected


def test_workers_verify_the_same(signed: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GATE_PAIRS", 50)
    monkeypatch.setattr(module, "VERIFY_POINTS", 4000)
    documents = signed(variants(9, 200), n=3)
    results = [cluster(documents, np.arange(len(documents)), threshold=0.8, workers=workers) for workers in (1, 2, 4)]
    assert len(results[0].verified.left) > 200
    for other in results[1:]:
        assert other.root.tolist() == results[0].root.tolist()
        assert all((a == b).all() for a, b in zip(other.verified, results[0].verified, strict=True))


def test_scores_of_verified_pairs_are_those_of_the_sets(signed: Sign) -> None:
    texts = variants(4, 80)
    verified = run(signed(texts, n=3)).verified
    assert len(verified.left) > 50
    for left, right, exact in zip(verified.left, verified.right, verified.exact, strict=True):
        a, b = grams(key_text(texts[left]), 3), grams(key_text(texts[right]), 3)
        assert exact == pytest.approx(len(a & b) / len(a | b), abs=1e-6)
    assert len({(a, b) for a, b in zip(verified.left, verified.right, strict=True)}) == len(verified.left)


def test_many_near_copies_are_one_cluster_by_few_comparisons(signed: Sign) -> None:
    base = variants(5, 1, copies=0, size=400)[0]
    texts = [f"{base[:50]}{number:04d}{base[50:]}" for number in range(3000)]
    result = run(signed(texts, n=3))
    assert len(found(texts, result)) == 1
    assert len(result.verified.left) < 10 * len(texts)
    assert result.unfinished_groups == 0


def test_large_groups_of_several_clusters_do_not_run_together(signed: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALL", 2)
    bases = variants(6, 5, copies=0, size=300)
    texts = [f"{base[:40]}{number:03d}{base[40:]}" for number in range(40) for base in bases]
    expected = brute_force(texts, 3, 0.8)
    for group in (1024, 8):
        monkeypatch.setattr(module, "GROUP", group)
        assert found(texts, run(signed(texts, n=3))) == expected


def test_groups_that_leaders_do_not_exhaust_are_counted(signed: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    # All share most of their text but stay below the threshold: every group is full of different documents.
    rng = random.Random(8)
    core = "".join(chr(0x4E00 + i) for i in range(300))
    tails = ["".join(chr(rng.randrange(0x6000, 0x7000)) for _ in range(60)) for _ in range(200)]
    texts = [core + tail for tail in tails]
    monkeypatch.setattr(module, "SMALL", 2)
    monkeypatch.setattr(module, "GROUP", 20)
    monkeypatch.setattr(module, "LEADERS", 3)
    result = run(signed(texts, n=3), threshold=0.95)
    assert result.unfinished_groups > 0
    assert len(found(texts, result)) == len(texts)


def test_shingles_of_different_length_never_meet(signed: Sign) -> None:
    text = variants(7, 1, copies=0)[0]
    three, five = signed([text], n=3), signed([text], n=5)
    assert not np.isin(
        np.concatenate([three.band(b) for b in range(16)]), np.concatenate([five.band(b) for b in range(16)])
    ).any()
