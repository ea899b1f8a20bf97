"""The stage's own functions, as the runner calls them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.findings import Curve, Figures, Table
from siku_manifests.stage import Context, Outcome
from siku_tokenize.order import Share
from siku_train import build
from siku_train.build import run_windows, window_order
from siku_train.losses import LossFile
from siku_train.validation import total
from siku_train.windows import Reader, open_token_files

Make = Callable[..., Context]


def run_stage(context: Context) -> Outcome:
    """Do what the runner does, without its bookkeeping."""
    (range_,) = build.plan(context)
    partial = context.folder / "parts/train/00000.partial"
    partial.mkdir(parents=True, exist_ok=True)
    build.train(context, range_, partial)
    partial.replace(context.part("train", 0))
    return build.finish(context)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Filled by the first test that needs it."""
    return {"folder": tmp_path_factory.mktemp("built")}


@pytest.fixture
def outcome(built: dict[str, Any], make_context: Make) -> tuple[Context, Outcome]:
    """One finished stage for the tests that only look at it."""
    if "outcome" not in built:
        built["context"] = make_context(built["folder"])
        built["outcome"] = run_stage(built["context"])
    return built["context"], built["outcome"]


def test_every_file_is_there(outcome) -> None:
    context, done = outcome
    assert done.shards == [
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "base/config.json",
        "base/generation_config.json",
        "base/model.safetensors",
        "losses.jsonl",
    ]
    assert all((context.folder / name).is_file() for name in [*done.shards, *done.extra_files])
    assert done.environment == {"torch threads": "1"}


def test_windows_add_up(outcome) -> None:
    _, done = outcome
    assert all(count.balanced for count in done.counts.values())
    assert sum(count.tokens for count in done.counts.values()) == 64 * 2 * 8
    # 16 windows were read, some of `odd` twice: its weight asks for more than it has
    assert 8 < sum(count.kept for count in done.counts.values()) <= 16
    assert done.counts["odd"].tokens > done.counts["even"].tokens > 0


def test_the_mixture_follows_its_knobs(make_context: Make, tmp_path: Path) -> None:
    """`odd` has twice the weight of `even`."""

    def mix(**knobs: float) -> dict[str, Share]:
        context = make_context(tmp_path, **knobs)
        reader = Reader(open_token_files(context.parents["tokens"] / "train"), 64, 2)
        return {share.source: share for share in window_order(context, reader).shares}

    plain, even, capped = mix(), mix(temperature=1e9), mix(epoch_cap=1.0)
    asked = 2 * plain["odd"].windows / (2 * plain["odd"].windows + plain["even"].windows)
    assert plain["odd"].asked == pytest.approx(asked)
    assert even["odd"].asked == pytest.approx(2 / 3)
    assert capped["odd"].draws == capped["odd"].windows
    assert capped["odd"].realised < capped["odd"].asked == plain["odd"].asked


def test_a_temperature_and_shares_exclude_each_other(make_context: Make, tmp_path: Path) -> None:
    context = make_context(tmp_path, temperature=2.0)
    sources = tuple(msgspec.structs.replace(source, share=0.5) for source in context.recipe.source)
    context = msgspec.structs.replace(context, recipe=msgspec.structs.replace(context.recipe, source=sources))
    reader = Reader(open_token_files(context.parents["tokens"] / "train"), 64, 2)
    with pytest.raises(RecipeError, match=r"pretrain\.temperature changes shares"):
        window_order(context, reader)


def test_the_report_is_told(outcome) -> None:
    context, done = outcome
    figures, curve, by_source, table, pieces, windows, mixture = done.findings
    assert isinstance(figures, Figures)
    assert isinstance(curve, Curve)
    assert isinstance(table, Table)
    validations = LossFile(context.folder / "losses.jsonl").validations()
    last = total(validations[8])
    assert figures.items[1][1].endswith(f"{last.loss:.2f}")
    assert "A demonstration: this run read 1,024 tokens" in figures.items[2][2]
    assert curve.series[1][1][-1] == (8.0, pytest.approx(last.loss))
    assert [row[0] for row in table.rows] == ["even", "odd"]
    assert [name for name, _ in by_source.series] == ["even", "odd"]
    after = validations[8]
    assert by_source.series[1][1][-1] == (8.0, pytest.approx(after["odd"].bits_per_byte))
    assert len(by_source.series[0][1]) == len(validations)
    assert [row[1] for row in pieces.rows] == [last.new_tokens, last.tokens - last.new_tokens]
    assert last.new_tokens > 0
    assert [row[0] for row in mixture.rows] == ["even", "odd"]
    assert sum(row[4] for row in mixture.rows) == pytest.approx(100, abs=0.02)
    for source, tokens, count, read, discarded, filled, *_ in windows.rows:
        assert (tokens - 1 + filled, discarded) == (64 * count, 0)
        assert done.counts[source].kept == read


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")
def test_peft_alone_can_load_the_result(outcome) -> None:
    context, _ = outcome
    model = AutoModelForCausalLM.from_pretrained(context.folder / "base")
    model.resize_token_embeddings(384, mean_resizing=False)
    adapted = PeftModel.from_pretrained(model, str(context.folder / "adapter"))
    weights = adapted.state_dict()["base_model.model.lm_head.modules_to_save.default.weight"]
    assert weights.shape == (384, 64)
    assert not weights.equal(model.state_dict()["lm_head.original_module.weight"])


