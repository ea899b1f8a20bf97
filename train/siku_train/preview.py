"""The first batch of a run as text: which documents, where they begin and end, what is learned and what is not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from siku_manifests.recipe import Recipe
from siku_manifests.runner import resolve
from siku_manifests.stage import Context
from siku_tokenize.vocabulary import Vocabulary, open_vocabulary
from siku_train.build import make_plan
from siku_train.loss import IGNORE
from siku_train.plan import Plan
from siku_train.windows import Example

LABELS_SHOWN = 6
"""Tokens at each end of a document that are shown with their labels."""


def first_batch(recipe: Recipe, out: Path) -> Iterator[str]:
    """Write the first optimiser step's first batch, without loading a model.

    Raises:
        InputError: the tokens are not built yet.
    """
    resolved = resolve("pretrain", recipe, out=out)
    pieces = open_vocabulary(resolved.parents["tokenizer"])
    plan = make_plan(Context(recipe=recipe, folder=resolved.folder, parents=resolved.parents), pieces)
    options = plan.options
    yield (
        f"{len(plan.stream):,} windows of {options.length:,} tokens in {plan.steps:,} steps of "
        f"{options.batch} × {options.accumulation}; this is the first batch"
    )
    for position in range(min(options.batch, len(plan.stream))):
        yield from window_lines(plan, position, pieces)


def window_lines(plan: Plan, position: int, pieces: Vocabulary) -> Iterator[str]:
    """Write the window at a position of the run.

    Args:
        plan: of the run.
        position: in the order of the run.
        pieces: what the ids stand for.
    """
    source, window = plan.stream.place(position)
    example = plan.stream[position]
    labels = example["labels"].numpy()
    learned = int((labels != IGNORE).sum())
    yield ""
    yield (
        f"== window {position}: {source}, place {window * plan.options.length:,} of its file; {learned:,} labels, "
        f"{len(labels) - learned:,} places are not learned ({IGNORE})"
    )
    names = plan.name_documents(source, plan.stream.reader.documents(source, window))
    starts = document_starts(example)
    for number, first in enumerate(starts):
        last = starts[number + 1] if number + 1 < len(starts) else len(labels)
        name = names[number] if number < len(names) else "filling after the last document"
        yield f"-- {name}: places {first:,} to {last - 1:,}"
        yield _text(pieces, example["input_ids"].numpy()[first:last])
        yield f"   id → label: {_labels(pieces, example, first, last)}"


def document_starts(example: Example) -> list[int]:
    """Find the places of a window at which positions start over.

    Example:
        position_ids [0, 1, 2, 0, 1] -> [0, 3]
    """
    return np.flatnonzero(example["position_ids"].numpy() == 0).tolist()


def _text(pieces: Vocabulary, ids: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    """The text of some ids; a control piece, which stands for no text, as its name."""
    spelled = [pieces.spelled[i] or b"<|end|>" * int(i == pieces.encoder.eos) for i in ids.tolist()]
    return "   " + b"".join(spelled).decode("utf-8", "replace").replace("\n", "\n   ")


def _labels(pieces: Vocabulary, example: Example, first: int, last: int) -> str:
    """The tokens at both ends of a document, each with the one that it is to predict."""

    def name(i: int) -> str:
        if i == IGNORE:
            return str(IGNORE)
        return "<|end|>" if i == pieces.encoder.eos else pieces.spelled[i].decode("utf-8", "replace") or f"#{i}"

    places = range(first, last)
    shown = [*places[:LABELS_SHOWN], *places[max(LABELS_SHOWN, len(places) - LABELS_SHOWN) :]]
    pairs = [f"{name(int(example['input_ids'][i]))} → {name(int(example['labels'][i]))}" for i in shown]
    if len(places) > 2 * LABELS_SHOWN:
        pairs.insert(LABELS_SHOWN, "…")
    return " | ".join(pairs)
