"""Personal data: what names one person is replaced by what kind of thing it was, [MOBILE] or [EMAIL].

    id_number   18 digits of a resident's identity card: a date that can be, and the check digit of GB 11643
    bank_card   16 to 19 digits of a card, also in fours, of the issuers 3 to 6 of ISO/IEC 7812, with Luhn's check digit
    mobile      a mobile number of the mainland, 1[3-9] and nine digits, also grouped 3-4-4 and with +86
    email       an address with @, but not one of the domains that RFC 2606 keeps for examples
    ip_address  an IPv4 address of the public internet; 127.0.0.1 and 192.168.1.1 are nobody's

A number counts only if no further digit stands at it. Identity cards of 15 digits have no check digit and are left, as
are numbers of offices (010-6255 1234), which are no person's. Examples for the report show the first characters only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date

from siku_corpus.rewriting import Applied, stretch
from siku_corpus.survey import NUMBERS

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_CARD_DIGITS = range(16, 20)
_LOCAL_PART = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_FREE_DOMAINS = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org|edu)|(?:example|invalid|test|localhost|local))\Z", re.I)
_SHOWN = 3
_LONG_NUMBER = re.compile(r"(\d{3})\d{4,}")
_BEFORE_AT = re.compile(r"([\w.+-])[\w.+-]+(?=[@＠])", re.ASCII)


def is_id_number(number: str) -> bool:
    """Whether 18 characters are the number of a resident's identity card.

    Example:
        is_id_number("11010519491231002X") -> True

    Source: GB 11643-1999, whose own example this is; check digit by ISO 7064, MOD 11-2.
    """
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _ID_WEIGHTS, strict=True))
    return number[0] != "0" and _ID_CHECKS[total % 11] == number[17].upper()


def is_bank_card(number: str) -> bool:
    """Whether some digits are the number of a bank card.

    Example:
        is_bank_card("4111111111111111") -> True

    Source: ISO/IEC 7812-1, annex B (Luhn 1960).
    """
    if len(number) not in _CARD_DIGITS or number[0] not in "3456":
        return False
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) << (place & 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_public_address(address: str) -> bool:
    """Whether four numbers with full stops between them are an address of the public internet.

    One of them must have three digits, as in 98 of 100 addresses: 5.2.2.2 and 2.1.13.2 are sections and versions.
    """
    if max(map(len, address.split("."))) < 3:
        return False
    try:
        return ipaddress.IPv4Address(address).is_global
    except ValueError:
        return False


def hide(text: str) -> str:
    """A text for people in which no long number and no e-mail address can be read.

    Example:
        hide("电话13800138000，zhang@163.com") -> "电话138********，z****@163.com"
    """
    return _LONG_NUMBER.sub(_stars, _BEFORE_AT.sub(_stars, text))


def _stars(match: re.Match[str]) -> str:
    return match[1] + "*" * (len(match[0]) - len(match[1]))


def _replace(name: str, pattern: str, private_part: Callable[[str], str]) -> Callable[[str], Applied]:
    """A rule that puts a placeholder for the beginning of each match that is private.

    A pattern begins with a class of characters, and looks behind it after that: so `re` jumps from digit to digit.
    """
    compiled = re.compile(pattern, re.ASCII)

    def rule(text: str) -> Applied:
        found = ((match.start(), private_part(match[0])) for match in compiled.finditer(text))
        return _put(text, [(start, start + len(part)) for start, part in found if part], name)

    return rule


def _put(text: str, spans: list[tuple[int, int]], name: str) -> Applied:
    if not spans:
        return Applied(text, 0)
    placeholder = f"[{name.upper()}]"
    pieces, end = [], 0
    for first, last in spans:
        pieces += [text[end:first], placeholder]
        end = last
    first, last = spans[0]
    around = stretch(text, first, last)
    hidden = around.replace(text[first:last], text[first : first + _SHOWN] + "*" * (last - first - _SHOWN))
    return Applied("".join([*pieces, text[end:]]), len(spans), (hidden, around.replace(text[first:last], placeholder)))


_DOMAIN = re.compile(r"@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24})(?![A-Za-z-])")


def _replace_emails(text: str) -> Applied:
    """Found by their @: what may stand before it is looked for backwards, so no long run of letters is read twice."""
    spans = []
    for domain in _DOMAIN.finditer(text):
        local = _LOCAL_PART.search(text, max(0, domain.start() - 64), domain.start())
        if local is not None and not _FREE_DOMAINS.search(domain[1]):
            spans.append((local.start(), domain.end()))
    return _put(text, spans, "email")


_ENDS = r"(?!\.?\d)"
"""No digit stands at it, and it is no part of a decimal number."""


def _card_part(number: str) -> str:
    """A card's number, or that of sixteen digits which a shorter number follows; nothing if neither is a card's."""
    for part in (number, number[:-4] if number[-4] in " -" else ""):
        if is_bank_card(part.replace(" ", "").replace("-", "")):
            return part
    return ""


PRIVATE: dict[str, Callable[[str], Applied]] = {
    "email": _replace_emails,
    "id_number": _replace(
        "id_number",
        rf"\d(?<!\d\d)(?<!\d\.\d)\d{{16}}(?:[Xx]|\d{_ENDS})",
        lambda number: number if is_id_number(number) else "",
    ),
    "bank_card": _replace(
        "bank_card",
        rf"[3-6](?<!\d\d)(?<!\d\.\d)(?:\d{{15,18}}|\d{{3}}(?:[ -]\d{{4}}){{3}}(?:[ -]\d{{3}})?){_ENDS}",
        _card_part,
    ),
    "mobile": _replace(
        "mobile",
        rf"[+1](?:(?<=\+)86[ -]?1|(?<!\d1)(?<!\d\.1)(?<!\+))[3-9]\d(?:\d{{8}}|[ -]\d{{4}}[ -]\d{{4}}){_ENDS}",
        lambda number: number,
    ),
    "ip_address": _replace(
        "ip_address",
        rf"\d(?<![\dvV.]\d)\d{{0,2}}(?:\.\d{{1,3}}){{3}}{_ENDS}",
        lambda address: address if is_public_address(address) else "",
    ),
}
"""Rules of normalization, in their order: a number inside an e-mail address is part of it."""

WAITS_FOR = {"email": "@", **dict.fromkeys(("id_number", "bank_card", "mobile", "ip_address"), NUMBERS)}
"""The character, or the class of a survey, without which a rule cannot match."""