def test_a_base_in_a_folder_gives_the_same_model_as_the_seeded_one(outcome, make_context: Make, tmp_path: Path) -> None:
    seeded, _ = outcome
    done = run_stage(make_context(tmp_path, base=str(seeded.folder / "base")))
    assert not any(name.startswith("base/") for name in done.shards)
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / weights).read_bytes() == (seeded.folder / weights).read_bytes()
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(seeded.folder / "base")


def test_windows_of_a_run() -> None:
    options = msgspec.structs.replace(build.Pretrain(), tokens=400_000, length=512, batch=2, accumulation=1)
    assert run_windows(options, 10**6) == 782
    assert run_windows(msgspec.structs.replace(options, tokens=0, epochs=1.5), 101) == 152
    assert run_windows(msgspec.structs.replace(options, tokens=1), 101) == 2


def test_a_tokenizer_of_another_base_is_one_sentence(make_context: Make, tmp_path: Path, base: Path) -> None:
    context = make_context(tmp_path, base=str(base))
    listing = (context.parents["tokenizer"] / "vocabulary.tsv").read_text(encoding="utf-8")
    other = tmp_path / "tokenizer"
    other.mkdir()
    (other / "tokenizer.model").write_bytes((context.parents["tokenizer"] / "tokenizer.model").read_bytes())
    (other / "vocabulary.tsv").write_text(listing.replace("\tnew\t", "\tnormal\t", 8), encoding="utf-8")
    context.parents["tokenizer"] = other
    with pytest.raises(RecipeError, match="do not belong together"):
        build.train(context, build.plan(context)[0], tmp_path)


def tokens_of(context: Context, folder: Path) -> Path:
    """A copy of the token files that a test may spoil."""
    shutil.copytree(context.parents["tokens"], folder)
    context.parents["tokens"] = folder
    return folder / "train" / "odd"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda ids: np.where(ids == 2, 1, ids),
            r"odd: holds documents that end with id 1, but the tokenizer has 384 p",
        ),
        (
            lambda ids: np.where(ids > 380, 5000, ids),
            r"odd: holds id 5000, but .* ends documents with 2; it was made by",
        ),
        (lambda ids: ids[:-7], r"odd\.bin: \d+ bytes, but its index describes \d+; rebuild it with `siku tokens`"),
    ],
)
def test_token_files_of_another_tokenizer_and_damaged_ones(
    make_context: Make, tmp_path: Path, spoil: Callable[[Any], Any], message: str
) -> None:
    context = make_context(tmp_path)
    path = tokens_of(context, tmp_path / "tokens").with_suffix(".bin")
    spoil(np.fromfile(path, np.uint16)).astype(np.uint16).tofile(path)
    with pytest.raises(InputError, match=message):
        build.train(context, build.plan(context)[0], tmp_path)


def test_token_files_without_their_index(make_context: Make, tmp_path: Path) -> None:
    context = make_context(tmp_path)
    path = tokens_of(context, tmp_path / "tokens").with_suffix(".idx")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=r"odd\.idx: not a token file's index"):
        build.train(context, build.plan(context)[0], tmp_path)


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from siku_train import build
from siku_train.pretrain import PretrainTrainer

context = pickle.loads(Path(sys.argv[1]).read_bytes())
place, left = sys.argv[2], int(sys.argv[3])
own = getattr(PretrainTrainer, place)

def counted(*args, **kwargs):
    global left
    result = own(*args, **kwargs)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(PretrainTrainer, place, counted)
build.train(context, build.plan(context)[0], context.folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("place", "count"), [("evaluate", 2), ("training_step", 11), ("_save_checkpoint", 1)])
def test_killed_outright_a_new_process_ends_with_the_same_bytes(
    make_context: Make, tmp_path: Path, place: str, count: int
) -> None:
    import pickle

    def train(folder: Path, *when: str) -> int:
        folder.mkdir(exist_ok=True)
        (tmp_path / "context").write_bytes(pickle.dumps(make_context(folder)))
        command = [sys.executable, "-c", KILLED, str(tmp_path / "context"), *when]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": str(len(when[1]))}
        return subprocess.run(command, check=False, env=environment, capture_output=True).returncode

    assert train(tmp_path / "whole", place, "1000") == 0
    assert train(tmp_path / "killed", place, str(count)) == -signal.SIGKILL
    assert train(tmp_path / "killed", place, "1000") == 0
    for name in ("losses.jsonl", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert json.loads((tmp_path / "killed/result.json").read_text())["steps"] == 8
