"""Private-use code points that GBK used for characters which Unicode has since taken in.

Text that once passed through GBK or GB18030-2000 still holds them, and no font shows them. GBK kept its last
80 characters (FE50 to FEA0) at U+E815 to U+E864; all but fourteen are in GB18030's table as Python has it,
those fourteen came with GB18030-2005 and -2022, as did the vertical punctuation.
"""

from __future__ import annotations

_GBK_FIRST = 0xE815
_GBK_COUNT = 80
_LATER = {
    0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6,
    0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F, 0xE843: 0x9FB9, 0xE854: 0x9FBA,
    0xE855: 0x241FE, 0xE864: 0x9FBB,
    0xE78D: 0xFE10, 0xE78E: 0xFE12, 0xE78F: 0xFE11, 0xE790: 0xFE13, 0xE791: 0xFE14, 0xE792: 0xFE15,
    0xE793: 0xFE16, 0xE794: 0xFE17, 0xE795: 0xFE18, 0xE796: 0xFE19,
    0xE7C7: 0x1E3F, 0xE7C8: 0x01F9,
}  # fmt: skip


def _gbk_table() -> dict[int, int]:
    table = {}
    for index in range(_GBK_COUNT):
        trail = 0x50 + index
        trail += trail >= 0x7F  # no GBK byte is DEL
        table[_GBK_FIRST + index] = ord(bytes((0xFE, trail)).decode("gb18030"))
    return table


PRIVATE_USE: dict[str, str] = {
    chr(private): chr(public)
    for private, public in sorted((_gbk_table() | _LATER).items())
    if not 0xE000 <= public < 0xF900
}
"""Private-use character -> the Unicode character it stood for."""
