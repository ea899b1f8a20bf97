"""Loss and bits per byte on held-out windows, source by source, without disturbing training.

Only dropout is switched off. `model.eval()` would also put bitsandbytes' Linear4bit into evaluation mode, and
on processors with AVX512-BF16 its first forward pass without gradients then repacks the NF4 weights in place:
every later training step differs in the last digits (10.9423141 against 10.9423237), so a run that was killed
after a validation and resumed would not repeat itself.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import default_collate

from siku_train.loss import IGNORE, bits_per_byte
from siku_train.vocabulary import unigram_entropy
from siku_train.windows import Reader, spread


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How well a model predicts some held-out text."""

    nats: float
    """Negative log-likelihood of all labels, EOS included."""
    tokens: int
    """Labels."""
    text_nats: float
    """The same without EOS."""
    bytes: int
    """UTF-8 bytes of the labels without EOS."""
    new_nats: float = 0.0
    """The part of `nats` on labels that are new pieces, which the base did not have."""
    new_tokens: int = 0
    """Labels that are new pieces."""
    new_bytes: int = 0
    """UTF-8 bytes of these."""

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits_per_byte(self) -> float:
        """Bits per UTF-8 byte of text; comparable across vocabularies."""
        return bits_per_byte(self.text_nats, self.bytes)

    @property
    def new(self) -> "Score":
        """The score on new pieces alone."""
        return Score(nats=self.new_nats, tokens=self.new_tokens, text_nats=self.new_nats, bytes=self.new_bytes)

    @property
    def old(self) -> "Score":
        """The score on the pieces that the base knew."""
        return Score(
            nats=self.nats - self.new_nats,
            tokens=self.tokens - self.new_tokens,
            text_nats=self.text_nats - self.new_nats,
            bytes=self.bytes - self.new_bytes,
        )

    def __add__(self, other: "Score") -> "Score":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        names = self.__struct_fields__
        return Score(**{name: a + b for name, a, b in zip(names, mine, theirs, strict=True)})


NOTHING = Score(nats=0.0, tokens=0, text_nats=0.0, bytes=0)


def total(scores: Mapping[str, Score]) -> Score:
    """Sum the scores of all sources."""
    return sum(scores.values(), NOTHING)


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """Switch off dropout and gradients, and keep every other module in training mode.

    In training mode even if the model was not: a model comes out of `from_pretrained` ready for inference.
    """
    modes = {module: module.training for module in model.modules()}
    model.train()
    for module in modes:
        if isinstance(module, nn.Dropout):
            module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class Validation:
    """Held-out windows: a few of each source, evenly spaced, always the same.

    Args:
        reader: the validation split.
        piece_bytes: shape (vocabulary,), UTF-8 bytes behind each piece.
        prefixed: id after which a piece carries a space that the text does not have (the beginning-of-sequence
            id, where the tokenizer puts a space before a text); -1 for none.
        windows: most windows of a source.
        batch: windows that go through the model at once.
        first_new: id of the first piece that the base did not have.
    """

    def __init__(
        self,
        reader: Reader,
        piece_bytes: NDArray[np.int64],
        *,
        windows: int,
        batch: int,
        prefixed: int = -1,
        first_new: int | None = None,
    ) -> None:
        self.reader = reader
        self.first_new = len(piece_bytes) if first_new is None else first_new
        self.prefixed = prefixed
        self.piece_bytes = piece_bytes
        self.batch = batch
        self.chosen = {source: spread(count, windows) for source, count in reader.counts().items()}

    def __len__(self) -> int:
        """Windows over all sources."""
        return sum(map(len, self.chosen.values()))

    def measure(self, model: Any) -> dict[str, Score]:
        """Score the model on each source; its state, and that of every random generator, is as before."""
        with without_dropout(model):
            return {source: self._measure_source(model, source) for source in self.chosen}

    def _measure_source(self, model: Any, source: str) -> Score:
        score = NOTHING
        windows = self.chosen[source]
        for start in range(0, len(windows), self.batch):
            examples = [self.reader.example(source, window) for window in windows[start : start + self.batch]]
            inputs = {name: tensor.to(model.device) for name, tensor in default_collate(examples).items()}
            losses = model(**inputs, reduction="none")["loss"].double().cpu().numpy()
            score += self._score(losses, inputs["labels"].cpu().numpy(), inputs["input_ids"].cpu().numpy())
        return score

    def _score(self, losses: NDArray[np.float64], labels: NDArray[np.int64], ids: NDArray[np.int64]) -> Score:
        learned = labels != IGNORE
        text = learned & (labels != self.reader.eos)
        new = learned & (labels >= self.first_new)
        new_prefixed = new & (ids == self.prefixed)
        return Score(
            nats=float(losses[learned].sum()),
            tokens=int(learned.sum()),
            text_nats=float(losses[text].sum()),
            bytes=int(self.piece_bytes[labels[text]].sum() - (text & (ids == self.prefixed)).sum()),
            new_nats=float(losses[new].sum()),
            new_tokens=int(new.sum()),
            new_bytes=int(self.piece_bytes[labels[new]].sum() - new_prefixed.sum()),
        )

    def unigram_entropy(self) -> float:
        """Entropy in nats of the very labels that are scored."""
        labels = [
            self.reader.example(source, window)["labels"].numpy()
            for source, windows in self.chosen.items()
            for window in windows
        ]
        found = np.concatenate(labels) if labels else np.empty(0, np.int64)
        return unigram_entropy(found[found != IGNORE])
