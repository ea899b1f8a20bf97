"""Graphics cards that people train on: memory, speed of matrix products, speed of memory.

From the makers' data sheets: dense 16-bit products with sums in float32, no sparsity. The RTX cards do such sums
at half the speed that is often quoted for them.
"""

import msgspec

from siku_manifests.errors import RecipeError


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One card."""

    name: str
    memory: float
    """GiB that the driver reports for it."""
    teraflops: float
    """10¹² floating-point operations a second, 16-bit products."""
    bandwidth: float
    """10⁹ bytes a second between memory and processor."""
    bfloat16: bool = True
    """Whether it computes in bfloat16; if not, float16 and a loss scale are needed."""
    marks: tuple[str, ...] = ()
    """Parts of the name that its driver gives, all of which must be there."""


CARDS = {
    "t4": Card(name="T4 16 GB", memory=14.6, teraflops=65, bandwidth=320, bfloat16=False, marks=("T4",)),
    "v100-32": Card(
        name="V100 32 GB", memory=31.7, teraflops=125, bandwidth=900, bfloat16=False, marks=("V100", "32GB")
    ),
    "3090": Card(name="RTX 3090 24 GB", memory=23.7, teraflops=71, bandwidth=936, marks=("RTX 3090",)),
    "4090": Card(name="RTX 4090 24 GB", memory=23.6, teraflops=165, bandwidth=1008, marks=("RTX 4090",)),
    "a100-40": Card(name="A100 40 GB", memory=39.4, teraflops=312, bandwidth=1555, marks=("A100", "40GB")),
    "a100-80": Card(name="A100 80 GB", memory=79.2, teraflops=312, bandwidth=2039, marks=("A100", "80GB")),
    "h100": Card(name="H100 80 GB", memory=79.1, teraflops=989, bandwidth=3350, marks=("H100",)),
    "h200": Card(name="H200 141 GB", memory=139.7, teraflops=989, bandwidth=4800, marks=("H200",)),
}


def find_card(name: str) -> Card:
    """Give a card by its short name.

    Raises:
        RecipeError: no such card.
    """
    if name not in CARDS:
        msg = f"--card {name}: not known; there are {', '.join(CARDS)}, or give --memory, --flops and --bandwidth."
        raise RecipeError(msg)
    return CARDS[name]


def recognise(driver_name: str) -> Card | None:
    """Give the card that a driver's name means; None for one that is not in the table.

    Example:
        "NVIDIA A100-SXM4-80GB" -> CARDS["a100-80"]
    """
    for card in CARDS.values():
        if all(mark in driver_name for mark in card.marks):
            return card
    return None
