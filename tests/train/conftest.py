"""A model small enough to train in a second, token files to train it on, and a built tokenizer."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sentencepiece
import torch
import transformers

from siku_manifests.recipe import Recipe
from siku_manifests.sections import Pretrain, SeedModel, Source
from siku_manifests.stage import Context
from siku_tokenize.export import vocabulary_tsv
from siku_tokenize.modelfile import Piece, extend_model, parse_model
from siku_tokenize.order import WindowOrder, mixture_shares
from siku_tokenize.tokenfile import write_token_file
from siku_train.base import write_seed_base
from siku_train.embeddings import NewPieces
from siku_train.model import build_model
from siku_train.plan import Plan
from siku_train.validation import Validation
from siku_train.windows import Reader, WindowStream, open_token_files

EOS = 2
BASE = 320
VOCABULARY = 384
OPTIONS = Pretrain(
    model=SeedModel(hidden=64, intermediate=64, layers=2, heads=1, positions=256),
    rank=8,
    dropout=0.1,
    length=64,
    batch=1,
    accumulation=2,
    tokens=64 * 2 * 8,
    learning_rate=1e-2,
    warmup_steps=2,
    max_grad_norm=1.0,
    optimizer="adamw_torch",
    evaluate_every=2,
    evaluate_windows=2,
    save_every=3,
    report_to=(),
    threads=1,
)


@pytest.fixture(autouse=True)
def _quiet_single_thread() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def options() -> Pretrain:
    """Eight steps of two windows, a validation every two and a checkpoint every three."""
    return OPTIONS


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded base of two small layers, in a folder like any other model."""
    folder = tmp_path_factory.mktemp("base")
    transformers.utils.logging.disable_progress_bar()
    write_seed_base(folder, OPTIONS.model, vocabulary=BASE, seed=3)
    return folder


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources, split in train and validation: `even` repeats itself, `odd` does not."""
    folder = tmp_path_factory.mktemp("tokens")
    random = np.random.default_rng(5)
    for split, documents in (("train", 40), ("validation", 12)):
        for source in ("even", "odd"):
            made = []
            for _ in range(documents):
                size = int(random.integers(1, 90))
                body = np.arange(size) % 9 + 20 if source == "even" else random.integers(3, VOCABULARY, size)
                made.append(np.append(body, EOS).astype(np.uint16))
            write_token_file(folder / split / source, made, np.uint16)
    return folder


@pytest.fixture
def make_model(base: Path) -> Callable[..., Any]:
    """Build the adapted model of these tests anew."""

    def make(chosen: Pretrain = OPTIONS) -> Any:
        return build_model(base, chosen, pieces=NewPieces(BASE, [[5, 6]] * (VOCABULARY - BASE)), seed=3)

    return make


@pytest.fixture
def make_plan(token_folder: Path) -> Callable[..., Plan]:
    """Plan a run over both sources."""

    def make(chosen: Pretrain = OPTIONS) -> Plan:
        reader = Reader(open_token_files(token_folder / "train"), chosen.length, EOS)
        held_out = Reader(open_token_files(token_folder / "validation"), chosen.length, EOS)
        order = WindowOrder(mixture_shares(reader.counts(), {}), seed=3)
        return Plan(
            options=chosen,
            stream=WindowStream(reader, order, total=chosen.tokens // chosen.length),
            validation=Validation(held_out, np.full(VOCABULARY, 3), windows=chosen.evaluate_windows, batch=2),
            base="base",
            seed=3,
        )

    return make


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real SentencePiece model of 320 pieces, extended to 384."""
    folder = tmp_path_factory.mktemp("tokenizer")
    written = io.BytesIO()
    text = "床前明月光 疑是地上霜 举头望明月 低头思故乡 the moon over the mountain pass"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text] * 20 + [text[::2]] * 9 + [text[1::3]] * 7),
        model_writer=written,
        model_type="bpe",
        vocab_size=BASE,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = parse_model(written.getvalue())
    assert len(model.pieces) == BASE
    known = {piece.text for piece in model.pieces}
    wanted = ["明月", "故乡", *(chr(0x4E00 + i) for i in range(2 * VOCABULARY))]
    texts = [text for text in wanted if text not in known][: VOCABULARY - BASE]
    extended = extend_model(model, [Piece(text, -1000.0 - i) for i, text in enumerate(texts)])
    (folder / "tokenizer.model").write_bytes(extended.raw)
    listing = vocabulary_tsv(extended, first_new=BASE, uses=np.zeros(VOCABULARY, np.int64))
    (folder / "vocabulary.tsv").write_text(listing, encoding="utf-8")
    return folder


@pytest.fixture
def make_context(tokenizer_folder: Path, token_folder: Path) -> Callable[..., Context]:
    """What the runner would hand to the stage's functions."""

    def make(folder: Path, **changes: Any) -> Context:
        common = {"format": "lines", "where": ".", "license": "CC0-1.0", "profile": "modern"}
        recipe = Recipe(
            name="test",
            seed=3,
            source=(Source(name="even", **common), Source(name="odd", weight=2.0, **common)),
            pretrain=msgspec.structs.replace(OPTIONS, **changes),
        )
        parents = {"tokenizer": tokenizer_folder, "tokens": token_folder}
        return Context(recipe=recipe, folder=folder, parents=parents)

    return make
