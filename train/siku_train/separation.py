"""How documents of a window are kept from seeing each other, whatever the base's own code does.

    positions   transformers derives the separation from positions that restart, when it is given neither a mask
                nor a cache. Most families do so; Falcon's code does not hand the positions to its mask.
    mask        a mask of blocks is given, one block a document: for code that takes a mask as it is.
    row         the rows of a batch are laid end to end. Flash attention looks for restarting positions in a
                batch of one row only; with two rows its documents see each other, without a word.
    none        documents see each other, because the recipe says so.

Nothing here is taken on trust: `find_way` exchanges the first document of a window and looks whether the
second one notices.
"""

from typing import Any, Literal

import torch
from torch import Tensor

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain

Way = Literal["positions", "mask", "row", "none"]

NOTICED = 1e-3
"""Largest change of a hidden state, relative to the largest state, that rounding may make. A document that is
seen changes its neighbour by about 1; one that is not, by nothing at all."""

_PROBE_LENGTH = 64
_PROBE_BORDERS = (20, 33)  # another in each row, so that a mask taken from one row alone is found out


def document_numbers(position_ids: Tensor) -> Tensor:
    """Number the documents of each row from 1; they begin where the position is 0.

    Example:
        [[0, 1, 2, 0, 1]] -> [[1, 1, 1, 2, 2]]
    """
    return (position_ids == 0).cumsum(-1)


def block_mask(position_ids: Tensor, dtype: torch.dtype) -> Tensor:
    """Make the additive attention mask of packed documents.

    Args:
        position_ids: shape (B, L), restarting at 0.
        dtype: of the hidden states.

    Returns:
        Shape (B, 1, L, L): 0 where the row's place may look at the column's, the dtype's lowest value elsewhere.
    """
    numbers = document_numbers(position_ids)
    length = position_ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=position_ids.device).tril()
    allowed = (numbers[:, :, None] == numbers[:, None, :]) & causal
    hidden = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=position_ids.device)
    return torch.where(allowed, hidden.new_zeros(()), hidden)[:, None]


def hidden_states(model: Any, input_ids: Tensor, position_ids: Tensor, way: Way) -> Tensor:
    """Run a causal language model up to its head.

    Args:
        model: a transformers causal language model.
        input_ids: shape (B, L).
        position_ids: shape (B, L), restarting at each document.
        way: how documents are separated.

    Returns:
        Shape (B, L, H).
    """
    rows, length = input_ids.shape
    inputs: dict[str, Any] = {"input_ids": input_ids, "position_ids": position_ids}
    if way == "row":
        inputs = {name: tensor.reshape(1, -1) for name, tensor in inputs.items()}
    elif way == "mask":
        inputs["attention_mask"] = block_mask(position_ids, _compute_dtype(model))
    elif way == "none":
        del inputs["position_ids"]
    found: Tensor = model.base_model(**inputs, use_cache=False).last_hidden_state
    return found.reshape(rows, length, -1)


def _compute_dtype(model: Any) -> torch.dtype:
    kind = model.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype


@torch.no_grad()
def neighbour_change(model: Any, way: Way) -> float:
    """Measure how much a document changes when the one before it in the window is another.

    Two rows of two documents go through the model twice, the first document of each exchanged the second time.
    Shapes, positions and kernels are the same, so documents that are separated give the same bits.

    Returns:
        The largest change of a hidden state of the second documents, relative to the largest state.
    """
    generator = torch.Generator().manual_seed(0)
    rows = model.get_input_embeddings().weight.shape[0]
    ids = torch.randint(0, rows, (2, 2, _PROBE_LENGTH), generator=generator).to(model.device)
    places = torch.arange(_PROBE_LENGTH, device=model.device)
    positions = torch.stack([places - border * (places >= border) for border in _PROBE_BORDERS])
    for row, border in enumerate(_PROBE_BORDERS):
        ids[1, row, border:] = ids[0, row, border:]
    with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        states = []
        for batch in ids:
            torch.manual_seed(0)  # a base may drop attention at random
            states.append(hidden_states(model, batch, positions, way).float())
    change = max(
        float((states[0][row, border:] - states[1][row, border:]).abs().max())
        for row, border in enumerate(_PROBE_BORDERS)
    )
    return change / float(states[0].abs().max())


def find_way(model: Any, options: Pretrain) -> Way:
    """Find how documents are separated in this model, by trying.

    Args:
        model: a transformers causal language model, on its device, in training mode or not.
        options: the recipe's section.

    Raises:
        RecipeError: no way keeps documents apart.
    """
    if options.neighbours == "seen":
        return "none"
    flash = options.attention.startswith("flash")
    ways: tuple[Way, ...] = ("row",) if flash else ("positions", "mask")
    for way in ways:
        try:
            if neighbour_change(model, way) <= NOTICED:
                return way
        except (TypeError, ValueError, RuntimeError):  # code of a repository may take no such mask
            continue
    msg = (
        f"[pretrain] base: in {type(model).__name__} with attention {options.attention!r} the documents of a window "
        f"see each other, whatever mask or positions it is given; use a base whose code is in transformers, or say "
        f'neighbours = "seen" to train on documents that do.'
    )
    raise RecipeError(msg)
