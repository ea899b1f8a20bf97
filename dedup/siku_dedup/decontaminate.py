"""Which documents hold a question of an evaluation; trained on them, a model would be examined on what it has read.

Question and document are compared as key texts (`keytext.py`), so script, width and punctuation hide nothing. A
document holds a question if it has `containment` of the question's different runs of `RUN` characters. More is
asked, since a question may quote what everyone quotes (a poem, and then: 其体现的主旨是), and a short one may be an
innocent sentence (中国特色社会主义最本质的特征是 stands in any newspaper):

    with options     all options stand behind it, within `LONG` characters and four times their own length
    short, without   the document begins with it (instruction data does), or is at most twice as long as it
    `LONG` or more   its last `RUN` characters stand there, where a question asks; or its options as above

A question of fewer than `RUN` characters must stand there whole, and one of fewer than `SHORTEST` is not looked
for: it says too little. Thirteen is the length of run that GPT-3 (Brown et al., 2020, appendix C) counts, in
words there, in characters here.

Shape legend: D documents, G grams, H hits, P pairs of document and question, Q questions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup.keytext import key_points
from siku_dedup.points import Points
from siku_dedup.questions import Question
from siku_dedup.shingles import fill_wide
from siku_manifests.kernels import kernel

RUN = 13
SHORTEST = 8
LONG = 40
OPENING = 16
"""A document that begins with a question may have so many characters before it (问：, a number, a heading)."""


class Contaminated(NamedTuple):
    """Documents that hold a question, ascending, each once."""

    rows: NDArray[np.int64]
    questions: NDArray[np.int64]
    """The question of highest containment, the first of equals."""
    containment: NDArray[np.float64]


class Decontaminator:
    """An index of questions, asked with batches of key texts.

    Example:
        Decontaminator([Question("q.txt", 1, "…")], containment=0.8).find(key_points(column).points)
    """

    def __init__(self, questions: Sequence[Question], *, containment: float) -> None:
        keys = key_points(pa.array([question.text for question in questions], pa.string())).points
        lengths = np.diff(keys.starts)
        self.questions = questions
        self.too_short = int((lengths < SHORTEST).sum())
        self._lengths = lengths
        self._keys = keys
        self._options = [_option_keys(question.options) for question in questions]
        self._containment = containment
        short = np.flatnonzero((lengths >= SHORTEST) & (lengths < RUN))
        self._indexes = [
            (_Grams(keys, np.flatnonzero(lengths >= RUN), RUN), containment),
            (_Grams(keys, short, SHORTEST), 1.0),
        ]

    def find(self, documents: Points) -> Contaminated:
        """The documents of a batch that hold a question; memory 20 bytes a hit."""
        best: dict[int, tuple[float, int]] = {}
        for grams, containment in self._indexes:
            for row, question, share, at in grams.pairs(documents, containment=containment):
                better = row not in best or (-share, question) < (-best[row][0], best[row][1])
                if better and self._is_held(documents, row, question=question, at=at):
                    best[row] = (share, question)
        rows = sorted(best)
        return Contaminated(
            np.array(rows, np.int64),
            np.array([best[row][1] for row in rows], np.int64),
            np.array([best[row][0] for row in rows], np.float64),
        )

    def _is_held(self, documents: Points, row: int, *, question: int, at: int) -> bool:
        """Whether more than shared wording speaks for it."""
        length = int(self._lengths[question])
        text, key = documents.text(row), self._keys.text(question)
        options = self._options[question]
        if length >= LONG and (key[-RUN:] in text or not options):
            return key[-RUN:] in text
        whole = text.find(key)
        if length < RUN and whole < 0:
            return False
        end = whole + length if whole >= 0 else at + RUN
        if options:
            behind = text[end : end + 4 * sum(map(len, options)) + LONG]
            return all(option in behind for option in options)
        begin = max(0, end - length)
        return begin <= OPENING or len(text) <= 2 * length


def _option_keys(options: Sequence[str]) -> list[str]:
    points = key_points(pa.array(options, pa.string())).points
    return [points.text(row) for row in range(len(points))]


class _Grams:
    """The runs of n characters of some questions: which ones each has, and a table to find them by hash."""

    def __init__(self, keys: Points, chosen: NDArray[np.int64], n: int) -> None:
        self._n = n
        hashes, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for question in chosen.tolist():
            runs = np.unique(run_hashes(keys.values[keys.starts[question] : keys.starts[question + 1]], n))
            hashes.append(runs)
            owners.append(np.full(len(runs), question, np.int64))
        owner = np.concatenate(owners)
        self._different, place = np.unique(np.concatenate(hashes), return_inverse=True)
        order = np.argsort(place, kind="stable")
        self._owners = owner[order]
        self._starts = np.searchsorted(place[order], np.arange(len(self._different) + 1))
        self._sizes = np.bincount(owner, minlength=len(keys))
        self._table = np.full(1 << max(4, (4 * len(self._different)).bit_length()), -1, np.int32)
        fill_table(self._different, self._table)

    def pairs(self, documents: Points, *, containment: float) -> list[tuple[int, int, float, int]]:
        """(document, question, share of its grams, last place of one) where the share is reached."""
        rows, grams, places = find_runs(documents, self._n, self._different, self._table)
        if not len(rows):
            return []
        _, first = np.unique(rows * len(self._different) + grams, return_index=True)
        rows, grams, places = rows[first], grams[first], places[first]
        counts = self._starts[grams + 1] - self._starts[grams]
        begins = np.repeat(self._starts[grams] - np.cumsum(counts) + counts, counts)
        questions = self._owners[begins + np.arange(counts.sum())]
        pair = np.repeat(rows, counts) * len(self._sizes) + questions
        order = np.argsort(pair, kind="stable")
        different, starts, held = np.unique(pair[order], return_index=True, return_counts=True)
        row, question = np.divmod(different, len(self._sizes))
        share = held / self._sizes[question]
        last = np.maximum.reduceat(np.repeat(places, counts)[order], starts)
        enough = share >= containment
        columns = (row[enough], question[enough], share[enough], last[enough])
        return list(zip(*(column.tolist() for column in columns), strict=True))


@kernel
def run_hashes(text: NDArray[np.uint32], n: int) -> NDArray[np.uint64]:  # pragma: no cover
    """Hash of each run of n characters of one text that is not shorter."""
    out = np.empty(len(text) - n + 1, np.uint64)
    fill_wide(text, n, out)
    return out


@kernel
def fill_table(keys: NDArray[np.uint64], table: NDArray[np.int32]) -> None:  # pragma: no cover
    """Put the numbers of keys into an open-addressed table, a power of two of slots filled with -1."""
    mask = np.uint64(len(table) - 1)
    for number in range(len(keys)):
        slot = keys[number] & mask
        while table[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table[slot] = number


@kernel
def find_runs(  # pragma: no cover
    documents: Points, n: int, keys: NDArray[np.uint64], table: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """All places of D documents where a key's run stands: document, key and character, shape (H,) each."""
    mask = np.uint64(len(table) - 1)
    found = np.empty((3, 1024), np.int64)
    count = 0
    for doc in range(len(documents.starts) - 1):
        text = documents.values[documents.starts[doc] : documents.starts[doc + 1]]
        if len(text) < n:
            continue
        for i, key in enumerate(run_hashes(text, n)):
            slot = key & mask
            while table[slot] >= 0 and keys[table[slot]] != key:
                slot = (slot + np.uint64(1)) & mask
            if table[slot] >= 0:
                if count == found.shape[1]:
                    wider = np.empty((3, 2 * count), np.int64)
                    wider[:, :count] = found
                    found = wider
                found[0, count], found[1, count], found[2, count] = doc, table[slot], i
                count += 1
    return found[0, :count], found[1, :count], found[2, :count]
