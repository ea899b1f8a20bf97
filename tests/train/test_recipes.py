"""The committed recipes of real runs say what was published, and a dry run says it before anything is there."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from siku_manifests.errors import RecipeError
from siku_manifests.recipe import Recipe, load_recipe
from siku_train.base import check_origin, has_gpu
from siku_train.command import pretrain
from siku_train.intent import intent_lines
from siku_train.methods import check_method

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
REAL = ("firefly-llama2-7b", "firefly-llama2-13b", "firefly-llama2-13b-24gb", "firefly-qwen2.5-7b")


def recipe_of(name: str, *overrides: str) -> Recipe:
    return load_recipe(str(MANIFESTS / name), overrides)


def test_the_published_run() -> None:
    options = recipe_of("firefly-llama2-7b").pretrain
    assert (options.method, options.rank, options.alpha, options.dropout) == ("qlora", 64, 16, 0.05)
    assert (options.targets, options.embeddings, options.gradient_checkpointing) == ((), "trained", True)
    assert (options.length, options.batch, options.accumulation) == (1024, 6, 2)
    assert (options.learning_rate, options.schedule, options.warmup_steps) == (2e-4, "cosine", 1000)
    assert (options.max_grad_norm, options.optimizer, options.dtype) == (0.3, "paged_adamw_32bit", "auto")


@pytest.mark.parametrize("name", REAL)
def test_every_real_recipe_is_one_that_could_run(name: str) -> None:
    recipe = recipe_of(name)
    check_method(recipe.pretrain)
    assert recipe.pretrain.device == "cuda"
    assert math.isclose(sum(source.share for source in recipe.source), 1, abs_tol=0.01)
    assert recipe.pretrain.batch * recipe.pretrain.accumulation in (12, 16)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("firefly-llama2-7b", "612,892,672 parameters"),
        ("firefly-llama2-13b", "816,578,560 parameters"),
        ("firefly-llama2-13b-24gb", "2 windows of 1,024 tokens, 12,288 tokens"),
        ("firefly-qwen2.5-7b", "embedding and head frozen: 161,480,704 parameters"),
    ],
)
def test_a_dry_run_says_what_would_be_trained(name: str, expected: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(pretrain, [str(MANIFESTS / name), "--dry-run", "--out", str(tmp_path)])
    assert f"training of recipe {name}\n" in shown.output
    assert expected in shown.output
    assert "(not there yet)" in shown.output
    # and then, as without --dry-run, which stage is missing and which command builds it
    assert "build it first: siku documents" in str(shown.exception)
    assert not list(tmp_path.iterdir())


def test_a_recipe_for_a_gpu_says_so_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    options = recipe_of("firefly-llama2-7b").pretrain
    with pytest.raises(
        RecipeError, match=r'device = "cuda", but torch sees no GPU here; .* --set pretrain\.device=cpu'
    ):
        has_gpu(options)
    assert not has_gpu(recipe_of("firefly-llama2-7b", "pretrain.device=cpu").pretrain)


def test_several_processes_and_a_base_on_the_hub() -> None:
    recipe = recipe_of(
        "firefly-llama2-7b",
        "pretrain.processes=4",
        "pretrain.accumulation=8",
        "pretrain.base=org/model",
        f'pretrain.revision="{"a" * 40}"',
        'pretrain.targets=["q_proj", "v_proj"]',
    )
    check_origin(recipe.pretrain)
    lines = "\n".join(intent_lines(recipe))
    assert "base: org/model at aaaaaaaaaaaa, from the Hub or its cache" in lines
    assert "49,152 tokens, shared by 4 processes" in lines
    assert "adapters of rank 64 on q_proj, v_proj" in lines
