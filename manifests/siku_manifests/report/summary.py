"""What the whole run comes to: the headline figures and the way from raw to kept."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from siku_manifests.equation import Counts
from siku_manifests.findings import Bars, Figures, Funnel, Table
from siku_manifests.report.legible import number, share, size
from siku_manifests.report.stageview import StageView
from siku_manifests.sections import Source
from siku_manifests.shares import shares_table

KINDS_OF_DOCUMENTS = ("documents", "corpus")
"""Datasets whose records are documents; what later stages count (samples, windows) is not added to them."""

HEADLINE_FIGURES = 2
"""Figures of a section that stand in the headline."""


class Figure(NamedTuple):
    """A headline number."""

    label: str
    value: str
    note: str = ""


def headline(stages: Sequence[StageView]) -> list[Figure]:
    """A dozen numbers at most: what was read and kept, then the first figures of each later section."""
    figures: list[Figure] = []
    of_documents = [stage for stage in stages if stage.name in KINDS_OF_DOCUMENTS and stage.counts]
    if of_documents:
        first, last = of_documents[0].total, of_documents[-1].total
        entered = _formed(first)
        figures += [
            Figure("documents read", number(entered), f"from {number(len(of_documents[0].counts))} sources"),
            Figure("documents kept", number(last.kept), f"{share(last.kept, entered)} of them"),
            Figure("characters kept", number(last.characters), _text_size(last)),
        ]
    seen = {"corpus"} if of_documents else set()
    for stage in stages:
        for block in stage.findings:
            if isinstance(block, Figures) and block.section not in seen:
                seen.add(block.section)
                said = {figure.label for figure in figures}
                figures += [Figure(*item) for item in block.items if item[0] not in said][:HEADLINE_FIGURES]
    return figures


def dropped_by_reason(stage: StageView) -> list[tuple[str, int]]:
    """Records that the stage dropped or quarantined, by reason, the most frequent first."""
    reasons: Counter[str] = Counter(stage.total.dropped)
    reasons.update({f"quarantine: {reason}": n for reason, n in stage.total.quarantined.items()})
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def way_down(stages: Sequence[StageView]) -> Funnel | None:
    """What is left of each source after each stage of documents; None where nothing was counted."""
    of_documents = [stage for stage in stages if stage.name in KINDS_OF_DOCUMENTS and stage.counts]
    if not of_documents:
        return None
    first = of_documents[0]
    steps = ["read", *(f"kept in {stage.name}" for stage in of_documents)]
    rows = [
        (source, [_formed(counts), *(_kept(stage, source) for stage in of_documents)])
        for source, counts in first.counts.items()
    ]
    note = (
        "Each bar is scaled to its own source, and counts documents: "
        "a record that was split counts as several, records that were joined count as one."
    )
    return Funnel("What is left of each source", steps, rows, note, section="corpus")


def shares(stages: Sequence[StageView], sources: Sequence[Source]) -> list[Table]:
    """What each source has beside what the recipe asks of it; nothing where no document was counted."""
    of_documents = [stage for stage in stages if stage.name in KINDS_OF_DOCUMENTS and stage.counts]
    if not of_documents or not sources:
        return []
    return [shares_table(sources, {source: counts.characters for source, counts in of_documents[-1].counts.items()})]


def reasons_chart(stage: StageView) -> Bars | None:
    """Why records left the stage; None where none did."""
    reasons = [(reason, float(n)) for reason, n in dropped_by_reason(stage) if n]
    return Bars("Dropped and quarantined, by reason", "records", reasons, section="corpus") if reasons else None


def environment_rows(stages: Sequence[StageView]) -> list[tuple[str, str]]:
    """Versions by name; where stages differ, each version with the stages that ran under it."""
    versions: dict[str, dict[str, list[str]]] = {}
    for stage in stages:
        for name, version in stage.manifest.record.environment.items():
            versions.setdefault(name, {}).setdefault(version, []).append(stage.name)
    return [
        (name, next(iter(found)))
        if len(found) == 1
        else (name, "; ".join(f"{version} ({', '.join(users)})" for version, users in found.items()))
        for name, found in sorted(versions.items())
    ]


def _formed(counts: Counts) -> int:
    """Documents that a source's records form: split ones give more than they are, joined ones fewer."""
    return counts.read + counts.split - counts.joined


def _kept(stage: StageView, source: str) -> int:
    return stage.counts[source].kept if source in stage.counts else 0


def _text_size(counts: Counts) -> str:
    han = f"{share(counts.han, counts.characters)} Han" if counts.han else ""
    return ", ".join(part for part in (han, size(counts.bytes) if counts.bytes else "") if part)
