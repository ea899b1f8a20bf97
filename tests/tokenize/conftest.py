"""A small corpus, a base vocabulary small enough to see through, and a way to run the room's stages."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
import tokenizers

from siku_manifests.archives import open_member
from siku_manifests.document import DOCUMENT_SCHEMA
from siku_manifests.equation import Counts, check_equation
from siku_manifests.manifest import Identity, Record, write_manifest
from siku_manifests.pool import run_range
from siku_manifests.shards import write_table
from siku_manifests.stage import Context, Outcome, Stage, load_function
from siku_tokenize.learn import learn_candidates
from siku_tokenize.merge import merge_vocabulary
from siku_tokenize.modelfile import Model, parse_model, read_model
from siku_tokenize.native import NativeEncoder
from siku_tokenize.vocabulary import Vocabulary, of_native

MISTRAL = "pypi:mistral-common==1.13.1"
MISTRAL_SHA256 = "98b4d0755b8d90bf4691fa8f1b70cb3b4a8cd4dc1653c4ed08ef3d1c7d2c29af"
MISTRAL_PATH = "mistral_common/data/tokenizer.model.v1"


@pytest.fixture(scope="session")
def mistral(package: Callable[[str, str], Path]) -> Model:
    """The base vocabulary of the sample recipe, from the cache of packages or the registry."""
    with open_member(package(MISTRAL, MISTRAL_SHA256), MISTRAL_PATH) as stream:
        return parse_model(stream.read())


@pytest.fixture(scope="session")
def alpaca(shared_tokenizers: Path) -> Model:
    """A vocabulary extended by the usual merge script: equal scores, pieces out of reach."""
    return parse_model((shared_tokenizers / "chinese-llama-alpaca-2.model").read_bytes())


@pytest.fixture(scope="session")
def write_corpus() -> Callable[[Path, dict[str, list[str]]], None]:
    """A function that makes a folder a finished corpus stage."""
    return _write_corpus


def _write_corpus(folder: Path, texts: dict[str, list[str]]) -> None:
    """Write a finished corpus stage: `{"train/poetry": [text, …]}`."""
    counts: dict[str, Counts] = {}
    for stem, documents in texts.items():
        source = stem.split("/")[1]
        rows = [
            {"id": f"{source}/{stem}#{i}", "text": text, "source": source, "language": "zh", "license": "CC0-1.0"}
            | {"meta": "{}"}
            for i, text in enumerate(documents)
        ]
        path = folder / f"{stem}-00000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(pa.Table.from_pylist(rows, DOCUMENT_SCHEMA), path)
        found = Counts(read=len(rows), kept=len(rows), characters=sum(map(len, documents)))
        counts[source] = counts.get(source, Counts()) + found
    identity = Identity(kind="corpus", parents={}, recipe={}, shards=())
    write_manifest(folder, identity, Record(key="", counts=counts, files=(), seed=0, code="", environment={}))


@pytest.fixture(scope="session")
def drive() -> Callable[[Stage, Context], Outcome]:
    """Run a stage's phases and finish in this process, as the runner does with one worker."""

    def run(stage: Stage, context: Context) -> Outcome:
        for phase in stage.phases:
            for range_ in load_function(phase.plan)(context):
                run_range(context, phase, range_)
        outcome: Outcome = load_function(stage.finish)(context)
        check_equation(outcome.counts, stage=stage.name)
        return outcome

    return run


POEM = (
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n",
    "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。\n",
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n",
    "明月出天山，苍茫云海间。长风几万里，吹度玉门关。\n",
    "中华人民共和国的人民，中国的明月，人民共和国。\n",
)
ENGLISH = (
    "def total(counts):\n    return sum(counts, Counts())\n",
    "The moonlight before my bed seems like frost upon the ground.\n",
    "    if not found:\n        raise ValueError('no such document')\n",
)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A base as LLaMA's is made (BPE, byte fallback, nothing rewritten), of a few hundred pieces."""
    folder = tmp_path_factory.mktemp("tiny")
    lines = [*ENGLISH, "人们看月亮", "的一是"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(folder / "tiny"),
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return read_model(folder / "tiny.model")


@pytest.fixture(scope="session")
def texts() -> pa.Array:
    """Some documents of each kind, verses repeated so that there is something to learn."""
    chance = random.Random(5)
    verses = [chance.choice(POEM) + chance.choice(POEM) for _ in range(300)]
    rare = "，".join(chr(0x7000 + i) for i in range(30))
    return pa.array([*verses, rare, *ENGLISH], pa.large_string())


@pytest.fixture(scope="session")
def extended(tiny: Model, texts: pa.Array) -> Model:
    """The tiny base with 64 pieces or so more, as a recipe would make it."""
    size = (len(tiny.pieces) + 127) // 64 * 64
    return merge_vocabulary(tiny, learn_candidates(texts, count=120), texts, size=size)


@pytest.fixture(scope="session")
def byte_level(texts: pa.Array) -> dict[str, Any]:
    """A byte-level BPE tokenizer.json as GPT-2's and Qwen's are made, with one control token: raw, size, end."""
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(
        texts.to_pylist(), vocab_size=400, min_frequency=2, special_tokens=["<|end|>"], show_progress=False
    )
    raw = trained.to_str().encode()
    return {"raw": raw, "size": trained.get_vocab_size(), "end": trained.token_to_id("<|end|>")}


@pytest.fixture(scope="session")
def native(byte_level: dict[str, Any]) -> Vocabulary:
    """The same, opened."""
    return of_native(NativeEncoder(byte_level["raw"], config={"eos_token": "<|end|>"}, name="native"), name="native")
