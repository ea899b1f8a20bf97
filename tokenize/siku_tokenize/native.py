"""A base model's own tokenizer.json, used as it is: byte-level BPE (Qwen, Llama-3, Falcon) and BPE with byte fallback.

The tokenizers library does the work, so the ids are those that the base model was trained with; there is no
faster way here. Control tokens in a text stay text where the file calls them special; what else it adds
(such as Qwen's `<tool_call>`) is found in text, as the base model's own users find it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.errors import InputError
from siku_tokenize.encode import as_array
from siku_tokenize.modelfile import Kind
from siku_tokenize.tables import SPACE
from siku_tokenize.tokenfile import token_dtype

CONFIG_FILE = "tokenizer_config.json"
BATCH_CHARACTERS = 1 << 20
"""Characters given to the library at once; what it keeps for each token is many times the text."""


class NativeEncoder:
    """Encodes text with a tokenizer.json.

    Attributes:
        dtype: of the ids: uint16 up to 65,536 of them, else int32.
        vocabulary_size: the highest id + 1; ids between that stand for nothing are counted.
        bos, eos: ids of the tokens around a document, -1 for none.
        reason: why our own encoder does not do the work.
        raw, config: as given.
        content: the file, parsed.
        texts: how the file writes each id.

    Args:
        raw: the file's content.
        config: what lies beside it in tokenizer_config.json; `bos_token` and `eos_token` are read.
        name: what an error calls it.

    Raises:
        InputError: not a tokenizer.json, not BPE, or a token of the configuration is not in it.
    """

    reason = "it is a tokenizer.json, which the tokenizers library encodes with"

    def __init__(self, raw: bytes, *, config: dict[str, Any], name: str) -> None:
        import tokenizers  # noqa: PLC0415  (the road without a tokenizer.json does without the library)

        self.raw, self.config = raw, config
        self.content = _parse(raw, name)
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(raw.decode())
        except Exception as error:  # the library raises nothing more precise
            msg = f"{name}: the tokenizers library cannot read it ({error}); give the tokenizer.json of a base model."
            raise InputError(msg) from error
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.texts: dict[int, str] = {i: text for text, i in self._tokenizer.get_vocab(with_added_tokens=True).items()}
        self.vocabulary_size = max(self.texts) + 1
        self.dtype = token_dtype(self.vocabulary_size)
        self.bos, self.eos = (self._control(config.get(key), f"{name}: {key}") for key in ("bos_token", "eos_token"))

    def _control(self, token: Any, where: str) -> int:
        text = token.get("content") if isinstance(token, dict) else token
        if not text:
            return -1
        found = self._tokenizer.token_to_id(text)
        if found is None:
            msg = f"{where} = {text!r} is not in the vocabulary; name one of its control tokens."
            raise InputError(msg)
        return int(found)

    def encode(self, text: str) -> list[int]:
        """Give the ids of one text; no control token is added."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_batch(self, texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Encode many texts; arguments and results as of `Encoder.encode_batch`."""
        array = as_array(texts)
        ids, lengths = [np.empty(0, self.dtype)], np.empty(len(array), np.int64)
        for first, batch in _cut(array):
            found = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            for i, encoding in enumerate(found, first):
                lengths[i] = len(encoding)
                ids.append(np.array(encoding.ids, self.dtype))
        return np.concatenate(ids), lengths

    @functools.cached_property
    def spelled(self) -> tuple[bytes, ...]:
        """UTF-8 bytes that each id stands for, in order of id; none for control tokens and unused ids."""
        read = _read_byte_level if self.is_byte_level else _read_fallback
        controls = {token["content"] for token in self.content["added_tokens"] if token["special"]}
        added = {token["content"] for token in self.content["added_tokens"]}
        texts = (self.texts.get(i, "") for i in range(self.vocabulary_size))
        return tuple(b"" if text in controls else text.encode() if text in added else read(text) for text in texts)

    @functools.cached_property
    def kinds(self) -> NDArray[np.int8]:
        """What each id is for, a `Kind`; BYTE for parts of characters."""
        controls = {token["content"] for token in self.content["added_tokens"] if token["special"]}
        kinds = np.full(self.vocabulary_size, Kind.NORMAL, np.int8)
        for i, spelled in enumerate(self.spelled):
            text = self.texts.get(i)
            if text is None:
                kinds[i] = Kind.UNUSED
            elif text in controls:
                kinds[i] = Kind.CONTROL
            elif not _is_text(spelled) or (not self.is_byte_level and text.startswith("<0x") and len(text) == 6):
                kinds[i] = Kind.BYTE
        return kinds

    @functools.cached_property
    def is_byte_level(self) -> bool:
        """Whether pieces are written in GPT-2's alphabet of bytes."""
        return "ByteLevel" in _decoders(self.content)


def read_native(path: Path, *, eos: str = "") -> NativeEncoder:
    """Open a tokenizer.json with what its neighbour tokenizer_config.json says.

    Args:
        path: the file.
        eos: the token that ends a document, instead of the configuration's.

    Raises:
        InputError: missing, damaged, or of a kind that is not read.
    """
    if not path.is_file():
        msg = f"{path}: missing; give a tokenizer.json, a SentencePiece .model file or a folder with one of them."
        raise InputError(msg)
    config = read_config(path.with_name(CONFIG_FILE)) | ({"eos_token": eos} if eos else {})
    return NativeEncoder(path.read_bytes(), config=config, name=str(path))


def read_config(path: Path) -> dict[str, Any]:
    """Read a tokenizer_config.json; nothing where there is none.

    Raises:
        InputError: it is no JSON object.
    """
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        msg = f"{path}: not JSON ({error}); take the file from the base model again."
        raise InputError(msg) from error
    return config if isinstance(config, dict) else {}


def _parse(raw: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(raw)
        kind = content["model"].get("type", "BPE")
        known = kind == "BPE" and {"ByteLevel", "ByteFallback"} & _decoders(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{name}: not a tokenizer.json ({error}); give the tokenizer.json of a base model."
        raise InputError(msg) from error
    if not known:
        msg = f"{name}: a {kind} tokenizer of a kind that is not read; give byte-level BPE or BPE with byte fallback."
        raise InputError(msg)
    content.setdefault("added_tokens", [])
    return dict(content)


def _decoders(content: dict[str, Any]) -> set[str]:
    decoder = content.get("decoder") or {}
    return {part["type"] for part in decoder.get("decoders", [decoder]) if part}


def _cut(array: pa.Array) -> Iterator[tuple[int, list[str]]]:
    """Cut into runs of whole texts of about BATCH_CHARACTERS, with the number of the first."""
    batch: list[str] = []
    size = first = 0
    for i, scalar in enumerate(array):
        batch.append(scalar.as_py())
        size += len(batch[-1])
        if size >= BATCH_CHARACTERS:
            yield first, batch
            batch, size, first = [], 0, i + 1
    if batch:
        yield first, batch


@functools.cache
def _alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: those that print stand for themselves, the others come after U+0100 in order.

    Source: Radford et al., gpt-2, src/encoder.py, bytes_to_unicode.
    """
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


def _read_byte_level(text: str) -> bytes:
    letters = _alphabet()
    return bytes(letters[letter] for letter in text) if letters.keys() >= set(text) else text.encode()


def _read_fallback(text: str) -> bytes:
    if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
        return bytes([int(text[3:5], 16)])
    return text.replace(SPACE, " ").encode()


def _is_text(spelled: bytes) -> bool:
    try:
        spelled.decode()
    except UnicodeDecodeError:
        return False
    return True
