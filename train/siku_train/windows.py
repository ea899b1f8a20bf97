"""Windows of packed documents that do not see each other.

A window is `length + 1` ids of a token file: `length` inputs and, shifted by one, `length` labels. Window
k starts at k × length, so every id of a file but the first stands as a label in exactly one window. The
last window of a file is filled up with end-of-document ids, which are not learned; nothing is cut off.

    ids        床 前 明 月 EOS 春 眠 不        length 7, EOS ends a document
    inputs     床 前 明 月 EOS 春 眠
    positions   0  1  2  3  4   0  1          restart after EOS
    labels     前 明 月 EOS --  眠 不          -- is IGNORE: nobody can know what the next document is

There is no attention mask: transformers derives the separation from restarting positions, and only when it
is given neither a mask nor a cache. A mask of ones or a cache quietly lets documents see their neighbours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from siku_manifests.errors import InputError
from siku_tokenize.order import WindowOrder
from siku_tokenize.tokenfile import TokenFile
from siku_train.documents import documents_between
from siku_train.loss import IGNORE

Example = dict[str, Tensor]
"""`input_ids`, `position_ids` and `labels`, each of shape (length,) and dtype int64."""


def window_count(tokens: int, length: int) -> int:
    """Count the windows of a file: every id but the first is a label once.

    Example:
        window_count(2049, 1024) -> 2; window_count(2050, 1024) -> 3; window_count(1, 1024) -> 0
    """
    return max(0, -(-(tokens - 1) // length))


def restarting_positions(ids: NDArray[np.int64], eos: int) -> NDArray[np.int64]:
    """Number the places of each document from 0; the first id of `ids` counts as a beginning.

    Example:
        restarting_positions([5, 6, 2, 7, 8], eos=2) -> [0, 1, 2, 0, 1]
    """
    places = np.arange(len(ids))
    begins = np.zeros(len(ids), np.int64)
    begins[1:] = np.where(ids[:-1] == eos, places[1:], 0)
    return places - np.maximum.accumulate(begins)


def packed_example(ids: NDArray[np.int64], *, length: int, eos: int) -> Example:
    """Make inputs, positions and labels of up to `length + 1` ids.

    Args:
        ids: shape (2 … length + 1,).
        length: inputs in a window.
        eos: the id that ends a document.

    Example:
        packed_example([5, 6, 2, 7, 8], length=4, eos=2)
            -> input_ids [5, 6, 2, 7], position_ids [0, 1, 2, 0], labels [6, 2, IGNORE, 8]
    """
    filled = np.full(length + 1, eos, np.int64)
    filled[: len(ids)] = ids
    inputs = filled[:-1]
    labels = np.where(inputs == eos, IGNORE, filled[1:])
    labels[len(ids) - 1 :] = IGNORE
    return {
        "input_ids": torch.from_numpy(inputs.copy()),
        "position_ids": torch.from_numpy(restarting_positions(inputs, eos)),
        "labels": torch.from_numpy(labels),
    }


CHECKED = 64
"""Documents and windows of each file that are looked at before a run; all would take a minute a billion tokens."""


@dataclass(frozen=True)
class Reader:
    """Reads windows of several token files.

    Attributes:
        files: token file of each source.
        length: inputs in a window.
        eos: the id that ends a document.
        vocabulary: pieces of the tokenizer; no id may be as large. None for no check.
    """

    files: Mapping[str, TokenFile]
    length: int
    eos: int
    vocabulary: int | None = None

    def counts(self) -> dict[str, int]:
        """Windows of each source."""
        return {name: window_count(file.token_count, self.length) for name, file in self.files.items()}

    def example(self, source: str, window: int) -> Example:
        """Give window `window` of `source`; the same arguments give the same tensors for ever.

        Raises:
            InputError: it holds an id that is none of the tokenizer's.
        """
        ids = self.files[source].window(window * self.length, self.length + 1)
        if self.vocabulary is not None and int(ids.max()) >= self.vocabulary:
            msg = (
                f"{self.files[source].stem}.bin: holds the id {int(ids.max()):,} in window {window:,}, but the "
                f"tokenizer has {self.vocabulary:,} pieces: the file is damaged, or of another tokenizer; build it "
                f"again with `siku tokens`."
            )
            raise InputError(msg)
        return packed_example(np.asarray(ids, np.int64), length=self.length, eos=self.eos)

    def documents(self, source: str, window: int) -> range:
        """Number the documents of which a window shows something, by their place in the token file."""
        first = window * self.length
        return documents_between(self.files[source], first, first + self.length + 1)

    def check(self, vocabulary: int) -> None:
        """See, on documents and windows spread over each file, that these are ids of this tokenizer.

        Args:
            vocabulary: its pieces.

        Raises:
            InputError: documents do not end with its end-of-document id, or ids are beyond its vocabulary.
        """
        for name, file in self.files.items():
            ends = {
                int(file.document(document)[-1])
                for document in spread(len(file.lengths), CHECKED)
                if file.lengths[document]
            }
            seen = [file.window(window * self.length, self.length) for window in spread(self.counts()[name], CHECKED)]
            highest = max((int(ids.max()) for ids in seen if len(ids)), default=0)
            if ends - {self.eos} or highest >= vocabulary:
                what = (
                    f"id {highest}" if highest >= vocabulary else f"documents that end with id {min(ends - {self.eos})}"
                )
                msg = (
                    f"{file.stem}: holds {what}, but the tokenizer has {vocabulary:,} pieces and ends documents with "
                    f"{self.eos}; it was made by another tokenizer: build it again with `siku tokens`."
                )
                raise InputError(msg)

    def padding(self) -> int:
        """Count the places that all last windows together fill up."""
        return sum(
            count * self.length + 1 - self.files[name].token_count for name, count in self.counts().items() if count
        )


class WindowStream(Dataset[Example]):
    """The windows of a whole run, epoch after epoch, addressed by one integer: the data cursor.

    Args:
        reader: the token files.
        order: which window comes where.
        total: windows in the run.
    """

    def __init__(self, reader: Reader, order: WindowOrder, *, total: int) -> None:
        self.reader = reader
        self.order = order
        self.total = total

    def __len__(self) -> int:
        """Windows in the run, over all its epochs."""
        return self.total

    def __getitem__(self, position: int) -> Example:
        """Give the window at `position` of the run."""
        return self.reader.example(*self.place(position))

    def place(self, position: int) -> tuple[str, int]:
        """Say which source and which of its windows stand at `position` of the run."""
        return self.order.at(*divmod(position, len(self.order)))


def open_token_files(folder: Path) -> dict[str, TokenFile]:
    """Open every token file of a split's folder, by source name in alphabetical order.

    Raises:
        InputError: there is none.
    """
    files = {path.stem: TokenFile(path.with_suffix("")) for path in sorted(folder.glob("*.idx"))}
    if not files:
        msg = f"{folder}: no token file (.bin and .idx) lies here; run `siku tokens` first."
        raise InputError(msg)
    return files


def spread(count: int, wanted: int) -> list[int]:
    """Choose up to `wanted` of `count` windows, evenly spaced, for a validation that reads a few.

    Example:
        spread(10, 4) -> [0, 2, 5, 7]
    """
    taken = min(count, wanted)
    return [index * count // taken for index in range(taken)]
