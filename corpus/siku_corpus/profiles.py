"""Profiles: what kind of text a source is, which rules that means and which thresholds.

A rule that mends news breaks poems: a space between two Han characters is a typesetter's in one and the
poet's in the other. So each source declares its kind, and everything that depends on it stands in this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, get_args

from siku_corpus.private import PRIVATE
from siku_manifests.errors import RecipeError
from siku_manifests.sections import Filter, Normalize, Profile

PROFILES: tuple[Profile, ...] = get_args(Profile)

_EVERYWHERE = ("line_ends", "controls", "private_use", "compose", "spaces", "trim")
_CHINESE = (*_EVERYWHERE, "width", "symbols")
_PRIVATE = tuple(PRIVATE)
_MODERN = (*_CHINESE, *_PRIVATE, "entities", "runs", "punctuation", "ellipsis", "boilerplate", "script")

RULES: dict[Profile, tuple[str, ...]] = {
    "modern": (*_MODERN, "gaps", "pasted_twice"),
    "encyclopedia": (*_MODERN, "gaps"),
    "web": _MODERN,
    "dialogue": _MODERN,
    "bitext": (*_CHINESE, *_PRIVATE, "script"),
    "classical": _CHINESE,
    "poetry": _CHINESE,
    "english": (*_EVERYWHERE, *_PRIVATE),
}
"""Which rules apply; the order is that of `rules.RULES`. Readers of the web type a space where a comma
should be, so `gaps` (no space between Han) stays away from it; classical text and poems keep their script,
their spacing and their punctuation, and English keeps the indentation of code. No poem holds personal data."""

_FOREIGN = {"max_kana_share": 0.05, "max_hangul_share": 0.05}
_FOR_MACHINES = {"max_tags": 0.3, "max_links": 0.5, "max_blobs": 0.3, "max_digits": 0.5, "max_symbols": 0.1}
_REPETITION = {
    "max_duplicate_lines": 0.287, "max_duplicate_line_characters": 0.10,
    "max_top_2_gram": 0.256, "max_top_3_gram": 0.25, "max_top_4_gram": 0.25,
    "max_duplicate_5_grams": 0.45, "max_duplicate_10_grams": 0.35,
}  # fmt: skip
_PROSE = {**_FOREIGN, **_FOR_MACHINES, "min_punctuation": 0.01, **_REPETITION}

THRESHOLDS: dict[Profile, dict[str, float]] = {
    "modern": {"min_characters": 50, "min_han_share": 0.2, "min_mean_line": 10, **_PROSE},
    "encyclopedia": {"min_characters": 20, "min_han_share": 0.3, **_PROSE},
    "web": {"min_characters": 200, "min_han_share": 0.3, "min_mean_line": 10, "min_lines_ended": 0.106, **_PROSE},
    "dialogue": {
        "min_characters": 2, "min_letters_share": 0.3, "max_top_2_gram": 0.5, **_FOREIGN,
        "max_tags": 0.5, "max_links": 0.6, "max_blobs": 0.5, "max_digits": 0.6, "max_symbols": 0.5,
    },
    "bitext": {"min_characters": 4, "min_han": 1},
    "classical": {"min_characters": 5, "min_han_share": 0.5},
    "poetry": {"min_characters": 5, "min_han_share": 0.5},
    "english": {
        "min_characters": 200, "min_latin_share": 0.5, "min_mean_line": 10,
        "max_duplicate_lines": 0.30, "max_duplicate_line_characters": 0.20,
        "max_top_2_gram": 0.20, "max_top_3_gram": 0.18, "max_top_4_gram": 0.16,
    },
}  # fmt: skip
"""Where a filter begins to drop; what a profile does not name is off there. Characters are counted after
normalization. Length and line length are ChineseWebText's, lines and top pairs FineWeb-2's for Mandarin
(cmn_Hani.yml), and all of English Gopher's. FineWeb-2 counts n-grams of a segmenter's words; counted in
characters the same news gives other shares, so the limits on longer n-grams lie where only news whose body was pasted
twice (0.5 and more) is dropped; of 3,095 articles of a newspaper month that is none.

An encyclopaedia has good articles of one sentence (a river, a mathematician), so 20 characters are enough there; a
newspaper prints English lessons, of which a fifth is Chinese. Titles, questions and talks may be about an iPhone or
hold code: there letters of either script count, and what is written for machines is found by what it is."""


class Behaviour(NamedTuple):
    """A profile as one recipe uses it."""

    profile: Profile
    rules: frozenset[str]
    thresholds: Mapping[str, float]


def behaviour(profile: Profile, normalize: Normalize, filter_: Filter) -> Behaviour:
    """The rules and thresholds of a profile after the recipe's overrides.

    Raises:
        RecipeError: a threshold that no filter knows.
    """
    rules = set(RULES[profile])
    script = normalize.script.get(profile)
    if script is not None:
        rules = rules | {"script"} if script == "simplified" else rules - {"script"}
    private = normalize.private.get(profile)
    if private is not None:
        rules = rules | set(PRIVATE) if private == "replace" else rules - set(PRIVATE)
    overrides = filter_.thresholds.get(profile, {})
    known = sorted({name for thresholds in THRESHOLDS.values() for name in thresholds})
    for name in overrides:
        if name not in known:
            msg = f"[filter.thresholds.{profile}] has no filter {name!r}; there are {', '.join(known)}."
            raise RecipeError(msg)
    return Behaviour(profile, frozenset(rules), THRESHOLDS[profile] | dict(overrides))
