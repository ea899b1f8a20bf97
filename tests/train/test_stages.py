"""The light modules stay light."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from siku_manifests.recipe import Recipe
from siku_manifests.runner import recipe_slice
from siku_manifests.stage import load_function
from siku_train.stages import PRETRAIN


def test_neither_stage_nor_command_imports_anything_heavy() -> None:
    script = (
        "import sys, siku_train.stages, siku_train.command\n"
        "print([name for name in ('torch', 'numpy', 'transformers', 'peft', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_named_function_is_there() -> None:
    for name in (PRETRAIN.finish, *(name for phase in PRETRAIN.phases for name in (phase.plan, phase.work))):
        assert callable(load_function(name))


@pytest.mark.parametrize("knob", PRETRAIN.free)
def test_a_knob_that_decides_no_byte_is_no_part_of_the_key(knob: str) -> None:
    name = knob.partition(".")[2]
    plain = Recipe(name="r", source=())
    value = {"report_to": ("wandb",), "max_loss_leap": 0.5}.get(name, 7)
    turned = msgspec.structs.replace(plain, pretrain=msgspec.structs.replace(plain.pretrain, **{name: value}))
    assert plain != turned
    assert recipe_slice(PRETRAIN, plain) == recipe_slice(PRETRAIN, turned)
    other = msgspec.structs.replace(plain, pretrain=msgspec.structs.replace(plain.pretrain, rank=7))
    assert recipe_slice(PRETRAIN, plain) != recipe_slice(PRETRAIN, other)
