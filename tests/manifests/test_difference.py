"""difference: what is shown is the text, what is marked is different, and the rest is counted."""

from hypothesis import given, settings
from hypothesis import strategies as st

from siku_manifests.report.difference import CONTEXT, Excerpt, Span, compare, cut

TEXT = st.text(alphabet="床牀前明月光，a \n", max_size=120)


def shown(excerpt: Excerpt) -> str:
    return "".join(span.text for span in excerpt.spans)


@given(TEXT, TEXT)
def test_short_texts_are_shown_whole_and_the_unmarked_parts_agree(left: str, right: str) -> None:
    a, b = compare(left, right)
    assert (shown(a), shown(b)) == (left, right)
    same = ["".join(span.text for span in excerpt.spans if not span.differs) for excerpt in (a, b)]
    assert same[0] == same[1]
    if left == right:
        assert not any(span.differs for span in a.spans)


@settings(deadline=None)
@given(TEXT, TEXT, TEXT, st.integers(20, 60))
def test_cut_texts_are_accounted_for(start: str, left: str, right: str, room: int) -> None:
    texts = start + left, start + right
    for text, excerpt in zip(texts, compare(*texts, shown=room), strict=True):
        part = shown(excerpt)
        assert excerpt.before + len(part) + excerpt.after == len(text)
        assert text[excerpt.before : excerpt.before + len(part)] == part
        assert len(part) <= room


def test_one_character_is_one_mark() -> None:
    left, right = compare("牀前看月光", "床前看月光")
    assert left.spans == (Span("牀", True), Span("前看月光", False))
    assert right.spans == (Span("床", True), Span("前看月光", False))


def test_a_late_difference_is_found_behind_a_long_beginning() -> None:
    start = "".join(chr(0x4E00 + i) for i in range(5000))
    left, right = compare(start + "層樓", start + "重樓")
    assert left.before == right.before == 5000 - CONTEXT
    assert Span("層", True) in left.spans
    assert Span("重", True) in right.spans


def test_what_was_cut_off_is_not_called_different() -> None:
    text = "".join(chr(0x4E00 + i) for i in range(900))
    left, right = compare(text, "序言" + text)
    assert not any(span.differs for span in left.spans)
    assert [span.text for span in right.spans if span.differs] == ["序言"]


def test_equal_long_texts_begin_at_the_beginning() -> None:
    left, _ = compare("天" * 1000, "天" * 1000)
    assert (left.before, left.after) == (0, 520)
    assert cut("天" * 1000) == left
    assert cut("") == Excerpt(0, (), 0)
