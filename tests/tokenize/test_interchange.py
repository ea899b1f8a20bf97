"""Token files read by their format's owner, megatron-core, and by datatrove: the same ids, document by document.

Both import torch and warn about much, so they read in a process of their own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siku_tokenize import write_token_file

READERS = """
import json, sys
from datatrove.utils.dataset import DatatroveFileDataset
from megatron.core.datasets.indexed_dataset import IndexedDataset

found = []
for stem, token_bytes, length in json.loads(sys.argv[1]):
    file = IndexedDataset(stem)
    flat = DatatroveFileDataset(stem + ".bin", length - 1, token_bytes)
    found.append({
        "documents": [file[i].tolist() for i in range(len(file))],
        "borders": file.document_indices.tolist(),
        "dtype": file.index.dtype.__name__,
        "windows": [flat[i]["input_ids"].tolist() for i in range(len(flat))],
    })
print(json.dumps(found))
"""


def read_by_others(asked: list[tuple[Path, int, int]]) -> list[dict[str, Any]]:
    """What both libraries find in token files; for each file its stem, bytes of a token and length of a window."""
    for library in ("datatrove", "megatron"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"needs {library}, which `make setup` installs")
    files = json.dumps([(str(stem), token_bytes, length) for stem, token_bytes, length in asked])
    command = [sys.executable, "-W", "ignore", "-c", READERS, files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_megatron_core_and_datatrove_read_the_same_ids(tmp_path: Path) -> None:
    """A narrow and a wide file, with an empty document and the largest ids; datatrove cuts windows across documents."""
    chance = np.random.default_rng(3)
    written = []
    for dtype, highest, length in ((np.uint16, 65_535, 7), (np.int32, 151_935, 157)):
        documents = [chance.integers(0, highest, size).tolist() for size in (5, 0, 1, 300, 6)] + [[highest, 0]]
        stem = tmp_path / np.dtype(dtype).name
        write_token_file(stem, (np.array(ids, np.int64) for ids in documents), dtype)
        written.append((stem, np.dtype(dtype), length, documents))
    read = read_by_others([(stem, dtype.itemsize, length) for stem, dtype, length, _ in written])
    for found, (_, dtype, length, documents) in zip(read, written, strict=True):
        flat = [token for ids in documents for token in ids]
        assert found["documents"] == documents
        assert found["borders"] == list(range(len(documents) + 1))
        assert found["dtype"] == dtype.name
        assert found["windows"] == [flat[i : i + length] for i in range(0, len(flat) - length + 1, length)]
