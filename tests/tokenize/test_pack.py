"""The tokens stage: every document's ids as sentencepiece gives them, framed, joined and counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sentencepiece
import tokenizers

from siku_manifests import findings
from siku_manifests.atomic import write_json
from siku_manifests.errors import InputError, RecipeError
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source, Tokens
from siku_manifests.stage import Context, Outcome
from siku_tokenize import TokenFile, pack
from siku_tokenize.modelfile import Model
from siku_tokenize.prove import Proof
from siku_tokenize.stages import TOKENS
from siku_tokenize.vocabulary import of_model

DOCUMENTS = {
    "train/poetry": ["床前明月光，疑是地上霜。", "", "<s> 明月</s>", "月" * 500],
    "train/english": ["The moonlight\n\n  before my bed\0"],
    "validation/poetry": ["白日依山尽", "😀龘"],
    "validation/empty": [],
}
Pack = Callable[..., tuple[Context, Outcome]]


@pytest.fixture
def run_pack(tmp_path: Path, extended: Model, drive: Callable[..., Outcome], write_corpus: Callable[..., None]) -> Pack:
    """Run the stage on DOCUMENTS; keywords go to `[tokens]`."""
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "tokenizer.model").write_bytes(extended.raw)
    write_proof(tokenizer, differences=0)
    write_corpus(tmp_path / "corpus", DOCUMENTS)

    def run(name: str = "a", **knobs: Any) -> tuple[Context, Outcome]:
        source = Source(name="poetry", format="x", where="x", license="CC0-1.0", profile="poetry")
        context = Context(
            recipe=Recipe(name="try", source=(source,), tokens=Tokens(**knobs)),
            folder=tmp_path / name,
            parents={"corpus": tmp_path / "corpus", "tokenizer": tokenizer},
        )
        context.folder.mkdir()
        return context, drive(TOKENS, context)

    return run


def write_proof(folder: Path, *, differences: int) -> None:
    proof = Proof(base_pieces=0, new_pieces=0, english_lines=0, compared_lines=0, encoder_differences=differences)
    write_json(folder / "proof.json", msgspec.to_builtins(proof))


def expected(model: Model, documents: list[str], *, bos: list[int]) -> list[list[int]]:
    reference = sentencepiece.SentencePieceProcessor(model_proto=model.raw)
    return [[*bos, *ids, reference.eos_id()] for ids in reference.encode(documents)]


def read(folder: Path, stem: str) -> list[list[int]]:
    file = TokenFile(folder / stem)
    return [file.document(i).tolist() for i in range(file.document_count)]


@pytest.mark.parametrize("bos", [False, True])
def test_documents_and_their_end(run_pack: Pack, extended: Model, bos: bool) -> None:
    context, outcome = run_pack(bos=bos)
    for stem in ("train/poetry", "train/english", "validation/poetry"):
        assert read(context.folder, stem) == expected(extended, DOCUMENTS[stem], bos=[1] if bos else [])
        assert f"{stem}.bin" in outcome.shards
        assert f"{stem}.idx" in outcome.shards
    counts = outcome.counts["poetry"]
    tokens = sum(TokenFile(context.folder / f"{split}/poetry").token_count for split in ("train", "validation"))
    assert (counts.read, counts.kept, counts.tokens) == (6, 6, tokens)
    assert counts.characters == sum(map(len, DOCUMENTS["train/poetry"] + DOCUMENTS["validation/poetry"]))
    assert {block.section for block in findings.decode(findings.encode(outcome.findings))} == {"tokens"}


def test_where_ranges_end_leaves_no_trace(run_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, outcome = run_pack("whole")
    monkeypatch.setattr(pack, "RANGE_BYTES", 1)
    monkeypatch.setattr("siku_tokenize.encode.BATCH_BYTES", 20)
    parts, _ = run_pack("parts")
    for name in outcome.shards:
        assert (whole.folder / name).read_bytes() == (parts.folder / name).read_bytes()


def test_without_a_proof_sentencepiece_does_the_work(run_pack: Pack, tmp_path: Path) -> None:
    fast, outcome = run_pack("fast")
    write_proof(tmp_path / "tokenizer", differences=1)
    pack.load_encoder.cache_clear()
    assert pack.load_encoder(tmp_path / "tokenizer").reason.startswith("it gave other ids than sentencepiece")
    slow, _ = run_pack("slow")
    for name in outcome.shards:
        assert (fast.folder / name).read_bytes() == (slow.folder / name).read_bytes()


def test_a_native_tokenizer_does_the_work(run_pack: Pack, tmp_path: Path, byte_level: dict[str, Any]) -> None:
    folder = tmp_path / "tokenizer"
    (folder / "tokenizer.model").unlink()
    (folder / "tokenizer.json").write_bytes(byte_level["raw"])
    (folder / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|end|>"}}')
    pack.load_encoder.cache_clear()
    context, outcome = run_pack()
    reference = tokenizers.Tokenizer.from_str(byte_level["raw"].decode())
    reference.encode_special_tokens = True
    for stem in ("train/poetry", "train/english", "validation/poetry"):
        found = reference.encode_batch(DOCUMENTS[stem], add_special_tokens=False)
        assert read(context.folder, stem) == [[*encoding.ids, byte_level["end"]] for encoding in found]
    assert outcome.counts["poetry"].tokens
    with pytest.raises(RecipeError, match=r"tokens\.bos = true, but this tokenizer has no beginning"):
        run_pack("b", bos=True)


@pytest.mark.slow
def test_fifty_megabytes_of_one_character_and_of_many(
    run_pack: Pack, tmp_path: Path, write_corpus: Callable[..., None], extended: Model
) -> None:
    """No stage before this one lets such documents through; a corpus made by others may hold them."""
    mixed = "".join(DOCUMENTS["train/poetry"][:3] + DOCUMENTS["train/english"]) * 120_000
    documents = ["月" * 16_000_000, mixed, "龘" * 1_000_000]
    write_corpus(tmp_path / "corpus", {"train/large": documents})
    context, outcome = run_pack()
    file = TokenFile(context.folder / "train/large")
    assert outcome.counts["large"].kept == 3
    spelled = np.array([len(spelled) for spelled in of_model(extended).spelled])
    for i, text in enumerate(documents):
        assert spelled[file.document(i)].sum() == len(text.encode()) + 1  # the space in front; EOS is none
    reference = sentencepiece.SentencePieceProcessor(model_proto=extended.raw)
    assert np.array_equal(file.document(1)[:-1], reference.encode(mixed))


def test_a_damaged_shard_is_named(run_pack: Pack, tmp_path: Path) -> None:
    shard = tmp_path / "corpus" / "train" / "english-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"english-00000.parquet: cannot be read .* rebuild its stage"):
        run_pack()


@pytest.mark.parametrize(
    ("bos", "eos", "framed"),
    [
        (-1, -1, [5, 6, 7]),
        (-1, 2, [5, 6, 2, 7, 2, 2]),
        (1, 2, [1, 5, 6, 2, 1, 7, 2, 1, 2]),
        (1, -1, [1, 5, 6, 1, 7, 1]),
    ],
)
def test_frames(bos: int, eos: int, framed: list[int]) -> None:
    ids, lengths = pack.frame_documents(np.array([5, 6, 7], np.uint16), np.array([2, 1, 0]), bos=bos, eos=eos)
    assert ids.tolist() == framed
    assert lengths.tolist() == [n + (bos >= 0) + (eos >= 0) for n in (2, 1, 0)]
