"""Personal data at its boundaries: check digits, longer numbers, decimals, and what is nobody's."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from siku_corpus.normalize import normalize
from siku_corpus.private import PRIVATE, hide, is_bank_card, is_id_number
from siku_corpus.profiles import behaviour
from siku_manifests.sections import Filter, Normalize


def replaced(text: str) -> str:
    return normalize([text], PRIVATE).texts[0]


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("id_number", "证号11010519491231002X。", "证号[ID_NUMBER]。"),
        ("id_number", "440524188001010014,", "[ID_NUMBER],"),
        ("id_number", "110105194912310021", "110105194912310021"),  # its check digit is X
        ("id_number", "11010519491331002X", "11010519491331002X"),  # there is no 13th month
        ("id_number", "111010519491231002X", "111010519491231002X"),
        ("id_number", "4405241880010100140", "4405241880010100140"),
        ("bank_card", "卡号4111111111111111，", "卡号[BANK_CARD]，"),
        ("bank_card", "4111 1111 1111 1111", "[BANK_CARD]"),
        ("bank_card", "6222-0212-3456-7890-128", "[BANK_CARD]"),
        ("bank_card", "4111111111111112", "4111111111111112"),
        ("bank_card", "41111111111111110", "41111111111111110"),
        ("bank_card", "0.4111111111111111", "0.4111111111111111"),
        ("bank_card", "1111111111111117", "1111111111111117"),  # no issuer of bank cards
        ("mobile", "电话13800138000。", "电话[MOBILE]。"),
        ("mobile", "+8613800138000 138 0013 8000 138-0013-8000", "[MOBILE] [MOBILE] [MOBILE]"),
        ("mobile", "13800138000 19912345678", "[MOBILE] [MOBILE]"),
        ("mobile", "12800138000", "12800138000"),
        ("mobile", "138001380001", "138001380001"),
        ("mobile", "013800138000", "013800138000"),
        ("mobile", "3.13800138000", "3.13800138000"),
        ("mobile", "1380013800", "1380013800"),
        ("mobile", "010-62551234", "010-62551234"),
        ("email", "写信到zhang.san+a@mail.163.com吧", "写信到[EMAIL]吧"),
        ("email", "a@b.cn", "[EMAIL]"),
        ("email", "user@example.com root@localhost x@a.test", "user@example.com root@localhost x@a.test"),
        ("email", "@某人 a@b @decorator.name", "@某人 a@b @decorator.name"),
        ("ip_address", "来自121.14.1.190的网友", "来自[IP_ADDRESS]的网友"),
        ("ip_address", "127.0.0.1 192.168.1.100 10.0.0.255", "127.0.0.1 192.168.1.100 10.0.0.255"),
        ("ip_address", "300.14.1.190 121.14.1.190.5 v121.14.1.190", "300.14.1.190 121.14.1.190.5 v121.14.1.190"),
        ("ip_address", "section-5.2.2.2, 2.1.13.2", "section-5.2.2.2, 2.1.13.2"),
    ],
)
def test_a_kind_of_personal_data_at_its_boundary(rule: str, before: str, after: str) -> None:
    assert replaced(before) == after
    assert normalize([before], [rule]).texts == [after]


def test_every_kind_is_counted_and_its_example_hides_it() -> None:
    text = "张三，11010519491231002X，4111111111111111，13800138000，a@b.cn，121.14.1.190"
    found = normalize([text], PRIVATE)
    assert found.counts == dict.fromkeys(PRIVATE, 1)
    for name, (before, after) in found.examples.items():
        assert f"[{name.upper()}]" in after
        assert "*" in before
    assert "11010519491231002X" not in "".join(before for before, _ in found.examples.values())


def test_an_example_of_another_rule_hides_it_too() -> None:
    assert (
        hide("电话１３８００１３８０００，zhang.san@163.com 400-123") == "电话１３８********，z********@163.com 400-123"
    )


def test_wide_digits_and_odd_spaces_hide_nothing() -> None:
    rules = behaviour("modern", Normalize(), Filter()).rules
    before = [
        "电话：１３８００１３８０００",
        "电话：138\u3000\u30000013\u00a08000",
        "信箱zhang＠163.com",
        "信箱a&#64;b.cn",
    ]
    assert normalize(before, rules).texts == ["电话：[MOBILE]", "电话：[MOBILE]", "信箱[EMAIL]", "信箱[EMAIL]"]


@pytest.mark.parametrize(
    ("profile", "on"), [("modern", True), ("english", True), ("poetry", False), ("classical", False)]
)
def test_a_recipe_may_turn_it_on_and_off(profile: str, on: bool) -> None:
    def rules(**private: str) -> frozenset[str]:
        return behaviour(profile, Normalize(private=private), Filter()).rules  # type: ignore[arg-type]

    assert (set(PRIVATE) <= rules()) is on
    assert set(PRIVATE) <= rules(**{profile: "replace"})
    assert not set(PRIVATE) & rules(**{profile: "keep"})


def luhn(digits: str) -> str:
    """The check digit, by adding the digits' digits."""
    total = sum(
        sum(map(int, str(int(digit) * (2 if place % 2 == 0 else 1)))) for place, digit in enumerate(digits[::-1])
    )
    return str(-total % 10)


@given(st.integers(0, 10**6))
def test_check_digits_are_those_of_the_standards(seed: int) -> None:
    chance = random.Random(seed)
    body = chance.choice("3456") + "".join(chance.choices("0123456789", k=chance.randint(14, 17)))
    assert [digit for digit in "0123456789" if is_bank_card(body + digit)] == [luhn(body)]
    day = date(1930, 1, 1) + timedelta(days=chance.randint(0, 30_000))
    front = f"{chance.randint(11, 65)}0101{day:%Y%m%d}{chance.randint(0, 999):03}"
    # ISO 7064, MOD 11-2: the whole number is 1 modulo 11, read with weights 2 ** place.
    whole = [sum(int(digit) << (17 - place) for place, digit in enumerate(front)) + value for value in range(11)]
    right = whole.index(next(number for number in whole if number % 11 == 1))
    assert [check for check in "0123456789X" if is_id_number(front + check)] == ["X" if right == 10 else str(right)]


pieces = st.one_of(
    st.sampled_from(["13800138000", "11010519491231002X", "4111111111111111", "4111 1111 1111 1111", "a@b.cn", "@",
                     "138-0013-8000", "138 0013 8000",
                     "121.14.1.190", "8.8.8.8", "+86", "zhang", ".", "-", " ", "  ", "X"]),
    st.text("0123456789. -X中a@", max_size=6),
)  # fmt: skip


@given(st.lists(pieces, max_size=8).map("".join))
@example("13800138000 138-0013-8000")
@example("a@b.com13800138000")
@example("4111 1111 1111 1111 138-0013-8000")
@example("11010519491231002X13800138000")
@example("121.14.1.190.13800138000")
def test_what_is_replaced_once_stays(text: str) -> None:
    once = replaced(text)
    assert replaced(once) == once
    assert not [name for name in PRIVATE if normalize([once], [name]).counts]


def test_a_long_run_without_an_end_is_read_once() -> None:
    for text in ("a" * 200_000 + "@", "1" * 200_000, "1." * 100_000, "a.b@" * 50_000, "1 " * 100_000):
        assert len(replaced(text)) <= len(text) + 20
