"""Mojibake: broken by the very routes that break it, mended to the letter, and good text left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_corpus.mojibake import mend

TEXTS = (
    "今天的天气很好，我们一起去公园散步。他说：“好的！”",
    "四库全书分经、史、子、集四部，故名四库。",
    "今天的天气，很好的，",
    "他的书我的书，都是好的书，大家都看，",
)
ROUTES = (("utf-8", "gb18030"), ("utf-8", "latin-1"), ("gb18030", "latin-1"))


def damage() -> list[tuple[str, str]]:
    """Every text by every route that does not fail: some bytes cannot be read with the wrong table."""
    pairs = []
    for written, read in ROUTES:
        done = len(pairs)
        for text in TEXTS:
            try:
                pairs.append((text, text.encode(written).decode(read)))
            except UnicodeDecodeError:
                continue
        assert len(pairs) > done
    return pairs


@pytest.mark.parametrize(("text", "broken"), damage())
def test_mojibake_is_mended_to_the_letter(text: str, broken: str) -> None:
    found = mend(["好的。", broken, ""])
    assert found.texts == ["好的。", text, ""]
    assert (found.repaired, found.hopeless) == (1, [])
    assert found.example == (broken[:40], text[:40])


LOSSY = "中国的经济发展很快，人民生活水平不断提高。".encode().decode("gbk", "replace")


@pytest.mark.parametrize("text", ["锟斤拷锟斤拷锟斤拷的锟斤拷", "\ufffd\ufffd\ufffd好", "烫烫烫烫烫烫烫", LOSSY])
def test_what_is_lost_is_named(text: str) -> None:
    assert mend(["好", text]).hopeless == [1]


@pytest.mark.parametrize(
    "text",
    [
        "程序员爱说锟斤拷和烫烫烫，" + "这是编码的笑话，读者都懂。" * 30,
        "Café Müller à Genève, déjà vu, Ångström",
        "鐨字和銆字不常见",
        "銅鐘鐵鑼，鐃鈸鉦鐸，鑿鑱鑽。",
        "x² + y² = 4 ± 0.5 µm, ½ ¼ ¾, « » §",
        "缺一个字\ufffd不要紧，" + "文章还长。" * 30,
    ],
)
def test_good_text_stays(text: str) -> None:
    found = mend([text])
    assert (found.texts, found.repaired, found.hopeless) == ([text], 0, [])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5))
def test_a_batch_is_its_documents(batch: list[str]) -> None:
    found = mend(batch)
    alone = [mend([text]) for text in batch]
    assert found.texts == [one.texts[0] for one in alone]
    assert found.hopeless == [index for index, one in enumerate(alone) if one.hopeless]
