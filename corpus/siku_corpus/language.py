"""Language by script: what a document's characters say, without a model.

Han alone cannot tell classical from modern Chinese, nor Cantonese from Mandarin; that is the source's to
declare, by its profile or its `language`. Between Chinese, Japanese, Korean and Latin script it is safe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from siku_corpus.measure import Measures
from siku_corpus.script import find_traditional
from siku_manifests.sections import Profile

_BY_PROFILE: dict[Profile, str] = {"classical": "lzh", "poetry": "lzh", "english": "en", "bitext": "mul"}
_KANA_SHARE = 0.05
_HANGUL_SHARE = 0.2
_HAN_SHARE = 0.2
_LATIN_SHARE = 0.5


def find_languages(texts: Sequence[str], measures: Measures, profile: Profile) -> list[str]:
    """A BCP 47 tag for each document: `zh`, `zh-Hant`, `ja`, `ko`, `en` (any Latin script) or `und`.

    Args:
        texts: D documents, normalized.
        measures: of the same documents.
        profile: classical text and poems are `lzh`, pairs are `mul`, whatever their characters.
    """
    declared = _BY_PROFILE.get(profile)
    if declared:
        return [declared] * len(texts)
    found = np.select(
        [
            measures.kana_share > _KANA_SHARE,
            measures.hangul_share > _HANGUL_SHARE,
            (measures.han_share > _HAN_SHARE) & find_traditional(texts),
            measures.han_share > _HAN_SHARE,
            measures.latin_share > _LATIN_SHARE,
        ],
        ["ja", "ko", "zh-Hant", "zh", "en"],
        default="und",
    )
    return [str(tag) for tag in found]
