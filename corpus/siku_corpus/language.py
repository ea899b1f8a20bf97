"""Language by script: what a document's characters say, without a model.

Han alone cannot tell classical from modern Chinese, nor Cantonese from Mandarin; that is the source's to
declare, by its profile or its `language`. Between Chinese, Japanese, Korean and Latin script it is safe.
"""

from __future__ import annotations

from collections.abc import Sequence

from siku_corpus.measure import Measures
from siku_corpus.script import is_traditional
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
    return [
        _language(text, kana, hangul, han, latin)
        for text, kana, hangul, han, latin in zip(
            texts, measures.kana_share, measures.hangul_share, measures.han_share, measures.latin_share, strict=True
        )
    ]


def _language(text: str, kana: float, hangul: float, han: float, latin: float) -> str:
    if kana > _KANA_SHARE:
        return "ja"
    if hangul > _HANGUL_SHARE:
        return "ko"
    if han > _HAN_SHARE:
        return "zh-Hant" if is_traditional(text) else "zh"
    return "en" if latin > _LATIN_SHARE else "und"
