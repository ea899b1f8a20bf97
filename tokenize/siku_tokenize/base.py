"""The base that `[tokenizer]` names: from a package or a path, for extending it or for taking it as it is.

What can be extended is a SentencePiece BPE model with byte fallback whose normalizer rewrites nothing: LLaMA,
LLaMA-2, Mistral, Yi and what was made from them. Anything else is refused with what to do instead, or taken
unchanged, which asks for no more than that it can be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siku_manifests.archives import open_member
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.packages import fetch_package
from siku_manifests.sections import Tokenizer
from siku_tokenize.encode import MODEL_FILE
from siku_tokenize.modelfile import Model, parse_model
from siku_tokenize.native import CONFIG_FILE, NativeEncoder, read_config
from siku_tokenize.tables import why_not_exact
from siku_tokenize.vocabulary import JSON_FILE

PACKAGES = ("pypi:", "npm:")


def read_base(settings: Tokenizer) -> tuple[str, bytes, dict[str, Any]]:
    """Read the base's file: its name, its bytes, and the configuration that lies beside it.

    Raises:
        RecipeError: the recipe names none.
        InputError: it is missing.
    """
    if not settings.base:
        msg = 'tokenizer.base is not set; give "pypi:mistral-common==1.13.1" with base_path, or a .model file.'
        raise RecipeError(msg)
    if settings.base.startswith(PACKAGES):
        archive = fetch_package(settings.base, settings.base_sha256)
        with open_member(archive, settings.base_path) as stream:
            return f"{settings.base} {settings.base_path}", stream.read(), {}
    path = Path(settings.base)
    if path.is_dir():
        path = next((path / name for name in (MODEL_FILE, JSON_FILE) if (path / name).is_file()), path / MODEL_FILE)
    if not path.is_file():
        msg = f"{path}: missing; tokenizer.base is the path of a SentencePiece model or, unchanged, a tokenizer.json."
        raise InputError(msg)
    return str(path), path.read_bytes(), read_config(path.with_name(CONFIG_FILE))


def load_base(settings: Tokenizer) -> Model:
    """Open the base for extending it.

    Raises:
        RecipeError: there is none, or it is of a kind that cannot be extended.
        InputError: the file is missing or no SentencePiece model.
    """
    name, raw, _ = read_base(settings)
    if name.endswith(".json"):
        msg = (
            f"tokenizer.base = {settings.base!r}: a tokenizer.json cannot be extended; give the tokenizer.model of a "
            'LLaMA or Mistral model, or set tokenizer.mode = "unchanged" and train with this vocabulary as it is.'
        )
        raise RecipeError(msg)
    base = parse_model(raw, name=name)
    reason = why_not_exact(base)
    if reason:
        msg = (
            f"tokenizer.base = {settings.base!r} cannot be extended, since {reason}; give the tokenizer.model of a "
            'LLaMA or Mistral model, or set tokenizer.mode = "unchanged" and train with this vocabulary as it is.'
        )
        raise RecipeError(msg)
    return base


def open_base(settings: Tokenizer) -> Model | NativeEncoder:
    """Open the base for taking it as it is.

    Raises:
        RecipeError: there is none, or nothing says which token ends a document.
        InputError: the file is missing, damaged or of a kind that is not read.
    """
    name, raw, config = read_base(settings)
    if not name.endswith(".json"):
        if settings.eos:
            msg = "tokenizer.eos is for a tokenizer.json; with a SentencePiece model documents end with </s>."
            raise RecipeError(msg)
        return parse_model(raw, name=name)
    encoder = NativeEncoder(raw, config=config | ({"eos_token": settings.eos} if settings.eos else {}), name=name)
    if encoder.eos < 0:
        controls = [token["content"] for token in encoder.content["added_tokens"] if token["special"]]
        named = ", ".join(controls[:5]) or "none"
        msg = f"{name}: nothing says which token ends a document; set tokenizer.eos (its control tokens: {named})."
        raise RecipeError(msg)
    return encoder
