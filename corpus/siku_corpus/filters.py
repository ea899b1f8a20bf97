"""Filters: which documents of a batch are dropped, for what reason, by what number.

A filter compares one measure with one threshold of the profile. They are asked in the order of FILTERS and
the first that objects names the reason, so that reasons add up to documents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_corpus.measure import Measures, measure
from siku_corpus.profiles import Behaviour


class Filter(NamedTuple):
    """One comparison; its threshold is named `min_MEASURE` or `max_MEASURE`."""

    threshold: str
    reason: str
    says: str
    """What is wrong with a document that it drops, for the report."""
    unit: str = "share of characters"
    """Of the measure and its threshold."""
    origin: str = "ours"
    """Whose default the threshold of running text is, as published or adapted to characters."""
    from_characters: int = 0
    """Shorter documents are not asked."""

    @property
    def measure(self) -> str:
        """The field of Measures that is compared."""
        return self.threshold[4:]

    @property
    def is_minimum(self) -> bool:
        """Whether too little is wrong, not too much."""
        return self.threshold.startswith("min_")


EMPTY = "empty"
_SOME_CHARACTERS = 50
"""In fewer a repeated n-gram is a figure of speech, and one address or number is half of the text."""
_MANY_CHARACTERS = 200
"""Fewer may do without marks: people who write three sentences put spaces between them."""

FILTERS: tuple[Filter, ...] = (
    Filter("min_characters", "too_short", "too few characters", unit="characters", origin="ChineseWebText"),
    Filter("min_han", "no_han", "too few Han characters", unit="characters"),
    Filter("max_kana_share", "japanese", "kana: the text is Japanese"),
    Filter("max_hangul_share", "korean", "hangul: the text is Korean"),
    Filter("max_tags", "markup", "HTML tags take much of the text"),
    Filter("max_links", "links", "addresses take much of the text", from_characters=_SOME_CHARACTERS),
    Filter("max_blobs", "blobs", "base64, hexadecimal or other code for machines"),
    Filter("max_digits", "numbers", "digits take most of the text: a table", from_characters=_SOME_CHARACTERS),
    Filter("max_symbols", "symbols", "too many #, bars, bullets, dingbats and emoji", origin="Gopher"),
    Filter("min_letters_share", "few_letters", "too small a share of Han characters and Latin letters"),
    Filter("min_han_share", "few_han", "too small a share of Han characters", origin="ChineseWebText"),
    Filter("min_latin_share", "few_latin", "too small a share of Latin letters"),
    Filter(
        "min_mean_line",
        "short_lines",
        "lines are short on average: a menu or a list",
        unit="characters a line",
        origin="ChineseWebText",
    ),
    Filter("max_duplicate_lines", "duplicate_lines", "lines come again", unit="share of lines", origin="FineWeb-2"),
    Filter("max_duplicate_line_characters", "duplicate_line_characters", "long lines come again", origin="FineWeb-2"),
    Filter(
        "max_top_2_gram",
        "top_2_gram",
        "one pair of characters or words fills the text",
        origin="FineWeb-2",
        from_characters=_SOME_CHARACTERS,
    ),
    Filter(
        "max_top_3_gram",
        "top_3_gram",
        "one run of three fills the text",
        origin="FineWeb-2, adapted",
        from_characters=_SOME_CHARACTERS,
    ),
    Filter(
        "max_top_4_gram",
        "top_4_gram",
        "one run of four fills the text",
        origin="FineWeb-2, adapted",
        from_characters=_SOME_CHARACTERS,
    ),
    Filter(
        "max_duplicate_5_grams",
        "duplicate_5_grams",
        "runs of five come again",
        origin="FineWeb-2, adapted",
        from_characters=_SOME_CHARACTERS,
    ),
    Filter(
        "max_duplicate_10_grams",
        "duplicate_10_grams",
        "runs of ten come again",
        origin="FineWeb-2, adapted",
        from_characters=_SOME_CHARACTERS,
    ),
    Filter(
        "min_lines_ended",
        "unfinished_lines",
        "few lines end as sentences do",
        unit="share of lines",
        origin="FineWeb-2",
    ),
    Filter(
        "min_punctuation",
        "no_punctuation",
        "hardly a mark between the words: a menu or keywords",
        from_characters=_MANY_CHARACTERS,
    ),
)
"""In the order in which they are asked: what a text is, its lines, its repetitions, and last what says least."""

REASONS: dict[str, str] = {
    EMPTY: "nothing is left after normalization",
    **{filter_.reason: filter_.says for filter_ in FILTERS},
}


class Objection(NamedTuple):
    """Why a document should go."""

    reason: str
    value: float
    threshold: float


class Verdicts(NamedTuple):
    """What the filters say of a batch."""

    objections: dict[int, Objection]
    """By position; documents without one are good."""
    measures: Measures


def judge(texts: pa.StringArray, behaviour: Behaviour) -> Verdicts:
    """Measure a batch and say which documents should be dropped.

    Args:
        texts: normalized text, shape (D,).
        behaviour: thresholds of the source's profile.
    """
    measures = measure(texts, words=behaviour.profile == "english")
    objections = {int(row): Objection(EMPTY, 0, 1) for row in np.flatnonzero(measures.characters == 0)}
    for filter_ in FILTERS:
        threshold = behaviour.thresholds.get(filter_.threshold)
        if threshold is None:
            continue
        values: NDArray[np.float64] = getattr(measures, filter_.measure)
        for row in np.flatnonzero(_objects(filter_, threshold, measures)):
            value = round(float(values[row]), 4)
            objections.setdefault(int(row), Objection(filter_.reason, value, threshold))
    return Verdicts(objections, measures)


def _objects(filter_: Filter, threshold: float, measures: Measures) -> NDArray[np.bool_]:
    values: NDArray[np.float64] = getattr(measures, filter_.measure)
    wrong: NDArray[np.bool_] = values < threshold if filter_.is_minimum else values > threshold
    return wrong & (measures.characters >= filter_.from_characters)
