"""What other libraries do after signatures, each run as a process of its own in the peers' environment.

    python peer_stages.py datatrove-stages DOCUMENTS    finding and uniting duplicates, a document and band
    python peer_stages.py datasketch-insert DOCUMENTS   putting a signature into MinHashLSH, a document
    python peer_stages.py datasketch-whole FILE         this process, from Parquet to the list of kept rows

Prints CPU seconds as one line of JSON, of the first two the better of two rounds. Signatures are random, a fifth of
the documents in clusters of two, as in `scale.py`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

PERMUTATIONS, BANDS, ROWS = 128, 16, 8
ROUNDS = 2
AGREES = 0.43
"""Chance that two of a cluster agree in a band of 8 values: 0.9**8."""


def datatrove_stages(documents: int) -> float:
    import numpy as np  # noqa: PLC0415
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster  # noqa: PLC0415
    from loguru import logger  # noqa: PLC0415

    logger.remove()
    config = MinhashConfig(n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS)
    record = np.dtype([*((f"v{i}", "<u8") for i in range(ROWS)), ("doc", "<u4")])
    random = np.random.RandomState(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for band in range(BANDS):
            records = np.zeros(documents, record)
            for i in range(ROWS):
                records[f"v{i}"] = random.randint(0, 1 << 60, documents)
            twins = np.flatnonzero((np.arange(documents) % 10 == 1) & (random.random_sample(documents) < AGREES))
            records[twins] = records[twins - 1]
            records["doc"] = np.arange(documents)
            records.sort(order=record.names)
            (folder / "signatures" / f"bucket_{band:03d}").mkdir(parents=True)
            records.tofile(folder / "signatures" / f"bucket_{band:03d}" / "00000.minhash.sig")
        begun = time.process_time()
        for band in range(BANDS):
            step = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
            step.run(rank=band, world_size=BANDS)
        MinhashDedupCluster(str(folder / "buckets"), str(folder / "removed"), config=config).run()
        return (time.process_time() - begun) / documents / BANDS


def datasketch_insert(documents: int) -> float:
    import numpy as np  # noqa: PLC0415
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415

    values = np.random.RandomState(1).randint(0, 1 << 32, (documents, PERMUTATIONS), dtype=np.uint32)
    sketches = [MinHash(num_perm=PERMUTATIONS, hashvalues=row, scheme="affine32") for row in values]
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    begun = time.process_time()
    for number, sketch in enumerate(sketches):
        index.insert(number, sketch, check_duplication=False)
    return (time.process_time() - begun) / documents


def datasketch_whole(file: Path) -> float:
    import pyarrow.parquet as pq  # noqa: PLC0415
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415

    index = MinHashLSH(threshold=0.8, num_perm=PERMUTATIONS)
    kept = []
    for number, text in enumerate(pq.read_table(file, columns=["key"])["key"].to_pylist()):
        sketch = MinHash(num_perm=PERMUTATIONS)
        sketch.update_batch([text[i : i + 5].encode() for i in range(max(1, len(text) - 4))])
        if not index.query(sketch):
            index.insert(number, sketch, check_duplication=False)
            kept.append(number)
    return time.process_time()


def main() -> None:
    """Time one stage."""
    name, argument = sys.argv[1:]
    if name == "datasketch-whole":
        seconds = datasketch_whole(Path(argument))
    else:
        stage = {"datatrove-stages": datatrove_stages, "datasketch-insert": datasketch_insert}[name]
        seconds = min(stage(int(argument)) for _ in range(ROUNDS))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
