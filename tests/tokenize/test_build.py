"""The tokenizer stage as the runner drives it: files, counts, findings, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import sentencepiece
from transformers import AutoTokenizer

from siku_manifests import findings
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source, Tokenizer
from siku_manifests.stage import Context, Outcome
from siku_tokenize.base import load_base
from siku_tokenize.build import FILES
from siku_tokenize.modelfile import Model, read_model
from siku_tokenize.prove import Proof
from siku_tokenize.stages import TOKENIZER
from siku_tokenize.vocabulary import open_vocabulary

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
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == "poetry"]
    held_out = texts.to_pylist()[250:300]
    for row, name, used in zip(rows, ("base", "extended"), (tiny, model), strict=True):
        reference = sentencepiece.SentencePieceProcessor(model_proto=used.raw)
        tokens = sum(map(len, reference.encode(held_out)))
        assert (row["vocabulary"], row["tokens"]) == (name, tokens)
        assert row["per character"] == round(tokens / sum(map(len, held_out)), 4)
        assert row["not spelled again"] == 0


def test_a_byte_level_base_is_taken_unchanged(build: Build, tmp_path: Path, byte_level: dict[str, Any]) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "tokenizer.json").write_bytes(byte_level["raw"])
    (base / "tokenizer_config.json").write_text('{"eos_token": "<|end|>", "chat_template": "x"}')
    context, outcome = build(mode="unchanged", base=str(base))
    assert sorted(outcome.shards) == ["proof.json", "tokenizer.json", "tokenizer_config.json", "vocabulary.tsv"]
    assert (context.folder / "tokenizer.json").read_bytes() == byte_level["raw"]
    loaded = AutoTokenizer.from_pretrained(context.folder)
    assert (loaded.eos_token, loaded.chat_template) == ("<|end|>", "x")
    encoder = open_vocabulary(context.folder).encoder
    assert encoder.encode("床前明月光") == loaded("床前明月光")["input_ids"]
    listed = (context.folder / "vocabulary.tsv").read_text(encoding="utf-8").split("\n")
    assert len(listed) == byte_level["size"] + 2
    assert sum(int(line.split("\t")[4]) for line in listed[1:-1]) > 0
    assert {block.section for block in findings.decode(findings.encode(outcome.findings))} == {"tokenizer"}


def test_who_ends_a_document_must_be_said(build: Build, tmp_path: Path, byte_level: dict[str, Any]) -> None:
    base = tmp_path / "tokenizer.json"
    base.write_bytes(byte_level["raw"])
    with pytest.raises(RecipeError, match=r"set tokenizer\.eos \(its control tokens: <\|end\|>\)"):
        build(mode="unchanged", base=str(base))
    context, _ = build("b", mode="unchanged", base=str(base), eos="<|end|>")
    assert open_vocabulary(context.folder).encoder.eos == byte_level["end"]


def test_a_model_of_another_kind_is_taken_unchanged(build: Build, tmp_path: Path) -> None:
    """Baichuan and InternLM have user-defined pieces: sentencepiece encodes, and no tokenizer.json claims to."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["明月 12 <sep> the moonlight", "床前明月光"] * 20),
        model_prefix=str(tmp_path / "m"),
        model_type="bpe",
        vocab_size=330,
        byte_fallback=True,
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=["<sep>", "12"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    base = tmp_path / "m.model"
    with pytest.raises(RecipeError, match=r'since its normalizer rewrites text; .* set tokenizer\.mode = "unchanged"'):
        load_base(Tokenizer(base=str(base)))
    context, outcome = build(mode="unchanged", base=str(base))
    assert (context.folder / "tokenizer.model").read_bytes() == base.read_bytes()
    assert "tokenizer.json" not in outcome.shards
    encoder = open_vocabulary(context.folder).encoder
    assert encoder.reason
    text = "１２ 明月<sep>the </s>"
    assert encoder.encode(text) == sentencepiece.SentencePieceProcessor(model_file=str(base)).encode(text)


def test_a_model_like_the_base_is_taken_unchanged(build: Build, tiny: Model) -> None:
    context, outcome = build(mode="unchanged")
    assert outcome.shards == list(FILES)
    assert (context.folder / "tokenizer.model").read_bytes() == tiny.raw
    with pytest.raises(RecipeError, match=r"tokenizer\.eos is for a tokenizer\.json"):
        build("b", mode="unchanged", eos="<s>")


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
        ({"base": "pypi:mistral-common==1.13.1", "base_sha256": ""}, "sha256"),
    ],
)
def test_bases_that_cannot_be_used(knobs: dict[str, str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_base(Tokenizer(**knobs))


@pytest.mark.parametrize("place", ["tokenizer.json", "."])
def test_a_byte_level_base_is_not_extended(tmp_path: Path, byte_level: dict[str, Any], place: str) -> None:
    (tmp_path / "tokenizer.json").write_bytes(byte_level["raw"])
    with pytest.raises(
        RecipeError, match=r'cannot be extended; give .* or set tokenizer\.mode = "unchanged" and train'
    ):
        load_base(Tokenizer(base=str(tmp_path / place)))


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
    with pytest.raises(RecipeError, match=r"since it is not a BPE model; give the tokenizer\.model of"):
        load_base(Tokenizer(base=str(tmp_path / "m.model")))


def test_the_sample_recipes_base(mistral: Model) -> None:
    assert len(mistral.pieces) == 32_000
