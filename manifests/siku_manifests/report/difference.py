"""Two texts side by side: the spans where they differ, in the part that is worth showing."""

from difflib import SequenceMatcher
from typing import NamedTuple

SHOWN = 480
"""Characters of a text that are shown; comparing costs at most the square of this."""

CONTEXT = 60
"""Equal characters that stay in view before the first difference, where the start is passed over."""


class Span(NamedTuple):
    """A run of characters, and whether the other text lacks it."""

    text: str
    differs: bool


class Excerpt(NamedTuple):
    """The part of a text that is shown, and how many characters lie before and after it."""

    before: int
    spans: tuple[Span, ...]
    after: int


def cut(text: str, *, shown: int = SHOWN) -> Excerpt:
    """The beginning of a text as one span."""
    return Excerpt(0, (Span(text[:shown], False),) if text else (), max(0, len(text) - shown))


def compare(left: str, right: str, *, shown: int = SHOWN) -> tuple[Excerpt, Excerpt]:
    """Both texts with their differences marked, character by character.

    Where the texts are equal for longer than what is shown, the excerpt begins shortly before
    the first difference. A difference beyond the excerpt is not marked; `after` says how much
    of the text was not compared.

    Example:
        床前明月光 / 牀前明月光 -> [床]前明月光 / [牀]前明月光
    """
    start = _common_prefix(left, right)
    start = start - min(CONTEXT, shown // 2) if start > shown // 2 and left != right else 0
    window = left[start : start + shown], right[start : start + shown]
    matcher = SequenceMatcher(None, *window, autojunk=False)
    spans: tuple[list[Span], list[Span]] = ([], [])
    after = max(0, len(left) - start - shown), max(0, len(right) - start - shown)
    for tag, from_left, to_left, from_right, to_right in matcher.get_opcodes():
        ranges = (from_left, to_left), (from_right, to_right)
        for side, (begin, end) in enumerate(ranges):
            # What ends the excerpt unmatched may have its match in what the other text has cut off.
            unknown = end == len(window[side]) and after[1 - side] > 0
            if begin < end:
                spans[side].append(Span(window[side][begin:end], tag != "equal" and not unknown))
    return Excerpt(start, tuple(spans[0]), after[0]), Excerpt(start, tuple(spans[1]), after[1])


def _common_prefix(left: str, right: str) -> int:
    """Length of the common beginning, by bisection over slices: fast for long texts."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
