"""What the stage tells the report: figures, funnel, reasons, rules with examples, lengths, licences."""

from __future__ import annotations

from collections.abc import Mapping

from siku_corpus.account import LENGTH_EDGES, Account
from siku_corpus.filters import FILTERS, REASONS
from siku_corpus.process import SHOWN_PROFILES
from siku_corpus.rules import RULES
from siku_manifests.addresses import is_fetched
from siku_manifests.equation import total
from siku_manifests.findings import Cell, Figures, Finding, Funnel, Histogram, Pair, SideBySide, Table
from siku_manifests.recipe import Recipe

REFUSED = {
    "about_the_crawl": "a record about the crawl, not a page",
    "author_record": "a record about an author, not a text",
    "content_model": "a page that is no wikitext",
    "copy": "stands in another file of the source too",
    "disambiguation": "a page of links that tells titles apart",
    "fuzzy": "the translators marked it as uncertain",
    "gap": "a task's text with a word cut out, and no answer beside it",
    "marked_as_error": "the collectors marked it as wrong",
    "namespace": "a page outside the articles of a wiki",
    "no_page": "an answer of a web server that is no page",
    "no_text": "a record without a text",
    "obsolete": "the original no longer exists",
    "redirect": "a page that only points to another",
    "same_as_original": "translated by itself",
    "system_file": "what an operating system leaves beside files, such as __MACOSX",
    "untranslated": "no translation",
}
_LINE_REASONS = {"short_lines", "unfinished_lines", "duplicate_lines", "duplicate_line_characters", "symbols"}
_REPETITION_REASONS = {filter_.reason for filter_ in FILTERS if "gram" in filter_.reason}
_EXAMPLES_SHOWN = 8
_EXAMPLE_CHARACTERS = 120
_QUOTED_CHARACTERS = 40


def tell(recipe: Recipe, accounts: Mapping[str, Account]) -> list[Finding]:
    """Blocks for the report, in the order in which they are read.

    Args:
        recipe: for licences and profiles.
        accounts: by source, in recipe order.
    """
    whole = sum(accounts.values(), Account())
    blocks: list[Finding] = [_figures(accounts), _funnel(accounts), _reasons(recipe, whole), _rules(whole)]
    changes = [change for account in accounts.values() for change in account.changes]
    if changes:
        blocks.append(
            SideBySide(
                section="corpus",
                title="Raw and normalized",
                left_label="as the source has it",
                right_label="as the corpus has it",
                pairs=[Pair(change.before, change.after, change.note) for change in changes[:_EXAMPLES_SHOWN]],
            )
        )
    if any(account.drops for account in accounts.values()):
        blocks.append(_dropped_texts(recipe, accounts))
    return [*blocks, _lengths(accounts), _licences(recipe, accounts)]


def _figures(accounts: Mapping[str, Account]) -> Figures:
    counts = total(account.counts for account in accounts.values())
    rules = sum(accounts.values(), Account()).rules
    return Figures(
        section="corpus",
        title="Documents",
        items=[
            ("documents", f"{counts.kept:,}", f"of {counts.read:,} records read"),
            ("Han characters", f"{counts.han:,}", f"of {counts.characters:,} characters"),
            ("text", f"{counts.bytes / 1e6:,.1f} MB", "UTF-8"),
            ("dropped", f"{counts.total_dropped:,}", f"for {len(counts.dropped)} reasons"),
            ("quarantined", f"{counts.total_quarantined:,}", "records that could not be read"),
            ("places mended", f"{sum(rules.values()):,}", f"by {len(rules)} rules of normalization"),
        ],
    )


def _funnel(accounts: Mapping[str, Account]) -> Funnel:
    rows = []
    for source, account in accounts.items():
        counts = account.counts
        refused = sum(count for reason, count in counts.dropped.items() if reason in REFUSED)
        lines = sum(count for reason, count in counts.dropped.items() if reason in _LINE_REASONS)
        repetition = sum(count for reason, count in counts.dropped.items() if reason in _REPETITION_REASONS)
        found = counts.kept + counts.total_dropped + counts.total_quarantined
        readable = found - counts.total_quarantined - refused
        rows.append(
            (source, [found, readable, counts.kept + lines + repetition, counts.kept + repetition, counts.kept])
        )
    return Funnel(
        section="corpus",
        title="From what was found to what is kept",
        steps=["found", "sound texts", "long enough, right language", "good lines", "not repeating itself"],
        rows=rows,
        note="Texts, after records that belong together were joined and records with several texts split.",
    )


def _reasons(recipe: Recipe, whole: Account) -> Table:
    dropped = whole.would_drop if recipe.filter.report_only else whole.counts.dropped
    says = REASONS | REFUSED
    rows: list[list[Cell]] = [[reason, says.get(reason, ""), count] for reason, count in _most_first(dropped)]
    note = "`report_only` is on: these are counted and kept." if recipe.filter.report_only else ""
    return Table(
        section="corpus", title="Why texts were dropped", columns=["reason", "means", "texts"], rows=rows, note=note
    )


def _rules(whole: Account) -> Table:
    rows: list[list[Cell]] = []
    for name in ("mojibake", *RULES):
        if name in whole.rules:
            example = whole.rule_examples.get(name)
            rows.append(
                [
                    name,
                    whole.rules[name],
                    _one_line(example.before) if example else "",
                    _one_line(example.after) if example else "",
                ]
            )
    return Table(
        section="corpus",
        title="What normalization changed",
        columns=["rule", "places", "before", "after"],
        rows=rows,
        note="In the order in which they run. `mojibake`, `compose`, `trim`, `script` and `pasted_twice` count"
        " documents; of personal data only the first characters are shown.",
    )


def _dropped_texts(recipe: Recipe, accounts: Mapping[str, Account]) -> Table:
    """The first that each filter dropped; of texts that may be protected no more than a quotation."""
    rows: list[list[Cell]] = []
    for source, account in accounts.items():
        shown = _EXAMPLE_CHARACTERS if recipe.source_named(source).profile in SHOWN_PROFILES else _QUOTED_CHARACTERS
        rows += [
            [reason, drop.id, drop.note, _one_line(drop.text[:shown])]
            for reason, drops in account.drops.items()
            for drop in drops
            if drop.text
        ]
    return Table(
        section="corpus",
        title="Texts that were dropped",
        columns=["reason", "id", "value and threshold", "begins"],
        rows=rows,
        note="The first three of each source and reason; `siku explain RECIPE ID` says more of any of them.",
    )


def _lengths(accounts: Mapping[str, Account]) -> Histogram:
    return Histogram(
        section="corpus",
        title="Length of documents",
        unit="characters",
        edges=[float(edge) for edge in (*LENGTH_EDGES[:-1], 2 * LENGTH_EDGES[-2])],
        series=[(source, account.lengths) for source, account in accounts.items()],
        note="The last bin is open.",
        log=True,
    )


def _licences(recipe: Recipe, accounts: Mapping[str, Account]) -> Table:
    rows: list[list[Cell]] = []
    for source in recipe.source:
        counts = accounts[source.name].counts
        rows.append(
            [
                source.name,
                source.license,
                source.license_note,
                source.where if is_fetched(source.where) else "own files",
                counts.kept,
                counts.han,
            ]
        )
    return Table(
        section="corpus",
        title="Sources and licences",
        columns=["source", "licence", "says who", "from", "documents", "Han characters"],
        rows=rows,
    )


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _one_line(text: str) -> str:
    return text.replace("\n", "⏎")
