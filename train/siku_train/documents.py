"""Which documents stand in a window, by the ids that they have in the corpus.

A token file knows its documents by number, in the order of the corpus's shards. Training does not need the corpus,
so its folder may be gone; a document is then named by source and number.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from siku_manifests.errors import VerificationError
from siku_manifests.manifest import read_manifest
from siku_tokenize.tokenfile import TokenFile


def documents_between(file: TokenFile, first: int, last: int) -> range:
    """Number the documents that have a token at places `first` to `last` - 1 of a token file.

    Example:
        documents of 3, 2 and 4 tokens, places 2 to 5 -> range(0, 2)
    """
    ends = np.cumsum(file.lengths, dtype=np.int64)
    return range(
        int(np.searchsorted(ends, first, side="right")),
        min(len(ends), int(np.searchsorted(ends, last - 1, "right")) + 1),
    )


class DocumentNames:
    """Names documents for people.

    Args:
        corpus: the finished folder of the corpus that was tokenized, or None where it is gone.
        split: of the token files.
    """

    def __init__(self, corpus: Path | None = None, split: str = "train") -> None:
        self.corpus = corpus
        self.split = split

    @classmethod
    def beside(cls, tokens: Path) -> "DocumentNames":
        """Look for the corpus of a finished `tokens` folder where the runner put it, by its id."""
        try:
            wanted = read_manifest(tokens).identity.parents["corpus"]
        except (VerificationError, KeyError):
            return cls()
        for manifest in sorted(tokens.parent.glob("corpus-*/manifest.json")):
            try:
                if read_manifest(manifest.parent).id == wanted:
                    return cls(manifest.parent)
            except VerificationError:  # half built by another recipe
                continue
        return cls()

    def __call__(self, source: str, numbers: Sequence[int]) -> list[str]:
        """Give the id of each document of a source; `SOURCE document N` where the corpus is gone."""
        if self.corpus is None:
            return [f"{source} document {number}" for number in numbers]
        known = _ids(self.corpus / self.split, source)
        return [known[number] if number < len(known) else f"{source} document {number}" for number in numbers]


@functools.lru_cache(maxsize=1)
def _ids(folder: Path, source: str) -> list[str]:
    """Ids of a source's documents, in the order of its shards, which is that of its token file."""
    shards = sorted(path for path in folder.glob("*.parquet") if path.stem.rsplit("-", 1)[0] == source)
    return [name for shard in shards for name in pq.read_table(shard, columns=["id"])["id"].to_pylist()]
