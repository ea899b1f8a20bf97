"""The light modules stay light."""

from __future__ import annotations

import subprocess
import sys

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
