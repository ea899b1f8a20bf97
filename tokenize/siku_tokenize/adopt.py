"""A base's vocabulary as it is, brought into the form that every later stage reads.

For bases that know Chinese already (Qwen, Baichuan, InternLM, Llama-3): what they cut a text into is what they
were trained with, and new rows would only unlearn it. The files are the base's own bytes; beside them stand
the listing and the proof as for an extended vocabulary.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from siku_manifests.atomic import write_bytes
from siku_manifests.errors import RecipeError
from siku_manifests.sections import Tokenizer
from siku_tokenize.base import open_base
from siku_tokenize.encode import Encoder, load_reference
from siku_tokenize.export import json_bytes, listing, write_tokenizer
from siku_tokenize.measure import Ruler
from siku_tokenize.modelfile import Kind, Model
from siku_tokenize.native import CONFIG_FILE, NativeEncoder
from siku_tokenize.prove import Proof, export_differences, proof_lines
from siku_tokenize.trial import differences
from siku_tokenize.vocabulary import JSON_FILE, of_model, of_native


def adopt_base(out: Path, settings: Tokenizer, texts: pa.Array, *, seed: int) -> Proof:
    """Write the base's vocabulary into `out` without changing it.

    Args:
        out: an empty folder.
        settings: names the base.
        texts: some documents, to prove on and to count uses in.
        seed: of generated lines.

    Raises:
        RecipeError: the base has no piece that ends a document, or the recipe names none.
        InputError: the base is missing or of a kind that is not read.
    """
    base = open_base(settings)
    if isinstance(base, NativeEncoder):
        return _adopt_native(out, base, texts)
    return _adopt_model(out, base, texts, seed=seed, name=settings.base)


def _adopt_native(out: Path, base: NativeEncoder, texts: pa.Array) -> Proof:
    vocabulary = of_native(base, name="base")
    ruler = Ruler([vocabulary])
    ruler.measure(texts)
    write_bytes(out / JSON_FILE, base.raw)
    write_bytes(out / CONFIG_FILE, json_bytes({"tokenizer_class": "PreTrainedTokenizerFast"} | base.config))
    texts_of_ids = [
        vocabulary.spelled[i].decode() if vocabulary.kinds[i] == Kind.NORMAL else base.texts.get(i, "")
        for i in range(len(vocabulary))
    ]
    kinds = [Kind(kind).name.lower() for kind in vocabulary.kinds]
    table = listing(texts_of_ids, kinds, [""] * len(vocabulary), uses=ruler.uses[0])
    write_bytes(out / "vocabulary.tsv", table.encode())
    return Proof(base_pieces=len(vocabulary), new_pieces=0, english_lines=0, compared_lines=0, encoder_differences=0)


def _adopt_model(out: Path, base: Model, texts: pa.Array, *, seed: int, name: str) -> Proof:
    encoder = Encoder(base)
    if encoder.eos < 0:
        msg = f"tokenizer.base = {name!r} has no piece </s> to end a document with; take another base."
        raise RecipeError(msg)
    lines = proof_lines(base, texts, seed=seed)
    expected = load_reference(base).encode(lines)
    ruler = Ruler([of_model(base)])
    ruler.measure(texts)
    write_tokenizer(out, base, first_new=len(base.pieces), uses=ruler.uses[0])
    if export_differences(base, lines, expected):
        (out / JSON_FILE).unlink()  # equal scores or user-defined pieces: no tokenizer.json says the same
    return Proof(
        base_pieces=len(base.pieces),
        new_pieces=0,
        english_lines=0,
        compared_lines=len(lines),
        encoder_differences=len(differences(encoder, lines, expected)),
    )
