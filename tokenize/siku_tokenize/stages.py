"""The stages of this room; light, so that a finished stage is recognised before anything heavy is imported."""

from __future__ import annotations

from siku_manifests.stage import Phase, Stage

TOKENIZER = Stage(
    name="tokenizer",
    room="siku_tokenize",
    help="Learn new pieces from the training text and graft them onto the base model's vocabulary.",
    parents=("corpus",),
    sections=("seed", "tokenizer"),
    source_fields=("name", "weight", "share"),
    libraries=("numpy", "pyarrow", "sentencepiece", "tokenizers", "xxhash"),
    phases=(
        Phase("learn", "siku_tokenize.build:plan_learning", "siku_tokenize.build:learn"),
        Phase("measure", "siku_tokenize.build:plan_measures", "siku_tokenize.build:measure"),
    ),
    finish="siku_tokenize.build:finish",
)

TOKENS = Stage(
    name="tokens",
    room="siku_tokenize",
    help="Encode every document into memory-mapped files of token ids, one a source and split.",
    parents=("corpus", "tokenizer"),
    sections=("tokens",),
    source_fields=("name",),
    libraries=("numpy", "pyarrow", "sentencepiece", "tokenizers"),
    phases=(Phase("encode", "siku_tokenize.pack:plan", "siku_tokenize.pack:encode"),),
    finish="siku_tokenize.pack:finish",
)
