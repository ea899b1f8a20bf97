"""Which options of a method go together; what does not is refused before anything is loaded."""

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain

Refusal = tuple[bool, str]
"""Whether something is refused, and why."""


def check_method(options: Pretrain) -> None:
    """See that the recipe's options can be had together.

    Raises:
        RecipeError: they cannot.
    """
    for refused, why in (*_adapter_refusals(options), *_process_refusals(options)):
        if refused:
            msg = f"[pretrain] {why}."
            raise RecipeError(msg)


def _adapter_refusals(options: Pretrain) -> list[Refusal]:
    full = options.method == "full"
    named = {
        "targets": bool(options.targets),
        'embeddings = "frozen"': options.embeddings == "frozen",
        "rslora": options.rslora,
        "dora": options.dora,
        "adapter_start": options.adapter_start != "zero",
        "lora_plus": options.lora_plus != 1.0,
    }
    asked = next((name for name, is_set in named.items() if is_set), "")
    start = options.adapter_start
    return [
        (
            full and bool(asked),
            f'{asked} is an option of adapters, and method = "full" trains the weights themselves; leave it out or use '
            f'method = "lora"',
        ),
        (
            start == "pissa" and options.method != "lora",
            'adapter_start = "pissa" takes the largest singular values out of the base, whose NF4 form would have to '
            'be made anew; use method = "lora", or adapter_start = "loftq" with "qlora"',
        ),
        (
            start == "loftq" and options.method != "qlora",
            'adapter_start = "loftq" corrects what NF4 loses, and nothing is lost without it; use method = "qlora", or '
            'adapter_start = "pissa" with "lora"',
        ),
        (
            options.dora and start != "zero",
            f'dora = true measures the base before training, which adapter_start = "{start}" changes; use '
            f'adapter_start = "zero"',
        ),
        (options.lora_plus <= 0, f"lora_plus = {options.lora_plus:g} is no factor of a learning rate; use 1 to 16"),
    ]


def _process_refusals(options: Pretrain) -> list[Refusal]:
    return [
        (
            options.accumulation % options.processes != 0,
            f"processes = {options.processes} do not divide accumulation = {options.accumulation}, the batches of a "
            f"step that they share; change one of the two",
        ),
        (
            options.sharding == "full" and options.processes == 1,
            'sharding = "full" divides a model among processes; set processes to the number of GPUs',
        ),
        (
            options.sharding == "full" and not options.optimizer.startswith("adamw_torch"),
            f'sharding = "full" divides the optimiser too, which {options.optimizer} cannot be; use '
            f'optimizer = "adamw_torch_fused"',
        ),
        (
            options.sharding == "full" and (options.adapter_start != "zero" or options.dora),
            'sharding = "full" goes with plain adapters only; use adapter_start = "zero" and dora = false',
        ),
    ]
