"""What training must know of a tokenizer: the bytes behind each piece, and how a new piece was spelled before."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siku_manifests.errors import InputError
from siku_tokenize.encode import Encoder
from siku_tokenize.modelfile import Model
from siku_tokenize.tables import SPACE
from siku_tokenize.vocabulary import Vocabulary
from siku_tokenize.vocabulary import piece_bytes as spelled_bytes
from siku_train.embeddings import NewPieces


def base_size(listing: Path) -> int:
    """Read from a tokenizer's `vocabulary.tsv` how many pieces it took over from its base.

    Raises:
        InputError: the file is missing or not a vocabulary.
    """
    try:
        lines = listing.read_text(encoding="utf-8").split("\n")[1:]
        kinds = [line.split("\t")[2] for line in lines if line]
    except (OSError, IndexError) as error:
        msg = f"{listing}: missing or damaged; build the tokenizer again with `siku tokenizer`."
        raise InputError(msg) from error
    return kinds.index("new") if "new" in kinds else len(kinds)


def piece_bytes(pieces: Model | Vocabulary) -> NDArray[np.int64]:
    """Count the UTF-8 bytes of text that each piece stands for.

    Returns:
        Shape (vocabulary,). A byte piece stands for one byte, a control piece for none.

    Example:
        "</s>" -> 0; "<0xE4>" -> 1; "\u2581the" -> 4 (with its space); "中国" -> 6
    """
    if isinstance(pieces, Vocabulary):
        return np.array([len(spelled) for spelled in pieces.spelled], np.int64)
    return np.array([len(spelled_bytes(piece.text, piece.kind)) for piece in pieces.pieces], np.int64)


def spell_new_pieces(pieces: Model | Vocabulary, first_new: int) -> NewPieces:
    """Spell every piece that was added to a base with the base's own pieces.

    Args:
        pieces: the extended model.
        first_new: pieces of the base; its ids are the lowest.

    Example:
        "中国", ids of 中 and 国 in the base 29476 and 29574 -> [29476, 29574]
    """
    model = pieces.model if isinstance(pieces, Vocabulary) else pieces
    if model is None or first_new == len(model.pieces):  # a base that was taken as it is
        return NewPieces(first_new, [])
    base = Encoder(dataclasses.replace(model, pieces=model.pieces[:first_new], dummy_prefix=False))
    texts = [piece.text.replace(SPACE, " ") for piece in model.pieces[first_new:]]
    ids, lengths = base.encode_batch(texts)
    ends = np.cumsum(lengths)
    spelled = [ids[end - length : end].tolist() for end, length in zip(ends, lengths, strict=True)]
    return NewPieces(first_new, spelled)


def unigram_entropy(labels: NDArray[np.int64] | Sequence[int]) -> float:
    """Entropy of the labels' own frequencies in nats: what a model that knows only frequencies could reach.

    Example:
        unigram_entropy([7, 7, 9, 9]) -> 0.6931 (ln 2)
    """
    counts = np.unique(np.asarray(labels), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
