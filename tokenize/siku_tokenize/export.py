"""A tokenizer as files: for sentencepiece, for transformers, and for people.

    tokenizer.model        SentencePiece, the reference
    tokenizer.json         the same for the tokenizers library, equal in every id
    tokenizer_config.json  what transformers' AutoTokenizer reads, with a chat template
    vocabulary.tsv         id, piece, kind, score, uses in the sample

transformers' own conversion of LLaMA models guesses the merges from the order of pieces and is wrong on many
lines. Ours lists every split of every piece whose halves are pieces too, sorted as SentencePiece compares
merges: by score; and among pieces of equal score (the runs of spaces of LLaMA's vocabulary, where
SentencePiece takes the leftmost) the longer first, which lets the leftmost run grow before another begins.

The literal text `<s>` is text, here as in the model: `split_special_tokens` is on. A chat template writes
control tokens on purpose, so chats want a tokenizer loaded for them, which still keeps apart what the
template wrote and what a user typed:

    tokenizer = AutoTokenizer.from_pretrained(folder, split_special_tokens=False)
    tokenizer.apply_chat_template(messages, sanitize_control_tokens=True)
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siku_manifests.atomic import write_bytes
from siku_tokenize.modelfile import Kind, Model
from siku_tokenize.tables import SPACE, list_merges

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- if message['role'] not in ['system', 'user', 'assistant'] -%}
{{- raise_exception('roles are system, user and assistant') -}}
{%- endif -%}
{{- message['content'] -}}{{- eos_token -}}
{%- endfor -%}
"""
"""Turns follow each other, each ended by EOS; whose turn it is follows from the order."""
MODEL_LENGTH = 4096


def merge_list(model: Model) -> list[tuple[str, str]]:
    """List the merges of a model, the first to be tried first."""
    pieces = model.pieces
    symbols = {piece.text: i for i, piece in enumerate(pieces) if piece.kind is Kind.NORMAL}
    merges = list_merges(((i, text) for text, i in symbols.items() if len(text) > 1), symbols)
    ordered = sorted(merges, key=lambda merge: (-pieces[merge[2]].score, -len(pieces[merge[2]].text), merge))
    return [(pieces[left].text, pieces[right].text) for left, right, _ in ordered]


def tokenizer_json(model: Model) -> dict[str, Any]:
    """Build the content of tokenizer.json; encoding gives SentencePiece's ids, no more and no less."""
    prefix = [{"type": "Prepend", "prepend": SPACE}] if model.dummy_prefix else []
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if model.dummy_prefix else []
    to_spaces = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(model),
        "normalizer": {
            "type": "Sequence",
            "normalizers": [*prefix, {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}],
        },
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [to_spaces, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece.text: i for i, piece in enumerate(model.pieces)},
            "merges": merge_list(model),
        },
    }


def added_tokens(model: Model) -> list[dict[str, Any]]:
    """List the pieces that no text encodes to: `<unk>`, `<s>`, `</s>`."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [
        {"id": i, "content": piece.text, **plain}
        for i, piece in enumerate(model.pieces)
        if piece.kind in (Kind.CONTROL, Kind.UNKNOWN)
    ]


def tokenizer_config() -> dict[str, Any]:
    """Build the content of tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "</s>",
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MODEL_LENGTH,
        "chat_template": CHAT_TEMPLATE,
    }


def vocabulary_tsv(model: Model, *, first_new: int, uses: NDArray[np.int64]) -> str:
    r"""List the vocabulary for people, a line a piece: id, piece, kind, score, uses, U+…, name.

    Characters that would break or blur a line (control, separators, unassigned) are written as `\u{…}`.

    Args:
        model: the vocabulary.
        first_new: pieces from this id on are marked `new`.
        uses: of each piece in the encoded sample.
    """
    kinds = ["new" if i >= first_new else piece.kind.name.lower() for i, piece in enumerate(model.pieces)]
    scores = [f"{piece.score:.0f}" for piece in model.pieces]
    return listing([piece.text for piece in model.pieces], kinds, scores, uses=uses)


def listing(texts: Sequence[str], kinds: Sequence[str], scores: Sequence[str], *, uses: NDArray[np.int64]) -> str:
    """Write the lines of a vocabulary; one text, kind, score and use for each id."""
    lines = ["id\tpiece\tkind\tscore\tuses\tcharacters"]
    for i, (text, kind, score) in enumerate(zip(texts, kinds, scores, strict=True)):
        shown = "".join(map(_visible, text))
        lines.append(f"{i}\t{shown}\t{kind}\t{score}\t{uses[i]}\t{len(text)}")
    return "\n".join(lines) + "\n"


def _visible(character: str) -> str:
    if unicodedata.category(character)[0] in "CZ" or unicodedata.category(character) == "Mn":
        return f"\\u{{{ord(character):x}}}"
    return character


def write_tokenizer(folder: Path, model: Model, *, first_new: int, uses: NDArray[np.int64]) -> list[str]:
    """Write all four files; give their names.

    Args:
        folder: where to.
        model: from `merge_vocabulary`.
        first_new: id of the first new piece.
        uses: of each piece in the encoded sample, for the listing.
    """
    contents = {
        "tokenizer.model": model.raw,
        "tokenizer.json": json_bytes(tokenizer_json(model)),
        "tokenizer_config.json": json_bytes(tokenizer_config()),
        "vocabulary.tsv": vocabulary_tsv(model, first_new=first_new, uses=uses).encode(),
    }
    for name, content in contents.items():
        write_bytes(folder / name, content)
    return list(contents)


def json_bytes(value: Any) -> bytes:
    """Write JSON as the files of a tokenizer have it: a value a line, characters as they are."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
