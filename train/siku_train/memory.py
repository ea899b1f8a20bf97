"""How much memory a training run needs, part by part, from the shape of its base.

What lies in memory all the time is counted exactly. What a layer keeps for its backward pass is counted as the
operations of transformers' decoder layers and peft's adapters save it (tests compare it with what torch saves).
At the peak three things can be in the way, never at once: the loss, the backward pass of one layer, the
optimiser's step. Two figures are experience: what CUDA takes for itself, and what is lost between allocations.

Legend: H hidden, A width of attention, I width of the feed-forward network, V vocabulary, r rank; a token is one
place of a window, padding included.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from siku_manifests.sections import Pretrain
from siku_train.loss import CHUNK_BYTES
from siku_train.shape import Shape

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Of a weight: four bits, an 8-bit constant for 64 of them, and a float32 for 256 of those (double quantisation)."""
CONTEXT_BYTES = 0.6e9
"""CUDA's own: kernels, cuBLAS workspace."""
FRAGMENTATION = 0.04
"""Lost between allocations, of all the rest."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What decides memory besides the shape of the base."""

    method: Literal["qlora", "lora", "full"] = "qlora"
    rank: int = 64
    targets: tuple[str, ...] = ()
    """Kinds of layers that get an adapter; with none, all."""
    batch: int = 1
    length: int = 1024
    weight_bytes: float = NF4_BYTES
    """Of a frozen weight of a linear layer."""
    frozen_bytes: float = 2.0
    """Of every other frozen weight."""
    compute_bytes: int = 2
    """Of an activation inside a layer."""
    stream_bytes: int = 4
    """Of the hidden states between layers, which are float32 where the embedding is."""
    dropout_bytes: float = 1.0
    """Of what dropout remembers for each input; 0 without dropout."""
    trained_bytes: float = 4.0
    gradient_bytes: float = 4.0
    state_bytes: float = 8.0
    """Of the optimiser, for each trained weight."""
    step_bytes: float = 0.0
    """That the optimiser's step needs for each trained weight while it runs."""
    embeddings: Literal["trained", "frozen"] = "trained"
    originals: bool = True
    """Whether a frozen copy of a trained embedding and head stays, as peft keeps one."""
    shards: int = 1
    """Cards that share weights, gradients and optimiser (FSDP)."""
    checkpointing: bool = True
    logit_bytes: float = 0.0
    """Of the whole logits that a loss holds at once, for each place and piece; 0 for the loss in chunks."""


STATE_BYTES = {"adamw_8bit": 2.03, "paged_adamw_8bit": 2.03}
"""Two moments in 8 bits and a float32 for 256 of each; two float32 with every other optimiser."""
STEP_BYTES = {"adamw_torch": 4.0}
"""torch's plain AdamW works on all weights at once and holds a term as large as they are."""


def recipe_setup(options: Pretrain, *, dtype: str) -> Setup:
    """Translate a recipe's section.

    Args:
        options: the section.
        dtype: what `auto` means on the card in question: float32, bfloat16 or float16.
    """
    compute = 4 if dtype == "float32" else 2
    return Setup(
        method=options.method,
        rank=options.rank,
        targets=options.targets,
        embeddings="trained" if options.method == "full" else options.embeddings,
        shards=options.processes if options.sharding == "full" else 1,
        batch=options.batch,
        length=options.length,
        weight_bytes={"qlora": NF4_BYTES, "lora": compute, "full": 4.0}[options.method],
        frozen_bytes=compute,
        compute_bytes=compute,
        dropout_bytes=1.0 if options.dropout else 0.0,
        state_bytes=STATE_BYTES.get(options.optimizer, 8.0),
        step_bytes=STEP_BYTES.get(options.optimizer, 0.0),
        originals=options.method != "full" and options.embeddings == "trained",
        checkpointing=options.gradient_checkpointing,
    )


def trained_parameters(shape: Shape, setup: Setup) -> tuple[int, int]:
    """Count the trained parameters: of layers or adapters, and of embedding and head."""
    embeddings = shape.embedding_parameters if setup.embeddings == "trained" else 0
    layers = (
        shape.linear_parameters + shape.others
        if setup.method == "full"
        else shape.adapter_parameters(setup.rank, setup.targets)
    )
    return layers, embeddings


