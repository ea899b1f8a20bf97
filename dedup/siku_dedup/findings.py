"""What deduplication tells the report: what went and from where, how sure it is, and texts to judge it by."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from siku_dedup.clusters import Clusters
from siku_dedup.contaminated import describe_contaminated
from siku_dedup.survivors import CONTAMINATED, EXACT, NEAR, REPEATED, Verdicts
from siku_dedup.thresholds import removed_at
from siku_manifests.equation import Counts, total
from siku_manifests.findings import Curve, Figures, Finding, Funnel, Histogram, Table
from siku_manifests.sections import Dedup
from siku_manifests.stage import Context

FATES = "fates.npy"
SOURCES = "sources.npy"
SURVIVORS = "survivors.npy"
PAIRS = "pairs.parquet"
SUMMARY = "summary.json"
SIZES = (1, 2, 3, 4, 6, 11, 21, 51, 101, 1001, 10**9)
SHOWN = 4
_BIN = 0.025


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


def read_result(folder: Path, *, gone: NDArray[np.int64]) -> Result:
    """Read the files of the cluster phase; `gone` are the rows of which substrings left too little since."""
    pairs = pq.read_table(folder / PAIRS)
    fate = np.load(folder / FATES)
    fate[gone] = REPEATED
    return Result(
        fate=fate,
        survivor=np.load(folder / SURVIVORS),
        source=np.load(folder / SOURCES),
        left=pairs["left_row"].to_numpy(),
        right=pairs["right_row"].to_numpy(),
        estimate=pairs["estimate"].to_numpy(),
        exact=pairs["exact"].to_numpy(),
        summary=msgspec.json.decode((folder / SUMMARY).read_bytes()),
    )


def result_of(verdicts: Verdicts, source: NDArray[np.int64], found: Clusters) -> Result:
    """The same of what is still in memory."""
    verified = found.verified
    return Result(
        fate=verdicts.fate,
        survivor=verdicts.survivor,
        source=source,
        left=verified.left,
        right=verified.right,
        estimate=verified.estimate.astype(np.float64),
        exact=verified.exact.astype(np.float64),
        summary={"candidates": found.candidates, "unfinished_groups": found.unfinished_groups},
    )


def describe(context: Context, folder: Path, counts: dict[str, Counts], *, result: Result) -> list[Finding]:
    """What went, from where, and what another threshold would do."""
    names = [source.name for source in context.recipe.source]
    dedup = context.recipe.dedup
    return [
        _figures(result, counts),
        *alarms(result, names, dedup),
        _funnel(counts),
        *describe_contaminated(context, folder),
        removals(result, names),
        cluster_sizes(result, names),
        estimates(result),
        threshold_curve(result, threshold=dedup.threshold),
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


def estimates(result: Result) -> Curve:
    """Estimated beside exact similarity of the compared pairs."""
    last = round(1 / _BIN) - 1
    kinds, places = np.unique(np.minimum(np.floor(result.exact / _BIN), last), return_inverse=True)
    by_kind = [np.sort(result.estimate[places == number]) for number in range(len(kinds))]
    middles = [round(float(kind + 0.5) * _BIN, 4) for kind in kinds]

    def at(share: float) -> list[tuple[float, float]]:
        return [(x, float(values[int(share * (len(values) - 1))])) for x, values in zip(middles, by_kind, strict=True)]

    return Curve(
        section="dedup",
        title="Estimated and exact similarity",
        x_label="exact similarity",
        y_label="estimated from signatures",
        series=[
            ("95 % are below", at(0.95)),
            ("median", at(0.5)),
            ("5 % are below", at(0.05)),
            ("equal", [(x, x) for x in middles]),
        ],
        note=f"The {len(result.exact):,} compared pairs. Below the threshold only those are here whose estimate passed "
        "the gate, so estimates lean upwards there; the exact similarity decides in any case.",
    )


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
