"""Which documents of a batch hold a character of which class: one compiled look instead of one search for each class.

Most rules wait for characters that most documents do not have. Asked one by one they would read every text as often
as there are rules; a survey reads it once, and a rule is run on the documents that can concern it.

Shapes: D documents, C code points.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel

SEPARATOR = "\x1e"
"""RECORD SEPARATOR between the texts of a batch that are looked at together; none of them may hold it."""

NUMBERS = "numbers"
"""A class that every survey looks for besides its own: 11 digits or more, or digits with three full stops, between
which nothing but spaces and hyphens stands."""
_DIGITS, _STOPS = 11, 3


class Survey:
    """Finds classes of characters in documents.

    Args:
        classes: name -> its characters; at most 30.
    """

    def __init__(self, classes: Mapping[str, Iterable[str]]) -> None:
        self._bits = {name: 1 << place for place, name in enumerate([NUMBERS, *classes])}
        self._table = np.zeros(sys.maxunicode + 1, dtype=np.int32)
        for name, characters in classes.items():
            for character in characters:
                self._table[ord(character)] |= self._bits[name]

    def find(self, texts: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Whether a document holds a character of a class.

        Args:
            texts: D documents without SEPARATOR.

        Returns:
            By class, shape (D,).

        Example:
            Survey({"wide": "０１"}).find(["B０", "B0"]) -> {"numbers": [False, False], "wide": [True, False]}
        """
        found = _find(code_points(texts), self._table, len(texts))
        return {name: (found & bit) != 0 for name, bit in self._bits.items()}


def code_points(texts: Sequence[str]) -> NDArray[np.uint32]:
    """The code points of some documents with a SEPARATOR after each but the last."""
    return np.frombuffer(SEPARATOR.join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@kernel
def _find(points: NDArray[np.uint32], table: NDArray[np.int32], documents: int) -> NDArray[np.int32]:
    found = np.zeros(documents, dtype=np.int32)
    document, bits = 0, np.int32(0)
    digits = stops = 0
    for at in range(points.size):
        point = points[at]
        if 0x30 <= point <= 0x39:
            digits += 1
            if digits >= _DIGITS or (stops >= _STOPS and digits > stops):
                bits |= 1
        elif point == 0x2E:
            stops += 1
        elif point not in (0x20, 0x09, 0x2D):
            digits = stops = 0
        bits |= table[point]
        if point == 0x1E:
            found[document] = bits
            document, bits = document + 1, np.int32(0)
            digits = stops = 0
    if documents:
        found[document] = bits
    return found


@kernel
def count_different(
    points: NDArray[np.uint32], table: NDArray[np.bool_], documents: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many different characters of a class each document holds, and how many characters it has.

    Args:
        points: shape (C,), as `code_points` gives them.
        table: whether a code point belongs to the class; those behind its end do not.
        documents: D.

    Returns:
        Two of shape (D,).
    """
    different = np.zeros(documents, dtype=np.int64)
    characters = np.zeros(documents, dtype=np.int64)
    seen_in = np.full(table.size, -1, dtype=np.int32)
    document = 0
    for point in points:
        if point == 0x1E:
            document += 1
            continue
        characters[document] += 1
        if point < table.size and table[point] and seen_in[point] != document:
            seen_in[point] = document
            different[document] += 1
    return different, characters
