"""What deduplication tells the report: what went and from where, how sure it is, and texts to judge it by."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from siku_dedup.contaminated import describe_contaminated
from siku_dedup.inputs import texts_at
from siku_dedup.survivors import CONTAMINATED, EXACT, NEAR, REPEATED
from siku_dedup.thresholds import removed_at
from siku_manifests.equation import Counts, total
from siku_manifests.findings import Curve, Figures, Finding, Funnel, Histogram, Pair, SideBySide, Table
from siku_manifests.sections import Dedup
from siku_manifests.stage import Context

FATES = "fates.npy"
SOURCES = "sources.npy"
SURVIVORS = "survivors.npy"
PAIRS = "pairs.parquet"
SUMMARY = "summary.json"
SIZES = (1, 2, 3, 4, 6, 11, 21, 51, 101, 1001, 10**9)
SHOWN = 4
_PUBLIC = ("poetry", "classical")


class Result(NamedTuple):
    """What the cluster phase decided, by row; pairs are all that passed the signature gate."""

    fate: NDArray[np.int8]
    survivor: NDArray[np.int64]
    source: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    estimate: NDArray[np.float64]
    exact: NDArray[np.float64]
    summary: dict[str, int]


def read_result(folder: Path) -> Result:
    """Read the files of the cluster phase."""
    pairs = pq.read_table(folder / PAIRS)
    return Result(
        fate=np.load(folder / FATES),
        survivor=np.load(folder / SURVIVORS),
        source=np.load(folder / SOURCES),
        left=pairs["left_row"].to_numpy(),
        right=pairs["right_row"].to_numpy(),
        estimate=pairs["estimate"].to_numpy(),
        exact=pairs["exact"].to_numpy(),
        summary=msgspec.json.decode((folder / SUMMARY).read_bytes()),
    )


def describe(context: Context, folder: Path, counts: dict[str, Counts], *, gone: NDArray[np.int64]) -> list[Finding]:
    """All blocks of the report's section on duplicates; `gone` are the rows of which substrings left too little."""
    result = read_result(folder)
    result.fate[gone] = REPEATED
    names = [source.name for source in context.recipe.source]
    dedup = context.recipe.dedup
    return [
        _figures(result, counts),
        *alarms(result, names, dedup),
        _funnel(counts),
        *describe_contaminated(context, folder),
        removals(result, names),
        cluster_sizes(result, names),
        estimates(result, permutations=dedup.permutations),
        threshold_curve(result, threshold=dedup.threshold),
        *_side_by_side(context, result),
    ]


def _figures(result: Result, counts: dict[str, Counts]) -> Figures:
    summed = total(counts.values())
    exact, near = summed.dropped.get("exact_duplicate", 0), summed.dropped.get("near_duplicate", 0)
    share = f"{100 * (exact + near) / max(1, summed.read):.1f} % of {summed.read:,} documents"
    compared, candidates = len(result.exact), result.summary["candidates"]
    groups = result.summary["unfinished_groups"]
    items = [
        ("duplicates removed", f"{exact + near:,}", share),
        ("characters kept", f"{summed.characters:,}", f"{summed.han:,} of them Han"),
        ("exact", f"{exact:,}", "the same letters and digits; script and punctuation do not count"),
        ("near", f"{near:,}", "exact similarity of character n-grams at or above the threshold, or linked by such"),
        ("pairs verified", f"{compared:,}", f"of {candidates:,} that share a band; signatures only propose"),
    ]
    if groups:
        items.append(
            ("groups not exhausted", f"{groups:,}", "too many alike in a band; some near-duplicates may be left")
        )
    return Figures(section="dedup", title="Duplicates", items=items)


def alarms(result: Result, names: list[str], dedup: Dedup) -> list[Finding]:
    """What a person should look at before training: clusters too large, sources that lose too much."""
    sizes = np.bincount(result.survivor, minlength=len(result.survivor))
    large = np.flatnonzero(sizes > dedup.alarm_cluster)
    rows: list[list[str | int | float]] = [
        [names[result.source[row]], "cluster", int(sizes[row]), f"more than {dedup.alarm_cluster:,}"]
        for row in large[np.argsort(-sizes[large], kind="stable")][:SHOWN]
    ]
    for number in np.unique(result.source):
        fate = result.fate[result.source == number]
        lost = float(((fate == EXACT) | (fate == NEAR)).mean())
        if lost > dedup.alarm_share:
            rows.append([names[number], "share lost", round(lost, 3), f"more than {dedup.alarm_share}"])
    columns = ["source", "what", "found", "alarm"]
    note = "Look at the texts: what repeats so much is often boiler-plate, or a source that holds another."
    return [Table(section="dedup", title="Alarms", columns=columns, rows=rows, note=note)] if rows else []


def _funnel(counts: dict[str, Counts]) -> Funnel:
    rows = []
    for source, count in counts.items():
        clean = count.read - count.dropped.get("contaminated", 0)
        unique = clean - count.dropped.get("exact_duplicate", 0)
        rows.append((source, [count.read, clean, unique, count.kept]))
    steps = ["documents", "decontaminated", "without exact", "kept"]
    if all(clean == read for _, (read, clean, *_) in rows):
        steps, rows = steps[:1] + steps[2:], [(source, row[:1] + row[2:]) for source, row in rows]
    return Funnel(section="dedup", title="Documents left", steps=steps, rows=rows)


