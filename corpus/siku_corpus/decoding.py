"""Bytes of a text file to str: the encoding is declared by a byte-order mark, or found by strict trial."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def find_encoding(sample: bytes) -> str:
    """Name the encoding of Chinese or English text from its first bytes.

    A byte-order mark decides; otherwise UTF-8 if the sample is valid UTF-8 (a character cut at its end is
    forgiven), otherwise GB18030, of which GB2312 and GBK are subsets. Big5 cannot be told from it by
    validity, so it has to be declared.

    Example:
        find_encoding("四库".encode("gbk")) -> "gb18030"
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def decode(data: bytes) -> str:
    """The text of a whole file, its byte-order mark left off.

    Raises:
        UnicodeDecodeError: it is in none of the encodings that `find_encoding` knows.
    """
    return data.decode(find_encoding(data)).removeprefix("\ufeff")
