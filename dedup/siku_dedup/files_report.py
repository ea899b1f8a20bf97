"""The report of `siku dedup-files`: one HTML page with what went, how sure that is, and clusters to look at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from siku_dedup.browse import Look, describe_clusters
from siku_dedup.findings import Result, alarms, cluster_sizes, estimates, removals, threshold_curve
from siku_dedup.parts import SignedParts
from siku_dedup.planted import describe_planted
from siku_dedup.records import Columns, read_records
from siku_dedup.signing import Signer
from siku_dedup.survivors import EXACT, KNOWN, NEAR
from siku_manifests.findings import Figures, Finding
from siku_manifests.report import render_findings
from siku_manifests.sections import Dedup


def report_page(result: Result, signed: SignedParts, look: Look, signer: Signer) -> str:
    """The page as HTML; equal results give equal bytes."""
    blocks: list[Finding] = [
        _figures(result),
        *alarms(result, look.names, Dedup()),
        removals(result, look.names),
        cluster_sizes(result, look.names),
        estimates(result),
        threshold_curve(result, threshold=look.threshold),
        *describe_planted(signed, signer, threshold=look.threshold, seed=look.seed),
        *describe_clusters(result, signed, look),
    ]
    lead = f"{len(result.fate):,} documents of {', '.join(look.names[:5])}{' …' * (len(look.names) > 5)}"
    return render_findings(blocks, title="Duplicates", lead=lead)


def _figures(result: Result) -> Figures:
    counts = np.bincount(result.fate, minlength=KNOWN + 1).tolist()
    items = [
        ("documents", f"{len(result.fate):,}", ""),
        ("kept", f"{int((result.fate < EXACT).sum()):,}", "in kept/, as they were"),
        ("exact duplicates", f"{counts[EXACT]:,}", "the same letters and digits; script and punctuation do not count"),
        ("near-duplicates", f"{counts[NEAR]:,}", "by exact similarity of character n-grams, or linked by such"),
        ("pairs verified", f"{len(result.exact):,}", f"of {result.summary['candidates']:,} that share a band"),
    ]
    if counts[KNOWN]:
        items.append(("known to the index", f"{counts[KNOWN]:,}", "or hanging together with such"))
    return Figures(section="dedup", title="Documents", items=items)


def texts_of(paths: Sequence[Path], columns: Columns, rows: list[int]) -> dict[int, str]:
    """Texts of documents by row, counted through the files; reads no further than the last of them."""
    wanted = sorted(set(rows))
    texts: dict[int, str] = {}
    base = 0
    for path in paths:
        for batch in read_records(path, columns):
            here = [row for row in wanted if base <= row < base + len(batch.texts)]
            texts.update({row: batch.texts[row - base].as_py() for row in here})
            base += len(batch.texts)
            if len(texts) == len(wanted):
                return texts
    return texts
