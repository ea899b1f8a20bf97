"""The tokenizer stage as the runner drives it: files, counts, findings, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import sentencepiece

from siku_manifests import findings
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source, Tokenizer
from siku_manifests.stage import Context, Outcome
from siku_tokenize.build import FILES, load_base
from siku_tokenize.modelfile import Model, read_model
from siku_tokenize.prove import Proof
from siku_tokenize.stages import TOKENIZER

Drive = Callable[..., Outcome]
Build = Callable[..., tuple[Context, Outcome]]


@pytest.fixture
def build(tmp_path: Path, tiny: Model, texts: pa.Array, drive: Drive, write_corpus: Callable[..., None]) -> Build:
    """Run the stage on a small corpus; keywords go to `[tokenizer]`."""
    documents = texts.to_pylist()
    base = tmp_path / "base.model"
    base.write_bytes(tiny.raw)
    corpus = tmp_path / "corpus"
    write_corpus(
        corpus,
        {
            "train/poetry": documents[:250],
            "train/english": documents[-3:],
            "validation/poetry": documents[250:300],
            "validation/english": documents[-1:],
        },
    )

    def run(name: str = "a", **knobs: Any) -> tuple[Context, Outcome]:
        sources = tuple(
            Source(
                name=source, format="x", where="x", license="CC0-1.0", profile="poetry", weight=knobs.pop(source, 1.0)
            )
            for source in ("poetry", "english")
        )
        settings = Tokenizer(**({"base": str(base), "size": 512} | knobs))
        recipe = Recipe(name="try", source=sources, tokenizer=settings, seed=3)
        context = Context(recipe=recipe, folder=tmp_path / name, parents={"corpus": corpus})
        context.folder.mkdir()
        return context, drive(TOKENIZER, context)

    return run


def test_files_counts_and_findings(build: Build, tiny: Model, texts: pa.Array) -> None:
    context, outcome = build()
    assert outcome.shards == list(FILES)
    assert all((context.folder / name).is_file() for name in FILES)
    model = read_model(context.folder / "tokenizer.model")
    assert len(model.pieces) == 512
    assert model.pieces[: len(tiny.pieces)] == tiny.pieces
    assert (outcome.counts["poetry"].read, outcome.counts["poetry"].kept) == (250, 250)
    proof = msgspec.json.decode((context.folder / "proof.json").read_bytes(), type=Proof)
    assert (proof.encoder_differences, proof.english_lines) == (0, 5)
    blocks = findings.decode(findings.encode(outcome.findings))
    assert {block.section for block in blocks} == {"tokenizer"}
    table = next(block for block in blocks if isinstance(block, findings.Table))
    row = dict(zip(table.columns, next(row for row in table.rows if row[0] == "poetry"), strict=True))
    held_out = texts.to_pylist()[250:300]
    for column, used in (("before", tiny), ("after", model)):
        reference = sentencepiece.SentencePieceProcessor(model_proto=used.raw)
        tokens = sum(map(len, reference.encode(held_out)))
        assert row[column] == round(tokens / sum(map(len, held_out)), 4)


def test_the_same_bytes_again(build: Build) -> None:
    (first, _), (second, _) = build("a"), build("b")
    for name in FILES:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_weight_and_budget_decide_the_sample(build: Build) -> None:
    _, outcome = build(english=0.0, sample_bytes=20_000)
    assert outcome.counts["english"].dropped == {"not_sampled": 3}
    poetry = outcome.counts["poetry"]
    assert 0 < poetry.kept < 250
    assert poetry.bytes <= 20_000
    assert poetry.dropped == {"not_sampled": 250 - poetry.kept}


def test_it_learns_from_train_only(build: Build, tmp_path: Path, write_corpus: Callable[..., None]) -> None:
    first, _ = build("a")
    write_corpus(tmp_path / "corpus", {"validation/poetry": ["另外一句完全不同的文字" * 50]})
    second, _ = build("b")
    assert (first.folder / "tokenizer.model").read_bytes() == (second.folder / "tokenizer.model").read_bytes()


def test_no_training_text(build: Build, tmp_path: Path) -> None:
    for shard in (tmp_path / "corpus" / "train").iterdir():
        shard.unlink()
    with pytest.raises(InputError, match="no training document"):
        build()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"base": ""}, "tokenizer.base is not set"),
        ({"base": "tokenizer.json"}, "byte-level tokenizers .* cannot be extended; give a SentencePiece"),
        ({"base": "pypi:mistral-common==1.13.1", "base_sha256": ""}, "sha256"),
    ],
)
def test_bases_that_cannot_be_used(knobs: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_base(Tokenizer(**knobs))


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.model: missing"):
        load_base(Tokenizer(base=str(tmp_path / "nowhere.model")))


def test_a_unigram_base_is_refused(tmp_path: Path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_prefix=str(tmp_path / "m"),
        model_type="unigram",
        vocab_size=9,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(RecipeError, match=r"it is not a BPE model; give the tokenizer\.model of a LLaMA or Mistral"):
        load_base(Tokenizer(base=str(tmp_path / "m.model")))


def test_the_sample_recipes_base(mistral: Model) -> None:
    assert len(mistral.pieces) == 32_000