def layer_bytes(shape: Shape, setup: Setup) -> float:
    """Count what one layer keeps for its backward pass, in bytes for each token.

    The two norms keep their inputs; attention keeps q, k, v (k and v spread over all heads), its output and that
    output side by side; the feed-forward network keeps both its halves, the activation and their product. An
    adapter keeps the r values between its matrices and its input: after dropout a copy of its own and a mask; a
    copy of its own also where the input comes in float32 and has to be cast.
    """
    cell = setup.compute_bytes
    kept = 2.0 * shape.hidden * max(4, setup.stream_bytes)
    kept += cell * (4 * shape.attention + 3 * shape.intermediate)
    inputs = [(width, count / shape.layers) for width, _, count in shape.adapted(setup.targets)]
    if setup.method == "full" or (not setup.dropout_bytes and cell >= setup.stream_bytes):
        kept += cell * (2 * shape.hidden + shape.attention + shape.intermediate)
    else:
        kept += sum((cell + setup.dropout_bytes) * width * each for width, each in inputs)
    if setup.method != "full":
        kept += sum(cell * setup.rank * each for _, each in inputs)
    return kept


def static_parts(shape: Shape, setup: Setup) -> dict[str, float]:
    """Count what lies in memory all the time, in bytes by name."""
    layers, embeddings = trained_parameters(shape, setup)
    full = setup.method == "full"
    parts = {
        "frozen weights of the layers": 0.0 if full else shape.linear_parameters * (setup.weight_bytes // 0.5 * 0.5),
        "constants of their quantisation": shape.linear_parameters * (setup.weight_bytes % 0.5) if not full else 0.0,
        "frozen embedding, head and norms": 0.0,
        "trained layers or adapters": layers * setup.trained_bytes,
        "trained embedding and head": embeddings * setup.trained_bytes,
        "gradients": (layers + embeddings) * setup.gradient_bytes,
        "optimiser": (layers + embeddings) * setup.state_bytes,
    }
    if not full:
        kept = shape.embedding_parameters if setup.originals or not embeddings else 0
        parts["frozen embedding, head and norms"] = (kept + shape.others) * setup.frozen_bytes
    return {name: size / setup.shards for name, size in parts.items()}


def peak_parts(shape: Shape, setup: Setup) -> dict[str, float]:
    """Count all memory at the peak of a training step, in bytes by name."""
    tokens = setup.batch * setup.length
    parts = static_parts(shape, setup)
    stream = tokens * shape.hidden * setup.stream_bytes
    kept = tokens * layer_bytes(shape, setup)
    mask = setup.batch * setup.length**2
    if setup.checkpointing:
        parts["hidden states between layers"] = shape.layers * stream
    else:
        parts["activations of all layers"] = shape.layers * kept
    largest = max(inputs * outputs for inputs, outputs, _ in shape.linears.values()) * setup.compute_bytes
    passing = 2 * tokens * setup.compute_bytes * shape.intermediate + 2 * stream
    backward = (kept if setup.checkpointing else 0.0) + passing + largest
    at_once = {
        "one layer's backward pass": backward,
        "loss": loss_bytes(shape, setup) + 2 * stream,
        "optimiser's step": sum(trained_parameters(shape, setup)) * setup.step_bytes,
    }
    name = max(at_once, key=lambda key: at_once[key])
    parts[f"passing: {name}"] = at_once[name] + mask
    parts["lost between allocations"] = FRAGMENTATION * sum(parts.values())
    parts["CUDA itself"] = CONTEXT_BYTES
    return {name: size for name, size in parts.items() if size}


def loss_bytes(shape: Shape, setup: Setup) -> float:
    """Count what the loss needs while it runs: in chunks two chunks and the head's gradient, or whole logits."""
    if setup.logit_bytes:
        return setup.logit_bytes * setup.batch * setup.length * shape.vocabulary
    head = shape.vocabulary * shape.hidden
    cast = head * setup.compute_bytes if setup.compute_bytes < setup.trained_bytes else 0
    return 2 * CHUNK_BYTES + cast + (4.0 * head if setup.embeddings == "trained" else 0.0)


def peak_bytes(shape: Shape, setup: Setup) -> float:
    """Sum `peak_parts`."""
    return sum(peak_parts(shape, setup).values())


def largest_batch(shape: Shape, setup: Setup, room: float) -> int:
    """Find the most windows of the setup's length that fit into `room` bytes at once; 0 if not even one does."""
    return _largest(lambda count: peak_bytes(shape, msgspec.structs.replace(setup, batch=count)) <= room)


def largest_length(shape: Shape, setup: Setup, room: float, *, step: int = 64) -> int:
    """Find the longest window, a multiple of `step`, of which the setup's batch fits into `room` bytes."""
    return step * _largest(lambda count: peak_bytes(shape, msgspec.structs.replace(setup, length=count * step)) <= room)


def _largest(fits: Callable[[int], bool]) -> int:
    """The largest number that fits, given that every smaller one does; at most a million."""
    low, high = 0, 1
    while high <= 1_000_000 and fits(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