def removals(result: Result, names: list[str]) -> Table:
    """What each source lost, and to whom, of what decontamination left."""
    home = result.source[result.survivor]
    rows: list[list[str | int | float]] = []
    for number in np.unique(result.source):
        mine = result.source == number
        own = mine & (home == number)
        cells = [int((part & (result.fate == fate)).sum()) for part in (own, mine & ~own) for fate in (EXACT, NEAR)]
        read = int((mine & (result.fate != CONTAMINATED)).sum())
        if not read:
            continue
        kept = int((result.fate[mine] < EXACT).sum())
        rows.append([names[number], read, *cells, kept, f"{100 * sum(cells) / read:.1f} %"])
    columns = ["source", "read", "exact, own", "near, own", "exact, other", "near, other", "kept", "removed"]
    note = "own: a copy of a document of the same source stays; other: a source of higher priority, or a fuller copy."
    return Table(section="dedup", title="What each source lost", columns=columns, rows=rows, note=note)


def cluster_sizes(result: Result, names: list[str]) -> Histogram:
    """How large clusters are, by the source of the document that stays."""
    sizes = np.bincount(result.survivor, minlength=len(result.survivor))
    edges = SIZES[: int(np.searchsorted(SIZES, sizes.max(initial=1), side="right")) + 1]
    series = []
    for number in np.unique(result.source):
        mine = sizes[(sizes > 0) & (result.source == number)]
        series.append((names[number], np.histogram(mine, edges)[0].tolist()))
    largest = f"The largest has {sizes.max():,} documents." if len(sizes) else ""
    return Histogram(
        section="dedup",
        title="Documents in a cluster",
        unit="documents",
        edges=edges,
        series=series,
        note=largest,
        log=True,
    )


def estimates(result: Result, *, permutations: int) -> Table:
    """Estimated against exact similarity of the verified pairs, with the error that theory allows."""
    rows: list[list[str | int | float]] = []
    for low in np.arange(0.5, 1.0, 0.05):
        chosen = (result.exact >= low) & (result.exact < low + 0.05)
        if not chosen.any():
            continue
        error = result.estimate[chosen] - result.exact[chosen]
        theory = float(np.sqrt(np.mean(result.exact[chosen] * (1 - result.exact[chosen])) / permutations))
        figures = [float(np.mean(result.exact[chosen])), float(np.mean(result.estimate[chosen])), _rms(error), theory]
        rows.append([f"{low:.2f} … {low + 0.05:.2f}", int(chosen.sum()), *(round(value, 4) for value in figures)])
    columns = ["exact similarity", "pairs", "mean exact", "mean estimate", "RMS error", "sqrt(J(1 − J)/K)"]
    note = "Below the threshold only pairs whose estimate passed the gate are here, so their estimates lean upwards."
    return Table(section="dedup", title="Estimated and exact similarity", columns=columns, rows=rows, note=note)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def threshold_curve(result: Result, *, threshold: float) -> Curve:
    """Near-duplicates that other thresholds would remove, from the similarities that were computed."""
    steps = [step / 100 for step in range(70, 96)]
    points = removed_at(result.left, result.right, result.exact, thresholds=steps)
    ((_, chosen),) = removed_at(result.left, result.right, result.exact, thresholds=[threshold])
    note = (
        "Texts with different letters; exact copies of one that goes are not counted again. Below the chosen "
        "threshold the curve is a lower bound: bands were laid out for that threshold."
    )
    return Curve(
        section="dedup",
        title="Near-duplicates at other thresholds",
        x_label="threshold",
        y_label="documents removed",
        series=[("removed", [(at, float(count)) for at, count in points])],
        lines=[(f"at the chosen {threshold}", float(chosen))],
        note=note,
    )


def _side_by_side(context: Context, result: Result) -> list[Finding]:
    """Pairs to judge by, of verse and classics if there are any: their texts belong to nobody."""
    profiles = [source.profile for source in context.recipe.source]
    public = np.array([profile in _PUBLIC for profile in profiles], np.bool_)
    blocks: list[Finding] = []
    for title, note, rows in chosen_pairs(
        result, public, threshold=context.recipe.dedup.threshold, seed=context.recipe.seed
    ):
        if not rows:
            continue
        texts = texts_at(context, [row for left, right, _ in rows for row in (left, right)])
        pairs = [Pair(texts[left], texts[right], said) for left, right, said in rows]
        blocks.append(
            SideBySide(section="dedup", title=title, left_label="stays", right_label="goes", pairs=pairs, note=note)
        )
    return blocks


def chosen_pairs(
    result: Result, public: NDArray[np.bool_], *, threshold: float, seed: int
) -> list[tuple[str, str, list[tuple[int, int, str]]]]:
    """(title, note, [(left row, right row, what to say)]) of the pairs to show."""
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

    def of(rows: NDArray[np.int64]) -> list[tuple[int, int, str]]:
        said = [f"cluster of {sizes[result.survivor[row]]:,}" for row in rows]
        return [(int(result.survivor[row]), int(row), text) for row, text in zip(rows, said, strict=True)]

    def at(pairs: NDArray[np.int64]) -> list[tuple[int, int, str]]:
        return [
            (
                int(result.left[p]),
                int(result.right[p]),
                f"exact {result.exact[p]:.4f}, estimated {result.estimate[p]:.3f}",
            )
            for p in pairs
        ]

    return [
        ("The largest clusters", "The document that stays beside one that goes.", of(largest)),
        ("Just similar enough", f"Similarity at or above {threshold}: one of each pair goes.", at(above)),
        ("Not quite", f"Similarity below {threshold}: both stay, unless something else links them.", at(below)),
        ("Near-duplicates taken at random", "", of(random)),
    ]
