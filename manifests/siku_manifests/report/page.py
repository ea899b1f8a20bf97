"""The page itself: stages in, HTML out."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from siku_manifests.atomic import write_bytes
from siku_manifests.findings import Cell, Finding, Table
from siku_manifests.report import difference, legible, plot, summary
from siku_manifests.report.stageview import StageView, in_recipe_order, legible_findings, made_legible, read_stage
from siku_manifests.sections import Source

WIDE, PHONE = 880, 340
"""Pixels of the two drawings of each picture; the style sheet shows the one that fits."""

LISTED = 40
"""Files of a source or stage that are listed; the manifest has them all."""

SECTIONS = {
    "corpus": ("Corpus", "语料", "What the sources hold once they are normalized and filtered."),
    "dedup": ("Duplicates", "去重", "Which texts were the same, and which of them stayed."),
    "tokenizer": ("Tokenizer", "分词", "What the vocabulary learned, and what that saves."),
    "tokens": ("Tokens", "词元", "The corpus as numbers, ready to be trained on."),
    "training": ("Training", "训练", "How the model's loss went, on text it learned from and on text it did not."),
    "provenance": ("Provenance", "来历", "Where everything came from, and how to prove it."),
}

_QUANTITY = re.compile(r"[-+−<>≈ ]*\d[\d,. ]*(%|[kMGT]?B|s|×)?|–|")
"""Texts that are numbers to the eye, such as 51.3 %, and stand to the right as numbers do."""

_HERE = Path(__file__).parent


def write_report(recipe_name: str, folders: Sequence[Path], out: Path, *, sources: Sequence[Source] = ()) -> Path:
    """Read the stages' folders and write the report to `out`, whole or not at all.

    Args:
        recipe_name: for the title.
        folders: of finished stages of one run, parents first.
        out: the HTML file.
        sources: of the recipe, for what it asks of each; without them the report does not say it.

    Raises:
        VerificationError: a manifest is missing, damaged or edited.
        InputError: the findings of a stage cannot be read.
    """
    page = render_report([read_stage(folder) for folder in folders], recipe_name=recipe_name, sources=sources)
    write_bytes(out, page.encode())
    return out


def summary_lines(recipe_name: str, folders: Sequence[Path]) -> list[str]:
    """The report's headline for a terminal: a figure a line, then why records were dropped."""
    stages = [made_legible(stage) for stage in in_recipe_order([read_stage(folder) for folder in folders])]
    figures = summary.headline(stages)
    width = max((len(figure.label) for figure in figures), default=0)
    lines = [f"recipe {legible.legible(recipe_name)}: {' → '.join(stage.name for stage in stages)}"]
    lines += [f"  {label:<{width}}  {value}{f'  ({note})' if note else ''}" for label, value, note in figures]
    for stage in stages:
        reasons = [f"{reason} {n:,}" for reason, n in summary.dropped_by_reason(stage) if n]
        if reasons and stage.name in summary.KINDS_OF_DOCUMENTS:
            lines.append(f"  dropped by {stage.name}: {', '.join(reasons)}")
    return lines


def render_report(stages: Sequence[StageView], *, recipe_name: str = "", sources: Sequence[Source] = ()) -> str:
    """One HTML page; a pure function of its arguments.

    Args:
        stages: of one run, parents first.
        recipe_name: for the title.
        sources: of the recipe.

    Returns:
        A page without scripts and without anything to be requested from elsewhere. Its security
        policy allows the style sheet inside it, by hash, and nothing more.
    """
    stages = [made_legible(stage) for stage in in_recipe_order(stages)]
    blocks = {key: [b for s in stages for b in s.findings if b.section == key] for key in SECTIONS}
    blocks["corpus"] += summary.shares(stages, sources)
    page: str = _template("report").render(
        recipe_name=legible.legible(recipe_name),
        stages=stages,
        headline=summary.headline(stages),
        way_down=summary.way_down(stages),
        sections=SECTIONS,
        blocks=blocks,
        kept=next((s.counts for s in reversed(stages) if s.name in summary.KINDS_OF_DOCUMENTS), {}),
        environment=summary.environment_rows(stages),
        numbers={stage.manifest.id: index for index, stage in enumerate(stages, 1)},
        listed=LISTED,
        **_style(),
    )
    return page


def render_findings(findings: Sequence[Finding], *, title: str, lead: str) -> str:
    """One HTML page of findings that belong to no stage; a pure function of its arguments.

    Args:
        findings: what to show, in order.
        title: of the page.
        lead: the sentence below the title.
    """
    title, lead = legible.legible(title), legible.legible(lead)
    page: str = _template("findings").render(title=title, lead=lead, blocks=legible_findings(findings), **_style())
    return page


def _style() -> dict[str, str]:
    """The style sheet and the hash by which a page's security policy allows it."""
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {"style": Markup(style), "style_hash": digest}  # noqa: S704  our own file


def _template(name: str) -> Any:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        number=legible.number,
        size=legible.size,
        breakable=_breakable,
        kind=_kind,
        picture=_picture,
        cells=_cells,
        pretty=lambda value: json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True),
    )
    environment.globals.update(
        compare=difference.compare,
        cut=difference.cut,
        share=legible.share,
        reasons_chart=summary.reasons_chart,
        fate=_fate,
    )
    return environment.get_template(f"{name}.html.jinja")


def _kind(block: Finding) -> str:
    return type(block).__name__.lower()


def _breakable(text: str) -> Markup:
    """The text, which may begin a new line behind each slash: a long id must not push the next column off the sheet."""
    return escape(text).replace("/", Markup("/<wbr>"))


def _picture(block: plot.Picture) -> Markup:
    """Both drawings; plot escapes everything that it writes."""
    wide, phone = (plot.draw(block, width=width) for width in (WIDE, PHONE))
    return Markup(f'<div class="wide">{wide}</div><div class="phone">{phone}</div>')  # noqa: S704


def _fate(counts: Any) -> Markup:
    """A small bar of what became of a source's records; the numbers stand beside it."""
    parts = [
        ("kept", counts.kept),
        ("joined", counts.joined),
        ("dropped", counts.total_dropped),
        ("quarantined", counts.total_quarantined),
    ]
    return Markup(plot.proportions(parts))  # noqa: S704


def _cells(table: Table) -> list[list[tuple[str, bool]]]:
    """Rows of (text, does it stand to the right), numbers with equal decimals all down a column."""
    columns = [_column(cells) for cells in zip(*table.rows, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _column(cells: Sequence[Cell]) -> list[tuple[str, bool]]:
    places = max((legible.decimals(cell) for cell in cells if not isinstance(cell, str)), default=0)
    texts = [cell if isinstance(cell, str) else legible.number(cell, places=places) for cell in cells]
    of_numbers = all(not isinstance(cell, str) or _QUANTITY.fullmatch(cell) for cell in cells)
    return [(text, of_numbers) for text in texts]
