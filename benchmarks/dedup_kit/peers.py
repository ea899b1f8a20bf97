"""Signatures by other libraries, each run as a process of its own in the peers' environment.

    python peers.py NAME FILE PERMUTATIONS EVERY

Prints one line of JSON: CPU seconds of this process and its threads for making signatures (best of three rounds;
reading the file, imports and a warm-up excluded), bytes, documents, version, and what had to be changed to make the
library do character n-grams. Every EVERYth document is taken; a signature's cost does not depend on the others. Each
library is imported by its own function, or one that is missing would stop the others.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

N = 5
BAND_ROWS = 8
ROUNDS = 3
Work = Callable[[], object]


def grams(text: str) -> list[str]:
    return [text[i : i + N] for i in range(max(1, len(text) - N + 1))]


def datasketch(texts: list[str], permutations: int, hashfunc: Callable[[bytes], int] | None = None) -> Work:
    from datasketch import MinHash  # noqa: PLC0415

    def work() -> None:
        for text in texts:
            sketch = MinHash(num_perm=permutations, hashfunc=hashfunc)
            sketch.update_batch([gram.encode() for gram in grams(text)])

    return work


def datasketch_xxhash(texts: list[str], permutations: int) -> Work:
    import xxhash  # noqa: PLC0415

    return datasketch(texts, permutations, xxhash.xxh32_intdigest)


def datatrove(texts: list[str], permutations: int) -> Work:
    from datatrove.data import Document  # noqa: PLC0415
    from datatrove.pipeline.dedup import minhash  # noqa: PLC0415

    class Characters:
        def word_tokenize(self, text: str) -> list[str]:
            return list(text)

    minhash.load_word_tokenizer = lambda _: Characters()
    config = minhash.MinhashConfig(n_grams=N, num_buckets=permutations // BAND_ROWS, hashes_per_bucket=BAND_ROWS)
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    folder = tempfile.TemporaryDirectory()
    step = minhash.MinhashDedupSignature(folder.name, config=config)

    def work() -> None:
        step.run(documents)

    work.folder = folder  # type: ignore[attr-defined]  lives as long as the work
    return work


def text_dedup(texts: list[str], permutations: int) -> Work:
    import numpy as np  # noqa: PLC0415
    from text_dedup import minhash  # noqa: PLC0415
    from text_dedup.utils import sha1_hash  # noqa: PLC0415

    prime = np.uint64((1 << 61) - 1)
    random = np.random.RandomState(42)
    maps = (
        random.randint(1, prime, size=(permutations,), dtype=np.uint64),
        random.randint(0, prime, size=(permutations,), dtype=np.uint64),
    )
    spaced = [" ".join(text) for text in texts]
    ranges = [(at, at + BAND_ROWS) for at in range(0, permutations, BAND_ROWS)]

    def work() -> None:
        for number, text in enumerate(spaced):
            minhash.embed_func(
                text,
                number,
                num_perm=permutations,
                ngram_size=N,
                min_length=0,
                hashranges=ranges,
                permutations=maps,
                hash_func=sha1_hash,
                dtype=np.uint64,
                max_hash=np.uint32((1 << 32) - 1),
                modulo_prime=prime,
            )

    return work


def daft(texts: list[str], permutations: int) -> Work:
    import daft as library  # noqa: PLC0415

    frame = library.from_pydict({"text": [" ".join(text) for text in texts]}).collect()

    def work() -> None:
        column = library.col("text").minhash(num_hashes=permutations, ngram_size=N, seed=1, hash_function="xxhash")
        frame.with_column("signature", column).collect()

    return work


def gaoya(texts: list[str], permutations: int) -> Work:
    from gaoya.minhash import MinHashStringIndex  # noqa: PLC0415

    def work() -> None:
        index = MinHashStringIndex(
            hash_size=32,
            jaccard_threshold=0.8,
            num_bands=permutations // BAND_ROWS,
            band_size=BAND_ROWS,
            analyzer="char",
            ngram_range=(N, N),
        )
        for number, text in enumerate(texts):
            index.insert_document(number, text)

    return work


def rensa(texts: list[str], permutations: int, door: str = "digest_matrix_from_token_sets") -> Work:
    from rensa import RMinHash  # noqa: PLC0415

    sign = getattr(RMinHash, door)

    def work() -> None:
        for low in range(0, len(texts), 256):
            sign([grams(text) for text in texts[low : low + 256]], permutations, 42)

    return work


def rensa_rho(texts: list[str], permutations: int) -> Work:
    return rensa(texts, permutations, "digest_matrix_from_token_sets_rho")


PEERS: dict[str, tuple[str, Callable[[list[str], int], Work], str]] = {
    "datasketch": ("datasketch", datasketch, "n-grams cut in Python, as its documentation does"),
    "datasketch-xxhash": ("datasketch", datasketch_xxhash, "the same, with hashfunc=xxhash.xxh32_intdigest"),
    "datatrove": ("datatrove", datatrove, "its word tokenizer replaced by list(text); 8 hashes a bucket"),
    "text-dedup": ("text-dedup", text_dedup, "a space put between all characters, min_length=0"),
    "daft": ("daft", daft, "a space put between all characters, hash_function='xxhash'"),
    "gaoya": ("gaoya", gaoya, "analyzer='char'; makes signatures and inserts them, there is no other door"),
    "rensa": ("rensa", rensa, "n-grams cut in Python; its fastest door for MinHash"),
    "rensa-rho": ("rensa", rensa_rho, "n-grams cut in Python; a sketch of its own that reads each shingle once"),
}


def main() -> None:
    """Time one peer."""
    name, file, permutations, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    distribution, make, change = PEERS[name]
    texts = pq.read_table(file, columns=["key"])["key"].to_pylist()[::every]
    make(texts[:64], permutations)()
    work = make(texts, permutations)
    seconds = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        work()
        seconds = min(seconds, time.process_time() - begun)
    size = sum(len(text.encode()) for text in texts)
    version = importlib.metadata.version(distribution)
    print(
        json.dumps({"seconds": seconds, "bytes": size, "documents": len(texts), "version": version, "change": change})
    )


if __name__ == "__main__":
    main()
