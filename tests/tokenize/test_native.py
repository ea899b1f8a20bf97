"""A tokenizer.json used as it is, against the tokenizers library; and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.errors import InputError
from siku_tokenize.modelfile import Kind, Model
from siku_tokenize.native import NativeEncoder, read_native
from siku_tokenize.vocabulary import Vocabulary, of_model, open_vocabulary

ByteLevel = dict[str, Any]


@given(texts=st.lists(st.text() | st.sampled_from(["<|end|>", "月<|end|>", "the  the", "明月" * 40]), max_size=6))
def test_ids_are_the_librarys(native: Vocabulary, byte_level: ByteLevel, texts: list[str]) -> None:
    texts = [text for text in texts if not any("\ud800" <= c <= "\udfff" for c in text)]
    ids, lengths = native.encoder.encode_batch(texts)
    reference = tokenizers.Tokenizer.from_str(byte_level["raw"].decode())
    reference.encode_special_tokens = True
    expected = [found.ids for found in reference.encode_batch(texts, add_special_tokens=False)]
    assert lengths.tolist() == [len(found) for found in expected]
    assert ids.tolist() == [i for found in expected for i in found]


def test_what_ids_stand_for(native: Vocabulary) -> None:
    for text in ("床前明月光 the moonlight\n", "龘😀\0é", " a  b "):
        assert b"".join(native.spelled[i] for i in native.encoder.encode(text)).decode() == text
    end = native.encoder.eos
    assert (native.spelled[end], native.kinds[end]) == (b"", Kind.CONTROL)
    assert not native.prefixed
    assert native.kinds[[native.spelled.index(b"\x98")]] == Kind.BYTE


def test_a_gap_between_ids(byte_level: ByteLevel) -> None:
    """Qwen's embedding has rows that no token uses; ids stay what they are."""
    content = json.loads(byte_level["raw"])
    content["model"]["vocab"]["<|far|>"] = 70_000
    content["added_tokens"].append(content["added_tokens"][0] | {"id": 70_000, "content": "<|far|>"})
    encoder = NativeEncoder(json.dumps(content).encode(), config={"eos_token": {"content": "<|far|>"}}, name="far")
    assert (encoder.eos, encoder.vocabulary_size, encoder.dtype) == (70_000, 70_001, "int32")
    assert (encoder.kinds == Kind.UNUSED).sum() == 70_000 - byte_level["size"]


def test_our_own_export_is_read_like_its_model(extended: Model, tmp_path: Path) -> None:
    """Byte fallback and a space before the text, as LLaMA's tokenizer.json has them."""
    from siku_tokenize.export import json_bytes, tokenizer_json

    (tmp_path / "tokenizer.json").write_bytes(json_bytes(tokenizer_json(extended)))
    found, expected = open_vocabulary(tmp_path), of_model(extended)
    assert found.spelled == expected.spelled
    assert found.prefixed
    assert found.kinds.tolist() == [Kind.CONTROL if k == Kind.UNKNOWN else k for k in expected.kinds]
    text = " 明月 the <s> 龘"
    assert found.encoder.encode(text) == expected.encoder.encode(text)


def test_lone_surrogates_are_refused(native: Vocabulary) -> None:
    with pytest.raises(InputError, match="text 1 of 2 has a lone surrogate at character 1"):
        native.encoder.encode_batch(["月", "a\ud800"])


def test_arrow_arrays(native: Vocabulary) -> None:
    assert native.encoder.encode_batch(pa.chunked_array([["明月"], ["", "a"]]))[1].tolist() == [
        len(native.encoder.encode(text)) for text in ("明月", "", "a")
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0", r"tokenizer\.json: not a tokenizer\.json"),
        (b"[]", r"not a tokenizer\.json"),
        (b'{"model": {"type": "WordPiece"}}', "a WordPiece tokenizer of a kind that is not read; give byte-level BPE"),
        (b'{"model": {"type": "BPE"}, "decoder": {"type": "ByteLevel"}}', "the tokenizers library cannot read it"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_vocabulary(tmp_path)


def test_a_wrong_configuration_is_refused(tmp_path: Path, byte_level: ByteLevel) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(byte_level["raw"])
    assert read_native(path).eos == -1
    with pytest.raises(InputError, match=r"eos_token = '</s>' is not in the vocabulary"):
        read_native(path, eos="</s>")
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer_config\.json: not JSON"):
        read_native(path)
    with pytest.raises(InputError, match=r"nowhere\.json: missing"):
        read_native(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="holds neither"):
        open_vocabulary(tmp_path / "..")
