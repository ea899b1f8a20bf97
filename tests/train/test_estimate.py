"""`siku estimate`: verdicts for people, and published figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Pretrain, Tokenizer
from siku_train.cards import CARDS, find_card, recognise
from siku_train.command import estimate as command
from siku_train.estimate import estimate, estimate_everywhere, lines, table_lines, verdict
from siku_train.shape import PUBLISHED

BENCHMARK = Path(__file__).parents[2] / "benchmarks/estimate.py"
REFERENCE = Recipe(
    name="reference",
    source=(),
    tokenizer=Tokenizer(size=55_296),
    pretrain=Pretrain(
        base="meta-llama/Llama-2-7b-hf",
        dtype="auto",
        batch=6,
        accumulation=2,
        gradient_checkpointing=True,
        tokens=10**9,
    ),
)


def changed(**options: object) -> Recipe:
    return msgspec.structs.replace(REFERENCE, pretrain=msgspec.structs.replace(REFERENCE.pretrain, **options))


def test_published_peaks_of_qlora_are_met_within_15_percent() -> None:
    spec = importlib.util.spec_from_file_location("benchmark_estimate", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    claims = [claim for claim in benchmark.memory_claims() if claim.checked]
    assert len(claims) == 27
    assert {claim.what: claim.error for claim in claims if abs(claim.error) > 0.15} == {}


def test_the_reference_recipe_fits_the_card_it_was_trained_on() -> None:
    found = estimate(REFERENCE, find_card("v100-32"))
    assert found.fits
    assert verdict(found).startswith("fits: ")
    told = "\n".join(lines(found))
    assert "612,892,672" in told
    assert "the recipe's 1,000,000,000 tokens on one card" in told


def test_what_does_not_fit_says_which_knob_to_turn_and_the_knob_helps() -> None:
    plain = changed(gradient_checkpointing=False, batch=16)
    first = estimate(plain, CARDS["a100-40"])
    assert verdict(first).startswith("does not fit")
    assert "gradient_checkpointing = true" in verdict(first)
    assert estimate(changed(batch=16), CARDS["a100-40"]).fits
    second = estimate(changed(batch=64), CARDS["v100-32"])
    batch = int(verdict(second).split("pretrain.batch = ")[1].split(" ")[0])
    assert estimate(changed(batch=batch), CARDS["v100-32"]).fits
    third = estimate(changed(method="lora", batch=1), CARDS["3090"])
    assert 'method = "qlora"' in verdict(third)


def test_every_card_has_a_line_and_larger_cards_take_larger_batches() -> None:
    found = estimate_everywhere(REFERENCE)
    assert len(list(table_lines(found))) == len(CARDS) + 1
    v100, h100 = (next(one for one in found if one.card is CARDS[name]) for name in ("v100-32", "h100"))
    assert v100.speed.tokens_per_second < h100.speed.tokens_per_second
    assert 0.1 < h100.speed.mfu < 0.5


def test_half_precision_follows_the_card() -> None:
    with pytest.raises(RecipeError, match="V100 32 GB does not have it"):
        estimate(changed(dtype="bfloat16"), CARDS["v100-32"])
    assert estimate(changed(dtype="bfloat16"), CARDS["3090"]).setup.compute_bytes == 2


def test_a_base_is_found_by_its_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED["llama-2-7b"]))
    by_folder = estimate(changed(base=str(tmp_path)), CARDS["3090"])
    assert by_folder.bytes == estimate(REFERENCE, CARDS["3090"]).bytes
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "baichuan", **PUBLISHED["llama-2-7b"]} | {"model_type": "baichuan"})
    )
    packed = estimate(changed(base=str(tmp_path)), CARDS["3090"])
    assert packed.shape.linears["W_pack"] == (4096, 12288, 32)


def test_a_base_that_cannot_be_known_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nothing is downloaded for an estimate"):
        estimate(changed(base="someone/unheard-of"), CARDS["3090"])
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not a model's configuration"):
        estimate(changed(base=str(tmp_path)), CARDS["3090"])
    (tmp_path / "config.json").write_text('{"model_type": "bert-of-mars"}')
    with pytest.raises(InputError, match="cannot build this base"):
        estimate(changed(base=str(tmp_path)), CARDS["3090"])


def test_drivers_names_are_recognised() -> None:
    names = {
        "NVIDIA A100-SXM4-80GB": "a100-80",
        "Tesla V100-SXM2-32GB": "v100-32",
        "NVIDIA GeForce RTX 4090": "4090",
        "NVIDIA H100 80GB HBM3": "h100",
    }
    assert {name: recognise(name) for name in names} == {name: CARDS[card] for name, card in names.items()}
    assert recognise("AMD Instinct MI300X") is None


def test_the_command_answers_and_its_status_says_whether_it_fits() -> None:
    recipe = ["sample", "--set", "pretrain.base=llama-2-7b", "--set", "pretrain.dtype=auto"]
    done = CliRunner().invoke(command, [*recipe, "--card", "h100"], standalone_mode=False)
    assert done.exception is None
    assert "fits:" in done.output
    mine = ["--memory", "8", "--flops", "100", "--bandwidth", "500"]
    short = CliRunner().invoke(command, [*recipe, *mine], standalone_mode=False)
    assert isinstance(short.exception, RecipeError)
    assert "sample on your card does not fit" in str(short.exception)
    half = CliRunner().invoke(command, [*recipe, "--memory", "8"], standalone_mode=False)
    assert "--flops, --bandwidth is missing" in str(half.exception)
    unknown = CliRunner().invoke(command, [*recipe, "--card", "voodoo2"], standalone_mode=False)
    assert "voodoo2: not known" in str(unknown.exception)
