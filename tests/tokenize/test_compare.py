"""`siku tokenizer compare` through the command, against counting by sentencepiece and tokenizers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
import tokenizers
from click.testing import CliRunner, Result

from siku_manifests.command import cli
from siku_manifests.errors import SikuError
from siku_tokenize.compare import comparison_lines
from siku_tokenize.modelfile import Model, extend_model, parse_model
from siku_tokenize.standing import Comparison, compare_standings
from siku_tokenize.vocabulary import of_model, of_native

TEXTS = ["床前明月光，疑是地上霜。", "The moonlight\nbefore my bed\n明月", "", "龘\u2581 frost"]


@pytest.fixture
def files(tmp_path: Path, tiny: Model, extended: Model, byte_level: dict[str, Any]) -> Path:
    """Three tokenizers and the same documents in every form."""
    (tmp_path / "base.model").write_bytes(tiny.raw)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "tokenizer.model").write_bytes(extended.raw)
    (tmp_path / "native.json").write_bytes(byte_level["raw"])
    folder = tmp_path / "text"
    folder.mkdir()
    pq.write_table(pa.table({"text": [*TEXTS, None], "n": range(5)}), folder / "shard-00000.parquet")
    records = [{"text": text} for text in TEXTS]
    (folder / "lines.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    (folder / "array.json").write_text(f" {json.dumps(records, ensure_ascii=False)}", encoding="utf-8")
    (folder / "packed-00001.jsonl.gz").write_bytes(gzip.compress((folder / "lines.jsonl").read_bytes()))
    (folder / "plain.txt").write_text("\ufeff床前明月光\r\n\n  \nfrost", encoding="utf-8")
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["tokenizer", "compare", *map(str, arguments)], catch_exceptions=True)


def test_everything_is_counted_as_the_references_count(files: Path, tiny: Model, extended: Model) -> None:
    tokenizers_ = [files / name for name in ("base.model", "ours", "native.json")]
    result = run(*tokenizers_, "--text", files / "text", "--json")
    assert result.exit_code == 0, result.output
    found = msgspec.json.decode(result.stdout, type=Comparison)
    assert [standing.name for standing in found.standings] == ["base.model", "ours", "native.json"]
    encoders = [sentencepiece.SentencePieceProcessor(model_proto=model.raw) for model in (tiny, extended)]
    library = tokenizers.Tokenizer.from_file(str(files / "native.json"))
    counts = [
        sum(map(len, encoders[0].encode(TEXTS))),
        sum(map(len, encoders[1].encode(TEXTS))),
        sum(len(library.encode(text).ids) for text in TEXTS),
    ]
    for source in ("shard", "lines", "array", "packed"):
        tallies = found.tallies(source)
        assert [tally.tokens for tally in tallies] == counts
        assert {tally.documents for tally in tallies} == {4}
        assert {tally.characters for tally in tallies} == {sum(map(len, TEXTS))}
        assert [tally.broken for tally in tallies] == [1, 1, 0]
        assert [tally.changed_lines for tally in tallies] == [0, 0, 2]
    assert found.tallies("plain")[0].documents == 2
    ours = found.standings[1]
    assert (ours.new, ours.new_unreachable) == (len(extended.pieces) - len(tiny.pieces), 0)
    assert ours.unused == sum(reference_unused(encoders[1], [*TEXTS * 4, "床前明月光", "frost"], extended))
    assert [segments.tokens for segments in ours.segments] == [
        len(encoders[1].encode(text)) for text, _ in found.examples
    ]


def reference_unused(encoder: Any, texts: list[str], model: Model) -> list[bool]:
    used = {i for ids in encoder.encode(texts) for i in ids}
    special = (encoder.is_byte, encoder.is_control, encoder.is_unknown)
    return [i not in used and not any(is_(i) for is_ in special) for i in range(len(model.pieces))]


def test_a_table_and_a_page(files: Path) -> None:
    pair = (files / "base.model", files / "ours", "--text", files / "text" / "plain.txt")
    result = run(*pair, "--example", "明月<b>\x1b[31m", "--html", files / "page.html")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "plain: 2 documents, 10 characters, 20 bytes"
    assert lines[1].split()[:3] == ["tokens", "a", "character"]
    assert "明月│" in result.stdout
    assert "\x1b" not in result.stdout
    page = (files / "page.html").read_text(encoding="utf-8")
    assert "Tokens for the same text" in page
    assert "<b>" not in page
    assert "base.model" in page
    run(*pair, "--example", "明月<b>\x1b[31m", "--html", files / "again.html")
    assert (files / "again.html").read_bytes() == (files / "page.html").read_bytes()
    run(files / "base.model", "--text", files / "text" / "plain.txt", "--html", files / "one.html")
    assert "Tokens for the same text" in (files / "one.html").read_text(encoding="utf-8")


def test_reach_is_asked_of_the_encoder(tiny: Model, byte_level: dict[str, Any]) -> None:
    """Two merges of equal score: the second of three characters is never made. Of a native one, the library says."""
    from siku_tokenize.modelfile import Piece
    from siku_tokenize.native import NativeEncoder
    from siku_tokenize.prove import unreachable
    from siku_tokenize.standing import unreachable_pieces

    model = extend_model(tiny, [Piece(text, -900.0) for text in ("看月", "看月亮们", "亮们")])
    lost = unreachable_pieces(of_model(model))
    assert [model.pieces[i].text for i in lost if i >= len(tiny.pieces)] == unreachable(model, first=len(tiny.pieces))
    native = of_native(NativeEncoder(byte_level["raw"], config={}, name="n"), name="n")
    library = tokenizers.Tokenizer.from_str(byte_level["raw"].decode())
    expected = [
        i
        for i, spelled in enumerate(native.spelled)
        if native.kinds[i] == 1 and library.encode(spelled.decode(), add_special_tokens=False).ids != [i]
    ]
    assert unreachable_pieces(native).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.model", "--text", "text"], "nowhere.model: missing; give the path of a SentencePiece .model file"),
        (["nowhere", "--text", "text"], "nowhere: no such file, and no recipe of that name; give the path"),
        (["base.model", "--text", "nowhere"], "nowhere: no such file, and no recipe of that name"),
        (["text", "--text", "text"], "holds neither tokenizer.model nor tokenizer.json"),
        (["base.model", "--text", "ours"], "ours: holds no text; give a file"),
        (["base.model", "--text", "bad/latin.txt"], "latin.txt line 2: byte 1 is not UTF-8"),
        (["base.model", "--text", "bad/cut.jsonl"], "cut.jsonl line 2: not JSON"),
        (
            ["base.model", "--text", "bad/field.jsonl"],
            "field.jsonl line 1: has no text in a field 'text'; name it with",
        ),
        (["base.model", "--text", "bad/cut.parquet"], "cut.parquet: cannot be read as Parquet"),
        (["base.model", "--text", "text/shard-00000.parquet", "--column", "x"], "no column 'x'; name one of text, n"),
        (["base.model", "--text", "bad/cut.txt.gz"], "cut.txt.gz: cannot be read"),
        (["base.model", "--text", "bad/empty.txt"], "no text inside; give files with at least one document"),
        (["base.model", "--text", "bad/surrogate.json"], "surrogate.json line 1: not JSON"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    files: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    bad = files / "bad"
    bad.mkdir()
    (bad / "latin.txt").write_bytes(b"a\nb\xe9\n")
    (bad / "cut.jsonl").write_bytes(b'{"text": "a"}\n{"text": ')
    (bad / "field.jsonl").write_bytes(b'{"content": "a"}\n')
    (bad / "cut.txt.gz").write_bytes(gzip.compress(b"moon" * 99)[:-9])
    (bad / "cut.parquet").write_bytes((files / "text" / "shard-00000.parquet").read_bytes()[:-9])
    (bad / "empty.txt").write_bytes(b"\n \n")
    (bad / "surrogate.json").write_bytes(b'{"text": "\\ud800"}')
    monkeypatch.chdir(files)
    result = run(*arguments)
    assert isinstance(result.exception, SikuError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert result.exception.exit_status == 2


def test_a_recipe_gives_its_base(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '[[source]]\nname = "a"\nformat = "lines"\nwhere = "text"\nlicense = "CC0-1.0"\nprofile = "modern"\n'
    (files / "recipe.toml").write_text(f'{source}[tokenizer]\nbase = "base.model"\n', encoding="utf-8")
    monkeypatch.chdir(files)
    result = run("recipe.toml:base", "--text", "text/plain.txt", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["standings"][0]["name"] == "recipe.toml:base"
    monkeypatch.chdir(files / "text")
    (files / "text" / "manifests" / "mine" / "text").mkdir(parents=True)
    (files / "text" / "manifests" / "mine" / "text" / "a.txt").write_text("明月\n", encoding="utf-8")
    (files / "recipe.toml").rename("manifests/mine/recipe.toml")
    result = run("mine", "--text", "plain.txt")
    assert "documents, which is not built" in str(result.exception)


def test_the_model_to_beat(shared_data: Path, shared_tokenizers: Path, alpaca: Model, tmp_path: Path) -> None:
    """Chinese-LLaMA-Alpaca-2 on news, its first 32,000 pieces being LLaMA-2's."""
    base = cut(alpaca, 32_000)
    (tmp_path / "llama2.model").write_bytes(base.raw)
    result = run(
        tmp_path / "llama2.model",
        shared_tokenizers / "chinese-llama-alpaca-2.model",
        *("--text", shared_data / "cnews" / "cnews.val.txt", "--json"),
    )
    assert result.exit_code == 0, result.output
    found = msgspec.json.decode(result.stdout, type=Comparison)
    before, after = found.tallies("cnews.val")
    documents = (shared_data / "cnews" / "cnews.val.txt").read_text(encoding="utf-8").splitlines()
    reference = sentencepiece.SentencePieceProcessor(model_proto=alpaca.raw)
    assert after.tokens == sum(map(len, reference.encode(documents)))
    assert (round(before.per_character, 3), round(after.per_character, 3)) == (1.441, 0.654)
    assert (found.standings[1].new, found.standings[1].new_unreachable) == (23_296, 657)
    assert comparison_lines(found)[0].startswith("cnews.val: 700 documents")


def cut(model: Model, count: int) -> Model:
    """The first pieces of a model: fields with tag 0x0A and a size of one or two bytes, one behind the other."""
    at, ends = 0, [0]
    while model.raw[at] == 0x0A:
        size, head = model.raw[at + 1], 2
        if size >= 0x80:
            size, head = size & 0x7F | model.raw[at + 2] << 7, 3
        at += head + size
        ends.append(at)
    found = parse_model(model.raw[: ends[count]] + model.raw[at:])
    assert found.pieces == model.pieces[:count]
    return found


def test_one_vocabulary_alone(tiny: Model) -> None:
    vocabulary = of_model(tiny, name="tiny")
    found = compare_standings([vocabulary], {}, [pa.array([0] * len(vocabulary)).to_numpy()])
    assert found.sources == []
    assert found.standings[0].whole.tokens == 0
