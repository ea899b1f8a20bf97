"""Text from anywhere, made fit to be shown: what is invisible becomes visible, numbers readable."""

import math
import re

# Controls except tab and line feed, soft hyphen, bidirectional and other format characters,
# surrogates, private use, noncharacters, tags. Zero-width joiner and non-joiner stay: emoji and
# several scripts are spelled with them. Listed instead of asked from unicodedata, so that a page
# does not depend on the Python that drew it.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef"
    "\U000e0000-\U000e007f\U000f0000-\U0010ffff"
    + "".join(chr(plane << 16 | low) for plane in range(15) for low in (0xFFFE, 0xFFFF))
    + "]"
)

# Zalgo: a pile of combining marks paints over its neighbours. Four are more than any orthography needs.
_PILE = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})"
                   "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")  # fmt: skip


def legible(text: str) -> str:
    r"""The text with each invisible or unstorable character as its code point.

    What comes back can be written as UTF-8, stands in XML and HTML once escaped, and cannot
    turn the direction of what surrounds it.

    Example:
        "李\u202e白" -> "李⟨U+202E⟩白"
    """
    shown = _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
    return _PILE.sub(r"\1", shown)


def number(value: float, *, places: int | None = None) -> str:
    """The number for people: digits grouped by commas, at most four significant decimals.

    Args:
        value: any number.
        places: decimals of a float, so that those of a column stand under each other.

    Example:
        1234567 -> "1,234,567"; 0.028934 -> "0.02893"; 8.0 -> "8"; 1e21 -> "1e+21"
    """
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"{_float(value):.4g}"
    if not _plain(value):
        return f"{value:.4g}"
    return f"{value:,.{decimals(value) if places is None else places}f}"


def decimals(value: float) -> int:
    """How many decimals `number` needs for the value: as many as four significant digits leave."""
    if isinstance(value, int) or value == 0 or not _plain(value):
        return 0
    room = max(0, 3 - math.floor(math.log10(abs(value))))
    return len(f"{value:.{room}f}".rstrip("0").partition(".")[2])


def share(part: int, whole: int) -> str:
    """The part in percent of the whole; small shares are never rounded to none, nor nearly all to all.

    Example:
        (1, 3) -> "33.3 %"; (1, 100000) -> "< 0.1 %"; (0, 0) -> "–"
    """
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent not in (0, 100) else f"{percent:.0f} %"


def size(count: int) -> str:
    """A number of bytes in decimal units.

    Example:
        999 -> "999 B"; 1234567 -> "1.2 MB"
    """
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB"):
        count, rest = divmod(count, 1000)
        if count < 1000:
            return f"{count}.{rest // 100} {unit}"
    return f"{count / 1000:,.1f} TB"


def _plain(value: float) -> bool:
    return value == 0 or 1e-4 <= abs(value) < 1e15


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
