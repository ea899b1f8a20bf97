"""The encoder against sentencepiece: equal ids on everything, hostile text included."""

from __future__ import annotations

import functools
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siku_manifests.errors import InputError
from siku_tokenize import Encoder
from siku_tokenize.modelfile import Kind, Model, Piece, extend_model, read_model
from siku_tokenize.trial import differences, piece_lines

MODELS = ["tiny", "extended", "mistral", "alpaca"]
PIECES = "的一是中国人民共和明月，。、 \u2581\u3000\t\n\0<s>/unk0xA é龘😀𠀀\u0301\ufeffabcdefgh_=()"
HOSTILE = (
    st.text() | st.text(PIECES) | st.lists(st.sampled_from(["  ", "<s>", "</s>", "<0x0A>", "中国", "aa"])).map("".join)
)


@functools.cache
def reference(raw: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=raw)


@functools.cache
def encoder(model: Model) -> Encoder:
    return Encoder(model)


@pytest.mark.parametrize("name", MODELS)
def test_hostile_text(name: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(name)
    assert encoder(model).reason == ""

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(HOSTILE, max_size=8))
    def equal(texts: list[str]) -> None:
        ids, lengths = encoder(model).encode_batch(texts)
        expected = reference(model.raw).encode(texts)
        assert lengths.tolist() == [len(want) for want in expected]
        assert ids.tolist() == [i for want in expected for i in want]

    equal()


@pytest.mark.parametrize("name", MODELS)
def test_runs_of_one_character(name: str, request: pytest.FixtureRequest) -> None:
    """Short and long segments meet at 64 symbols; runs of spaces have pieces of equal score in LLaMA's vocabulary."""
    model: Model = request.getfixturevalue(name)
    texts = [
        unit * n for unit in (" ", "a", "的", "ab ", "=", "\n", "中国人民") for n in (*range(1, 20), 63, 64, 65, 130)
    ]
    assert [encoder(model).encode(text) for text in texts] == reference(model.raw).encode(texts)


def test_a_long_document_of_one_letter_takes_no_quadratic_time(mistral: Model) -> None:
    text = "a" * 200_000 + "中国" * 50_000
    assert encoder(mistral).encode(text) == reference(mistral.raw).encode(text)


