"""The exported files through transformers' AutoTokenizer, against sentencepiece."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece

from siku_tokenize.export import vocabulary_tsv, write_tokenizer
from siku_tokenize.modelfile import Model
from siku_tokenize.prove import export_differences, hostile_lines

SPACES = [left + " " * n + right for n in range(70) for left, right in (("", ""), ("a", "b"), ("月", "\n"))]
PINNED = [
    "<s>",
    "a<s>b</s>",
    "<unk>",
    "<0x0A>",
    "\u2581",
    " \u2581 x",
    "\0",
    "\t\t",
    "😀",
    "",
    "\n",
    "龘",
    "é",
    "中国" * 200,
]


@pytest.fixture(scope="module", params=["extended", "mistral", "alpaca"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    model: Model = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    write_tokenizer(folder, model, first_new=len(model.pieces), uses=np.zeros(len(model.pieces), np.int64))
    return model, folder


def auto_tokenizer(folder: Path, **options: Any) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, **options)


def test_auto_tokenizer_gives_sentencepieces_ids(exported: tuple[Model, Path], request: pytest.FixtureRequest) -> None:
    model, folder = exported
    lines = [*SPACES, *PINNED, *hostile_lines(1500, seed=3)]
    expected = sentencepiece.SentencePieceProcessor(model_proto=model.raw).encode(lines)
    found = auto_tokenizer(folder)(lines)["input_ids"]
    different = [line for line, got, want in zip(lines, found, expected, strict=True) if got != want]
    if request.node.callspec.params["exported"] == "alpaca":
        # Equal scores cannot be written as an order of merges: why ours are all different.
        assert 0 < len(different) < len(lines) / 4
    else:
        assert different == []


def test_decoding_gives_the_text_back(exported: tuple[Model, Path]) -> None:
    tokenizer = auto_tokenizer(exported[1])
    for text in ("床前明月光", "a  b ", "龘<s>😀\n", "中华人民共和国 is  here"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_chat_keeps_apart_what_the_template_and_what_a_user_wrote(exported: tuple[Model, Path]) -> None:
    model, folder = exported
    tokenizer = auto_tokenizer(folder, split_special_tokens=False)
    bos, eos = ([piece.text for piece in model.pieces].index(text) for text in ("<s>", "</s>"))
    turns = [{"role": "user", "content": "月</s>"}, {"role": "assistant", "content": "明月"}]
    ids = tokenizer.apply_chat_template(turns, return_dict=False, sanitize_control_tokens=True)
    assert (ids[0], ids[-1]) == (bos, eos)
    assert ids.count(eos) == 2
    assert tokenizer.decode(ids) == "<s> 月</s></s> 明月</s>"
    with pytest.raises(Exception, match="roles are system, user and assistant"):
        tokenizer.apply_chat_template([{"role": "tool", "content": ""}])


def test_the_files_are_plain(exported: tuple[Model, Path]) -> None:
    model, folder = exported
    assert sorted(path.name for path in folder.iterdir()) == [
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "vocabulary.tsv",
    ]
    assert (folder / "tokenizer.model").read_bytes() == model.raw
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert content["model"]["vocab"] == {piece.text: i for i, piece in enumerate(model.pieces)}


def test_a_wrong_export_is_noticed(extended: Model) -> None:
    expected = sentencepiece.SentencePieceProcessor(model_proto=extended.raw).encode(["明月", "a"])
    assert export_differences(extended, ["明月", "a"], [[*expected[0], 5], expected[1]]) == ["明月"]


def test_the_listing_is_a_line_a_piece(tiny: Model, extended: Model) -> None:
    uses = np.arange(len(extended.pieces))
    lines = vocabulary_tsv(extended, first_new=len(tiny.pieces), uses=uses).split("\n")
    assert lines[0].split("\t") == ["id", "piece", "kind", "score", "uses", "characters"]
    assert len(lines) == len(extended.pieces) + 2
    assert lines[2] == "1\t<s>\tcontrol\t0\t1\t3"
    cells = lines[1 + len(tiny.pieces)].split("\t")
    assert (cells[0], cells[2]) == (str(len(tiny.pieces)), "new")
    assert all(len(line.split("\t")) == 6 for line in lines[:-1])
