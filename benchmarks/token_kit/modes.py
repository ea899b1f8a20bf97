"""What the optional kinds of pieces and guaranteed characters save or cost, all learned from the same small sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa
from token_kit.heldout import MODERN
from token_kit.vocabularies import count, learn_ours

from siku_manifests.sections import Tokenizer
from siku_tokenize.modelfile import Model

Claim = tuple[str, bool]
MODES: dict[str, dict[str, Any]] = {
    "as a rule": {},
    "joined punctuation": {"joined": ("punctuation",)},
    "joined digits": {"joined": ("digits",)},
    "joined punctuation and digits": {"joined": ("digits", "punctuation")},
    "character_coverage 0.999": {"character_coverage": 0.999},
    "character_coverage 0.9999": {"character_coverage": 0.9999},
    "character_coverage 1": {"character_coverage": 1.0},
    "unigram candidates": {"candidates": "unigram"},
}


def mode_claims(base: Model, sample: pa.Array, held_out: Mapping[str, pa.Array]) -> Iterator[Claim]:
    """Tokens on each kind of text against the rule; that English keeps its ids is proved of each, or it raises."""
    groups = {
        "news": held_out["news"],
        "modern": pa.concat_arrays([held_out[name] for name in MODERN]),
        "classical": held_out["classical"],
        "poetry": held_out["poetry"],
    }
    rule: dict[str, int] = {}
    for name, knobs in MODES.items():
        model, _, proof, seconds = learn_ours(base, sample, msgspec.structs.replace(Tokenizer(), **knobs))
        counts = {group: count(model, texts) for group, texts in groups.items()}
        rule = rule or {group: found.tokens for group, found in counts.items()}
        told = ", ".join(
            f"{group} {found.tokens / rule[group] - 1:+.2%} ({found.spelled / found.tokens:.2%} bytes)"
            for group, found in counts.items()
        )
        characters = sum(len(piece.text) == 1 for piece in model.pieces[len(base.pieces) :])
        line = f"{name}: {told}; {characters:,} new characters, {seconds:.0f} s"
        yield line, proof.encoder_differences == 0