def test_remembered_words_are_told_apart(mistral: Model) -> None:
    """A word at the start of a document has a space in front that its bytes do not show; rows are few."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(2, 7))) for _ in range(12_000)]
    texts = [text for word in words for text in (word, f"\n{word}", f" {word}", f"{word}的{word}\u2581{word}")]
    ids, lengths = encoder(mistral).encode_batch(texts)
    expected = reference(mistral.raw).encode(texts)
    assert lengths.tolist() == [len(want) for want in expected]
    assert ids.tolist() == [i for want in expected for i in want]


def test_real_lines(mistral: Model, alpaca: Model, shared_data: Path) -> None:
    lines = (shared_data / "cnews" / "cnews.val.txt").read_text(encoding="utf-8").splitlines()[:200]
    for model in (mistral, alpaca):
        ids, lengths = encoder(model).encode_batch(lines)
        expected = reference(model.raw).encode(lines)
        assert lengths.tolist() == [len(want) for want in expected]
        assert ids.tolist() == [i for want in expected for i in want]


def test_decoding_gives_the_text_back(extended: Model) -> None:
    for text in ("床前明月光", " a  b ", "龘<s>😀\n\0", "", "中华人民共和国 is  here"):
        assert reference(extended.raw).decode(encoder(extended).encode(text)) == text


def test_arrow_arrays_of_every_shape(tiny: Model) -> None:
    texts = ["明月", "", "a b", "的"]
    whole = encoder(tiny).encode_batch(texts)
    shapes = [
        pa.array(texts),
        pa.array(texts, pa.large_string()),
        pa.chunked_array([texts[:1], texts[1:]]),
        pa.array(["x", *texts, "y"]).slice(1, 4),
    ]
    for array in shapes:
        ids, lengths = encoder(tiny).encode_batch(array)
        assert ids.tolist() == whole[0].tolist()
        assert lengths.tolist() == whole[1].tolist()
    for nothing in ([], pa.array([], pa.string()), pa.chunked_array([], pa.string())):
        ids, lengths = encoder(tiny).encode_batch(nothing)
        assert (len(ids), len(lengths)) == (0, 0)


def test_lone_surrogates_and_nulls_are_refused_clearly(tiny: Model) -> None:
    with pytest.raises(InputError, match="text 1 of 2 has a lone surrogate at character 2"):
        encoder(tiny).encode_batch(["fine", "ab\ud800"])
    with pytest.raises(InputError, match="1 of 2 texts are null"):
        encoder(tiny).encode_batch(pa.array(["fine", None]))


def test_threads_give_the_same(mistral: Model) -> None:
    texts = [f"第{i}句：白日依山尽，hello world {i}" for i in range(500)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(encoder(mistral).encode, texts))
    assert found == reference(mistral.raw).encode(texts)


def test_models_that_cannot_be_proved_go_to_sentencepiece(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["abc abd", "的一是"] * 9),
        model_prefix=str(tmp_path / "m"),
        model_type="unigram",
        vocab_size=30,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = read_model(tmp_path / "m.model")
    assert encoder(model).reason == "it is not a BPE model"
    texts = ["abc 的一", "", "x"]
    ids, lengths = encoder(model).encode_batch(texts)
    expected = reference(model.raw).encode(texts)
    assert ids.tolist() == [i for want in expected for i in want]
    assert lengths.tolist() == [len(want) for want in expected]


def test_user_defined_pieces_go_to_sentencepiece(tiny: Model) -> None:
    model = extend_model(tiny, [Piece("<turn>", 0.0, Kind.USER_DEFINED)])
    assert Encoder(model).reason == "it has user-defined or unused pieces"
    assert Encoder(model).encode("a<turn>b") == reference(model.raw).encode("a<turn>b")


def test_a_model_is_tried_when_it_is_opened(
    tiny: Model, extended: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the rules let through by mistake is found by trying; a proof beside the model spares the trial."""
    path = tmp_path / "tokenizer.model"
    path.write_bytes(extended.raw)
    assert Encoder.load(path).reason == ""
    odd = extend_model(tiny, [Piece("中国", 0.0, Kind.USER_DEFINED)])
    path.write_bytes(odd.raw)
    monkeypatch.setattr("siku_tokenize.encode.why_not_exact", lambda model: "")
    opened = Encoder.load(tmp_path)
    assert opened.reason == "it gave other ids than sentencepiece when it was tried"
    assert opened.encode("中国人") == reference(odd.raw).encode("中国人")
    (tmp_path / "proof.json").write_text('{"encoder_differences": 0}')
    assert Encoder.load(str(path)).reason == ""
    (tmp_path / "proof.json").write_text("{}")
    with pytest.raises(InputError, match=r"proof\.json: damaged"):
        Encoder.load(path)


@pytest.mark.parametrize("name", MODELS)
def test_pieces_side_by_side(name: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(name)
    lines = piece_lines(model, 1500, seed=9)
    assert differences(encoder(model), lines, reference(model.raw).encode(lines)) == []


def test_a_vocabulary_decides_the_width_of_ids(tiny: Model) -> None:
    assert Encoder(tiny).dtype == np.uint16
    many = [Piece(chr(0x20000 + i // 300) + chr(0x21000 + i % 300), -9000.0 - i) for i in range(65_536)]
    wide = Encoder(extend_model(tiny, many))
    assert wide.dtype == np.int32
    assert wide.encode(many[-1].text)[-1] == len(tiny.pieces) + 65_535


def test_control_ids(mistral: Model) -> None:
    assert (encoder(mistral).bos, encoder(mistral).eos) == (1, 2)
    assert not {1, 2} & set(encoder(mistral).encode("<s>a</s>"))


def test_the_documented_examples_run(extended: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "tokenizer.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "tokenizer.model").write_bytes(extended.raw)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    assert names["ids"]
    assert len(names["inputs_and_last_label"]) == 17  # type: ignore[arg-type]
