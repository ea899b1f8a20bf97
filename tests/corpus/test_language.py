"""Languages by script."""

from __future__ import annotations

import pyarrow as pa
import pytest

from siku_corpus.language import find_languages
from siku_corpus.measure import measure
from siku_manifests.sections import Profile


@pytest.mark.parametrize(
    ("text", "profile", "language"),
    [
        ("今天天气很好。", "web", "zh"),
        ("今天天氣很好，我們出門去。", "web", "zh-Hant"),
        ("東京大学で学びました。", "web", "ja"),
        ("한국어 문장", "web", "ko"),
        ("An English sentence.", "modern", "en"),
        ("12345", "dialogue", "und"),
        ("", "web", "und"),
        ("學而時習之", "classical", "lzh"),
        ("天地", "poetry", "lzh"),
        ("Day\n天", "bitext", "mul"),
        ("x", "english", "en"),
    ],
)
def test_language(text: str, profile: Profile, language: str) -> None:
    assert find_languages([text], measure(pa.array([text])), profile) == [language]
