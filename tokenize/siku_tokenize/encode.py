"""Encoder: text to piece ids, exactly as sentencepiece gives them, several times as fast.

    encoder = Encoder.load("tokenizer.model")
    encoder.encode("白日依山尽") -> [29589, 31023, …]
    ids, lengths = encoder.encode_batch(table["text"])

The kernel releases the GIL, so threads encode in parallel. For a model that it cannot encode exactly, or that
fails its trial (`encoder.reason` says why), sentencepiece itself does the work: the ids are the same, only slower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.errors import InputError
from siku_tokenize.kernel import encode_documents
from siku_tokenize.modelfile import Kind, Model, read_model
from siku_tokenize.tables import build_tables, why_not_exact
from siku_tokenize.tokenfile import token_dtype
from siku_tokenize.trial import LOAD_LINES, differences, hostile_lines, piece_lines

MODEL_FILE, PROOF_FILE = "tokenizer.model", "proof.json"

BATCH_BYTES = 4 << 20
"""Bytes of text encoded at once; their ids and scratch take about three times as much memory."""


class Encoder:
    """Encodes text with one SentencePiece model.

    Attributes:
        dtype: of the ids: uint16 up to 65,536 pieces, else int32.
        vocabulary_size: number of pieces.
        bos, eos: ids of the control pieces `<s>` and `</s>`, -1 where the model has none.
        reason: why sentencepiece does the work, "" when the kernel does.

    Args:
        model: from `read_model` or `extend_model`.
        exact: False asks for sentencepiece whatever the model is.
    """

    def __init__(self, model: Model, *, exact: bool = True) -> None:
        self.vocabulary_size = len(model.pieces)
        self.dtype = token_dtype(self.vocabulary_size)
        self.reason = why_not_exact(model) if exact else "sentencepiece was asked for"
        controls = {piece.text: i for i, piece in enumerate(model.pieces) if piece.kind is Kind.CONTROL}
        self.bos, self.eos = controls.get("<s>", -1), controls.get("</s>", -1)
        if self.reason:
            self._reference = load_reference(model)
        else:
            self._tables = build_tables(model.pieces, dummy_prefix=model.dummy_prefix)

    @classmethod
    def load(cls, path: Path | str) -> Encoder:
        """Open a `.model` file, or the folder of a tokenizer.

        A proof that `siku tokenizer` left beside the model is believed. A model without one is tried on
        generated text first, and sentencepiece encodes if a single id differs.

        Raises:
            InputError: it is missing or not a SentencePiece model.
        """
        path = Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)
        model = read_model(path)
        encoder = cls(model)
        if not encoder.reason and not stands_trial(encoder, model, path.with_name(PROOF_FILE)):
            encoder = cls(model, exact=False)
            encoder.reason = "it gave other ids than sentencepiece when it was tried"
        return encoder

    def encode(self, text: str) -> list[int]:
        """Give the ids of one text; control pieces are never among them, `<s>` is text.

        Raises:
            InputError: the text has a lone surrogate, which no UTF-8 can carry.

        Example: encode("") -> []
        """
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_batch(self, texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Encode many texts.

        Args:
            texts: Arrow strings without nulls, or Python strings.

        Returns:
            The ids of all texts side by side, of `dtype`; and int64 (texts,), how many each has.

        Raises:
            InputError: a text has a lone surrogate, or is null.
        """
        array = as_array(texts)
        if self.reason:
            lists = self._reference.encode(array.to_pylist())
            lengths = np.array([len(ids) for ids in lists], np.int64)
            return np.array([i for ids in lists for i in ids], self.dtype), lengths
        ids, lengths_ = [np.empty(0, self.dtype)], [np.empty(0, np.int64)]
        for data, offsets in cut_batches(array):
            out = np.empty(int(offsets[-1] - offsets[0]) + len(offsets), self.dtype)
            counts = encode_documents(data, offsets, self._tables, out)
            ids.append(out[: int(counts.sum())].copy())
            lengths_.append(counts)
        return np.concatenate(ids), np.concatenate(lengths_)


def stands_trial(encoder: Encoder, model: Model, proof: Path) -> bool:
    """Whether an encoder gives sentencepiece's ids, by the proof beside its model or on generated text.

    Raises:
        InputError: the proof is damaged.
    """
    if proof.is_file():
        try:
            return not msgspec.json.decode(proof.read_bytes())["encoder_differences"]
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            msg = f"{proof}: damaged ({error}); build the tokenizer again with `siku tokenizer`."
            raise InputError(msg) from error
    lines = hostile_lines(LOAD_LINES, seed=0) + piece_lines(model, LOAD_LINES, seed=0)
    return not differences(encoder, lines, load_reference(model).encode(lines))


def load_reference(model: Model) -> Any:
    """Open a model with the sentencepiece package."""
    import sentencepiece  # noqa: PLC0415  (most models never need it)

    return sentencepiece.SentencePieceProcessor(model_proto=model.raw)


def as_array(texts: pa.Array | pa.ChunkedArray | Sequence[str]) -> pa.Array:
    """Give texts as one Arrow array of strings.

    Raises:
        InputError: a text has a lone surrogate, or is null.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not isinstance(texts, pa.Array):
        try:
            texts = pa.array(texts, pa.large_string())
        except UnicodeEncodeError as error:
            number = next(i for i, text in enumerate(texts) if not _is_valid(text))
            msg = f"text {number} of {len(texts)} has a lone surrogate at character {error.start}; mend or drop it."
            raise InputError(msg) from error
    if texts.null_count:
        msg = f"{texts.null_count} of {len(texts)} texts are null; drop them before encoding."
        raise InputError(msg)
    return texts


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_buffers(array: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """View an Arrow string array as its UTF-8 bytes and int64 (texts + 1,) offsets into them."""
    wide = pa.types.is_large_string(array.type)
    _, offsets, data = array.buffers()
    kind = np.dtype(np.int64 if wide else np.int32)
    if not len(array):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    bounds = np.frombuffer(offsets, kind, len(array) + 1, array.offset * kind.itemsize)
    content = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return content, bounds.astype(np.int64)


def cut_batches(array: pa.Array) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Cut an array into runs of whole texts of about BATCH_BYTES; a longer text is a run of its own."""
    data, offsets = text_buffers(array)
    start = 0
    while start < len(array):
        end = int(np.searchsorted(offsets, offsets[start] + BATCH_BYTES, side="right")) - 1
        end = min(max(end, start + 1), len(array))
        yield data, offsets[start : end + 1]
        start = end
