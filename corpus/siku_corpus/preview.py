"""Some documents of a source before a build: as the source has them, as the rules leave them, what the filters say.

Chosen by the seed from ranges that the seed chooses, so the same command shows the same documents, and another seed
others. They go through the very code that builds the stage, one document at a time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from siku_corpus.build import iterate_items, plan
from siku_corpus.filters import REASONS
from siku_corpus.process import Processor
from siku_corpus.profiles import behaviour
from siku_corpus.records import Document, batches
from siku_manifests.recipe import Recipe
from siku_manifests.report.difference import Excerpt, compare, cut
from siku_manifests.report.legible import legible
from siku_manifests.sections import Source
from siku_manifests.stage import Context, Range

STAGES = ("read", "normalize", "filter")
LOOKED_AT = 1_000
"""Documents of a range among which are chosen those that are shown."""


class Previewed(NamedTuple):
    """A document on its way."""

    id: str
    before: str
    after: str
    rules: dict[str, int]
    """Places that each rule changed."""
    fate: str
    """What the filters say, for people."""


def choose_documents(context: Context, source: Source, *, number: int, seed: int) -> list[Document]:
    """Pick documents of a source, as many from each of some ranges as are needed.

    Args:
        context: of the stage `documents`, raw files found.
        source: of the recipe.
        number: of documents; fewer come from a source that has fewer.
        seed: another one gives others.
    """
    chance = random.Random(seed)
    ranges = [range_ for range_ in plan(context) if range_.source == source.name]
    chance.shuffle(ranges)
    chosen: list[Document] = []
    for turn, range_ in enumerate(ranges):
        missing = number - len(chosen)
        if not missing:
            break
        fair = -(-missing // min(missing, len(ranges) - turn))
        chosen += _some_of(source, range_, number=fair, chance=chance)
    return chosen


def _some_of(source: Source, range_: Range, *, number: int, chance: random.Random) -> list[Document]:
    items = iterate_items(source, range_.inputs["pieces"])
    documents = list(islice((item for item in items if isinstance(item, Document)), LOOKED_AT))
    places = sorted(chance.sample(range(len(documents)), min(number, len(documents))))
    return [documents[place] for place in places]


def preview(recipe: Recipe, source: Source, documents: Sequence[Document]) -> Iterator[Previewed]:
    """Send documents through normalization and filters, each alone."""
    for document in documents:
        processor = Processor(
            source=source,
            behaviour=behaviour(source.profile, recipe.normalize, recipe.filter),
            report_only=False,
        )
        for batch in batches([msgspec.structs.replace(document)]):
            done = processor.process(batch)
            if done.kept.num_rows:
                row = done.kept.to_pylist()[0]
                fate = f"kept, language {row['language']}"
            elif done.dropped.num_rows:
                row = done.dropped.to_pylist()[0]
                detail = msgspec.json.decode(row["detail"])
                fate = (
                    f"dropped, {row['reason']}: {REASONS[row['reason']]} ({detail['value']:g} against "
                    f"{detail['threshold']:g})"
                )
            else:
                (row,) = done.quarantine.to_pylist()
                row["text"] = ""
                fate = f"quarantined, {row['reason']}: {row['detail']}"
            yield Previewed(document.locator, document.text, row["text"], processor.account.rules, fate)


def preview_lines(previewed: Previewed, *, stage: str, marks: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Lines for a terminal.

    Args:
        previewed: a document.
        stage: one of STAGES.
        marks: what stands before and after text that is gone, and before and after text that is new.
    """
    yield legible(previewed.id)
    if stage == "read":
        yield _marked(cut(legible(previewed.before)), ("", ""))
        return
    before, after = compare(legible(previewed.before), legible(previewed.after))
    if stage == "normalize" and previewed.before != previewed.after:
        yield _marked(before, marks[0])
        yield "  ↓ " + (", ".join(f"{rule} {count}" for rule, count in previewed.rules.items()) or "trimmed")
        yield _marked(after, marks[1])
    else:
        yield _marked(after, ("", ""))
        if stage == "normalize":
            yield "  ↓ unchanged"
    if stage == "filter":
        yield f"  ↓ {previewed.fate}"


def _marked(excerpt: Excerpt, mark: tuple[str, str]) -> str:
    text = "".join(f"{mark[0]}{span.text}{mark[1]}" if span.differs else span.text for span in excerpt.spans)
    left = f"… ({excerpt.before:,} characters before) " if excerpt.before else ""
    right = f" … ({excerpt.after:,} more)" if excerpt.after else ""
    return f"{left}{text}{right}"
