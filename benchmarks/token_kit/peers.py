"""Documents to token ids by other libraries, each run as a process of its own.

    python peers.py NAME CORPUS.parquet TOKENIZER_FOLDER OUT

Reads the text column, encodes every document, appends EOS and writes uint16 ids, the way each library's own
documentation does it. Prints one line of JSON: seconds of wall time from the opened file to the closed one
(imports and loading the tokenizer are left out), tokens, version.
"""

# ruff: noqa: PLC0415  (each peer is imported in the process that runs it alone)
from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Work = Callable[[], int]
"""Does the work and gives the number of tokens written."""


def sentencepiece(corpus: Path, tokenizer: Path, out: Path) -> Work:
    import pyarrow.parquet as pq
    import sentencepiece as library

    processor = library.SentencePieceProcessor(model_file=str(tokenizer / "tokenizer.model"))

    def work() -> int:
        tokens = 0
        with out.open("wb") as stream:
            for batch in pq.ParquetFile(corpus).iter_batches(batch_size=8192, columns=["text"]):
                for ids in processor.encode(batch["text"].to_pylist(), num_threads=1, add_eos=True):
                    stream.write(np.array(ids, np.uint16).tobytes())
                    tokens += len(ids)
        return tokens

    return work


def datatrove(corpus: Path, tokenizer: Path, out: Path) -> Work:
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.tokens import DocumentTokenizer

    reader = ParquetReader(str(corpus.parent), glob_pattern=corpus.name)
    step = DocumentTokenizer(
        str(out),
        str(tokenizer / "tokenizer.json"),
        eos_token="</s>",
        shuffle_documents=False,
        save_final_metadata=False,
    )
    _ = step.tokenizer  # loads it

    def work() -> int:
        step.run(reader.run())
        return sum(path.stat().st_size // 2 for path in out.rglob("*.ds"))

    return work


def datasets(corpus: Path, tokenizer: Path, out: Path) -> Work:
    import datasets as library
    from tokenizers import Tokenizer

    library.disable_caching()
    encoder = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    encoder.encode_special_tokens = True

    def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        return {"ids": [[*found.ids, 2] for found in encoder.encode_batch(batch["text"], add_special_tokens=False)]}

    def work() -> int:
        table = library.Dataset.from_parquet(str(corpus), columns=["text"], cache_dir=str(out))
        found = table.map(encode, batched=True, remove_columns=["text"], load_from_cache_file=False)
        tokens = 0
        with (out / "ids.bin").open("wb") as stream:
            for batch in found.with_format("arrow").iter(batch_size=8192):
                ids = batch["ids"].combine_chunks().flatten().to_numpy().astype(np.uint16)
                stream.write(ids.tobytes())
                tokens += len(ids)
        return tokens

    return work


def main() -> None:
    name, corpus, tokenizer, out = sys.argv[1], *map(Path, sys.argv[2:])
    if name != "sentencepiece":
        out.mkdir()
    work = {"sentencepiece": sentencepiece, "datatrove": datatrove, "datasets": datasets}[name](corpus, tokenizer, out)
    begun = time.perf_counter()
    tokens = work()
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "tokens": tokens, "version": importlib.metadata.version(name)}))


if __name__ == "__main__":
    main()
