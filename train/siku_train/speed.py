"""How fast a training run will be on a card, from the shape of its base: a roofline with stated assumptions.

A batch takes the time of its matrix products at a share of the card's peak, of unpacking NF4 weights, of the
optimiser's reading and writing, and of starting kernels. Shares and constants are experience, checked against what
the makers of Qwen published for LoRA on an A100 (see benchmarks/estimate.py): expect a quarter more or less.
"""

import msgspec

from siku_train.cards import Card
from siku_train.memory import Setup, trained_parameters
from siku_train.shape import Shape

PRODUCT_SHARE = 0.5
"""Of the card's peak that matrix products reach."""
BANDWIDTH_SHARE = 0.8
"""Of the card's bandwidth that copying kernels reach."""
LAYER_SECONDS = 2.5e-3
"""To start the kernels of one layer, forward, again and backward, with an adapter on each linear layer."""
UNPACK_BYTES = 0.5 + 2 + 2
"""Moved to unpack an NF4 weight: read four bits, write 16, and read these in the product."""


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """What to expect."""

    tokens_per_second: float
    mfu: float
    """Share of the card's peak that goes into the operations that the model cannot do without."""


def estimate_speed(shape: Shape, setup: Setup, card: Card, *, accumulation: int, share: float = PRODUCT_SHARE) -> Speed:
    """Estimate the speed of training on one card.

    Args:
        shape: of the base, its vocabulary extended.
        setup: method, batch and length.
        card: what it runs on.
        accumulation: batches in an optimiser step.
        share: of the peak that matrix products reach.
    """
    tokens = setup.batch * setup.length
    peak = card.teraflops * 1e12 * (1 if setup.compute_bytes == 2 else 0.125)
    passes = 3 if setup.checkpointing else 2
    done = tokens * token_flops(shape, setup, again=setup.checkpointing)
    seconds = done / (peak * share) + shape.layers * LAYER_SECONDS
    if setup.method == "qlora":
        seconds += passes * shape.linear_parameters * UNPACK_BYTES / (card.bandwidth * 1e9 * BANDWIDTH_SHARE)
    moved = setup.trained_bytes * 2 + setup.gradient_bytes * 2 + setup.state_bytes * 2
    step = sum(trained_parameters(shape, setup)) * moved / (card.bandwidth * 1e9 * BANDWIDTH_SHARE)
    speed = tokens / (seconds + step / accumulation)
    needed = token_flops(shape, setup, again=False)
    return Speed(tokens_per_second=speed, mfu=speed * needed / (card.teraflops * 1e12))


def token_flops(shape: Shape, setup: Setup, *, again: bool) -> float:
    """Count the floating-point operations of one token, forward and backward.

    Two for each weight forward, two for the gradient of its input, two for the gradient of the weight where it is
    trained; with `again`, the layers' forward pass twice. Attention adds 4 · length / 2 · width a layer forward
    (half of the places lie before a token), twice that backward.
    """
    adapters = 0 if setup.method == "full" else shape.adapter_parameters(setup.rank, setup.targets)
    layers = (6 if setup.method == "full" else 4) * shape.linear_parameters + 6 * adapters
    attention = 2.0 * setup.length * shape.attention * shape.layers
    head = (6 if setup.embeddings == "trained" else 4) * shape.vocabulary * shape.hidden
    repeated = 2 * (shape.linear_parameters + adapters) + attention if again else 0.0
    return layers + head + 3 * attention + repeated
