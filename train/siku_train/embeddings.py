"""Rows for new vocabulary pieces, in the embedding and in the output head.

A base model knows its own pieces; an extended vocabulary adds rows that have never been trained. Where
they start decides how much text is spent on finding them. `subpieces` starts a new piece at the mean of
the pieces that the base tokenizer would have used for it (`中国` at the mean of `中` and `国`), so that the
extended model reads a text at first roughly as the base did.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from siku_manifests.errors import RecipeError

Start = Literal["subpieces", "mean", "random"]


@torch.no_grad()
def new_rows(old: Tensor, pieces: Sequence[Sequence[int]], *, start: Start, seed: int) -> Tensor:
    """Compute the rows of new pieces from the rows of old ones.

    Args:
        old: shape (V, H), the trained rows.
        pieces: for each new piece the old ids that spell it; an empty list falls back on the global mean.
        start: `subpieces`, `mean` (the mean of all rows for each), or `random` (normal with the mean and the
            standard deviation of each column of the old rows).
        seed: for `random`.

    Returns:
        Shape (len(pieces), H), dtype of `old`; computed in float32.
    """
    rows = old.float()
    mean = rows.mean(dim=0)
    if start == "random":
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((len(pieces), old.shape[1]), generator=generator).to(rows.device)
        return (mean + noise * rows.std(dim=0)).to(old.dtype)
    made = mean.repeat(len(pieces), 1)
    if start == "subpieces":
        for number, spelled in enumerate(pieces):
            if spelled:
                made[number] = rows[list(spelled)].mean(dim=0)
    return made.to(old.dtype)


class NewPieces(NamedTuple):
    """The part of a vocabulary that its base model has never seen.

    Attributes:
        first: id of the first new piece, which is the number of the base tokenizer's pieces.
        spelled: for each new piece, in order of id, the base ids that spell it.
    """

    first: int
    spelled: Sequence[Sequence[int]]


def extend_vocabulary(model: Any, pieces: NewPieces, *, start: Start, seed: int) -> None:
    """Append a row for each new piece to the embedding and, where it is not tied to it, to the head.

    Args:
        model: a transformers causal language model, before adapters are attached.
        pieces: what to append.
        start: as in `new_rows`.
        seed: as in `new_rows`.

    Raises:
        RecipeError: the model has another number of rows than its tokenizer had pieces, so that new pieces
            would not get the rows of their ids; or its head is of a class of its own.
    """
    vocabulary = model.get_input_embeddings().weight.shape[0]
    if vocabulary < pieces.first or (pieces.spelled and vocabulary != pieces.first):
        msg = (
            f"The tokenizer extends a vocabulary of {pieces.first:,} pieces, but the base model has {vocabulary:,}: "
            f"[tokenizer] base and [pretrain] base do not belong together; name the base model's own tokenizer."
        )
        raise RecipeError(msg)
    if not pieces.spelled:
        return
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear):  # transformers would put an ordinary layer in its place
        msg = (
            f"[pretrain] base: the output head of {type(model).__name__} is {type(head).__name__}, which cannot be "
            f'extended; take the vocabulary as it is with [tokenizer] mode = "unchanged".'
        )
        raise RecipeError(msg)
    layers = [model.get_input_embeddings()]
    if not model.config.tie_word_embeddings:
        layers.append(model.get_output_embeddings())
    made = [new_rows(layer.weight, pieces.spelled, start=start, seed=seed) for layer in layers]
    model.resize_token_embeddings(vocabulary + len(pieces.spelled), mean_resizing=False)
    layers = [model.get_input_embeddings(), model.get_output_embeddings()][: len(made)]
    with torch.no_grad():
        for layer, rows in zip(layers, made, strict=True):
            layer.weight[vocabulary:] = rows
