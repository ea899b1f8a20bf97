"""Shares: what a recipe asks of its sources, against the arithmetic done by hand and by the draw itself."""

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.errors import RecipeError
from siku_manifests.recipe import load_recipe
from siku_manifests.sections import Source
from siku_manifests.shares import shares_table, source_shares, source_weights
from siku_tokenize.order import mixture_shares
from siku_tokenize.sample import draw_sample


def sources(**knobs: dict[str, float]) -> list[Source]:
    return [
        msgspec.convert(
            {"name": name, "format": "lines", "where": ".", "license": "CC0-1.0", "profile": "modern"} | given_, Source
        )
        for name, given_ in knobs.items()
    ]


def test_weights_multiply_a_sources_size() -> None:
    a, b = source_shares(sources(a={"weight": 1.0}, b={"weight": 3.0}), {"a": 30, "b": 10})
    assert (a.held, a.asked, round(a.epochs, 3)) == (0.75, 0.5, 0.667)
    assert (b.held, b.asked, b.epochs) == (0.25, 0.5, 2.0)


def test_shares_hold_whatever_the_sizes_are() -> None:
    asked = sources(news={"share": 0.46}, wiki={"share": 0.54})
    for sizes in ({"news": 1, "wiki": 1_000_000}, {"news": 5_000, "wiki": 10}):
        assert [share.asked for share in source_shares(asked, sizes)] == pytest.approx([0.46, 0.54])


def test_a_source_without_text_leaves_its_share_to_the_others() -> None:
    (only,) = source_shares(sources(news={"share": 0.46}, wiki={"share": 0.54}), {"news": 0, "wiki": 7})
    assert (only.source, only.asked, only.epochs) == ("wiki", 1.0, 1.0)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.floats(0.01, 1)), min_size=1, max_size=8))
def test_the_weights_of_shares_give_the_mixture_those_shares(rows: list[tuple[int, float]]) -> None:
    whole = sum(share for _, share in rows)
    asked = sources(**{f"s{i}": {"share": share / whole} for i, (_, share) in enumerate(rows)})
    sizes = {f"s{i}": size for i, (size, _) in enumerate(rows)}
    mixed = mixture_shares(sizes, source_weights(asked, sizes))
    assert [share.asked for share in mixed] == pytest.approx([share / whole for _, share in rows])


def test_the_tokenizers_sample_has_the_shares_that_are_asked_for() -> None:
    asked = sources(news={"share": 0.25}, verse={"share": 0.75})
    documents = {"news": 3_000, "verse": 1_000}
    batches = [
        pa.RecordBatch.from_pydict(
            {"id": [f"{name}/{i}" for i in range(n)], "source": [name] * n, "text": ["床前明月光"] * n}
        )
        for name, n in documents.items()
    ]
    sizes = {name: 15 * n for name, n in documents.items()}
    sample = draw_sample(batches, weights=source_weights(asked, sizes), seed=0, budget=10**6)
    drawn = {name: size for name, (_, size) in sample.sources.items()}
    assert drawn["verse"] / sum(drawn.values()) == pytest.approx(0.75, abs=0.03)


def test_the_table_shows_what_there_is_beside_what_is_asked() -> None:
    table = shares_table(sources(a={"weight": 1.0}, b={"weight": 3.0}), {"a": 30, "b": 10})
    assert [list(row) for row in table.rows] == [["a", 30, 75.0, 50.0, 0.67], ["b", 10, 25.0, 50.0, 2.0]]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (("source.newspaper.share=0.5",), "some sources have a share"),
        (tuple(f"source.{source.name}.share=0.5" for source in load_recipe("sample").source), "add up to"),
        (("source.newspaper.share=1.5",), "<= 1"),
    ],
)
def test_shares_that_make_no_whole_are_refused(overrides: tuple[str, ...], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load_recipe("sample", overrides)
