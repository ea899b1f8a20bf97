"""Bytes of a text file to str: the encoding is declared by a byte-order mark, or found by strict trial."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO

from siku_manifests.errors import RecipeError

_BIG5 = "big5hkscs"
"""Big5 with what Hong Kong added; Microsoft's cp950 differs from it in lines for tables only."""
_PAIR = re.compile(rb"[\x81-\xfe](?s:.)")
_BIG5_PAIRS = 8
_BIG5_LOW_SHARE = 0.15
_BLOCK_BYTES = 64 << 10
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def find_encoding(sample: bytes) -> str:
    """Name the encoding of Chinese or English text from its first bytes.

    A byte-order mark decides; otherwise UTF-8 if the sample is valid UTF-8 (a character cut at its end is
    forgiven), otherwise Big5 or GB18030, of which GB2312 and GBK are subsets. Nearly all Big5 is valid GB18030, too;
    but a third of Big5's second bytes are ASCII, which those of GB2312 never are, and where those of GBK are, others
    of them are 80 to A0, which Big5 has not.

    Example:
        find_encoding("四库".encode("gbk")) -> "gb18030"
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if _is_valid(sample, "utf-8"):
        return "utf-8"
    return _BIG5 if _looks_like_big5(sample) else "gb18030"


def _is_valid(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _looks_like_big5(sample: bytes) -> bool:
    pairs = _PAIR.findall(sample)
    low = sum(pair[1] < 0x7F for pair in pairs)
    return len(pairs) >= _BIG5_PAIRS and low > _BIG5_LOW_SHARE * len(pairs) and _is_valid(sample, _BIG5)


def check_encoding(name: str) -> None:
    """See that Python knows an encoding that a recipe declares.

    Raises:
        RecipeError: it does not.
    """
    try:
        codecs.lookup(name)
    except LookupError as error:
        msg = f"encoding = {name!r} is unknown; say for example 'big5', 'gb18030' or 'utf-16'."
        raise RecipeError(msg) from error


class Transcoded(io.RawIOBase):
    """A stream of text in some encoding as UTF-8; bytes that are no text become U+FFFD, which the filters count."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._ready = b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with UTF-8; gives how many bytes, 0 at the end."""
        while not self._ready:
            block = self._stream.read(_BLOCK_BYTES)
            self._ready = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
            if not block:
                break
        taken = min(len(buffer), len(self._ready))
        buffer[:taken], self._ready = self._ready[:taken], self._ready[taken:]
        return taken

    def close(self) -> None:
        """Close the stream below, too."""
        self._stream.close()
        super().close()


def decode(data: bytes) -> str:
    """The text of a whole file, its byte-order mark left off.

    Raises:
        UnicodeDecodeError: it is in none of the encodings that `find_encoding` knows.
    """
    return data.decode(find_encoding(data)).removeprefix("\ufeff")
