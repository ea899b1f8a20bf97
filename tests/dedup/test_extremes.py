"""Input that is damaged, foreign, or of a size that nobody tried: a clear error, or the right result in bounded memory.

What needs a bound on memory runs in a process of its own with such a bound.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from siku_dedup.parts import SignedParts
from siku_manifests.errors import InputError

Sign = Callable[..., SignedParts]


def within(megabytes: int, code: str, *arguments: Path) -> None:
    """Run Python in a process whose own memory is limited; mapped files do not count, since the system may drop them.

    Arrow takes memory from malloc there, since its own allocator sets a large part aside.
    """
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({megabytes << 20}, {megabytes << 20}))\n"
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-c", limit + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


def test_signatures_of_another_scheme_or_size_do_not_mix(signed: Sign, tmp_path: Path) -> None:
    signed(["春眠不覺曉"], ["白日依山盡"])
    folders = [tmp_path / "part-0", tmp_path / "part-1"]
    record = json.loads((folders[1] / "signer.json").read_bytes())
    for change in ({"scheme": "datasketch"}, {"version": 7}, {"permutations": 256}, {"rows": 4}):
        (folders[1] / "signer.json").write_text(json.dumps(record | change), encoding="utf-8")
        with pytest.raises(InputError, match=r"part-1: signatures have .* cannot be compared"):
            SignedParts(folders)


@pytest.mark.parametrize("name", ["bands.npy", "signatures.npy", "points.npy", "starts.npy", "signer.json"])
def test_a_truncated_or_missing_file_of_a_part_is_named(signed: Sign, tmp_path: Path, name: str) -> None:
    signed(["春眠不覺曉", "白日依山盡"])
    path = tmp_path / "part-0" / name
    whole = path.read_bytes()
    for size in (len(whole) - 5, 7, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=rf"{name}: signed documents cannot be read"):
            SignedParts([path.parent])
    path.unlink()
    with pytest.raises(InputError, match=rf"{name}: signed documents cannot be read"):
        SignedParts([path.parent])


MILLIONS = """
import sys
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from siku_dedup.clusters import cluster
from siku_dedup.exact import first_equal
from siku_dedup.parts import SignedParts
from siku_dedup.survivors import EXACT, decide
from siku_dedup.tables import duplicates_table

signed = SignedParts([Path(sys.argv[1])])
count = len(signed)
first = first_equal(signed.hashes).astype(np.int64)
unique = np.flatnonzero(first == np.arange(count))
found = cluster(signed, unique, threshold=0.8)
verdicts = decide(
    found.root[first],
    hashes=signed.hashes,
    priority=np.zeros(count, np.int64),
    han=signed.han,
    ids=signed,
    validation=(0.01, 1),
)
table = duplicates_table(signed, verdicts)
assert len(table) == count - 1 == (verdicts.fate == EXACT).sum()
assert table["duplicate_of"].unique().to_pylist() == ["web/file#00000000"]
"""


@pytest.mark.slow
def test_ten_million_identical_documents(tmp_path: Path) -> None:
    count = 10_000_000
    # Equal documents are equal bytes, so zeros will do; a file of zeros takes no room on the disk.
    for name, shape, kind in (
        ("hashes", (count, 2), np.uint64),
        ("signatures", (count, 128), np.uint32),
        ("bands", (32, count), np.uint64),
        ("han", (count,), np.int64),
        ("points", (count * 20,), np.uint32),
    ):
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", kind, shape)
    np.save(tmp_path / "starts.npy", np.arange(count + 1, dtype=np.int64) * 20)
    with pq.ParquetWriter(tmp_path / "ids.parquet", pa.schema([("id", pa.string())])) as writer:
        for high in range(count, 0, -1_000_000):  # the smallest id comes last
            numbers = pa.array(range(high - 1, high - 1_000_001, -1))
            padded = pc.utf8_lpad(numbers.cast(pa.string()), width=8, padding="0")
            writer.write_table(pa.table({"id": pc.binary_join_element_wise("web/file#", padded, "")}))
    record = {"scheme": "fss1", "version": 1, "permutations": 128, "bands": 32, "rows": 8, "n": 5}
    (tmp_path / "signer.json").write_text(json.dumps(record), encoding="utf-8")
    within(3000, MILLIONS, tmp_path)


LONG = """
import sys
from pathlib import Path
from click.testing import CliRunner
from siku_dedup.command import dedup_files
folder = Path(sys.argv[1])
done = CliRunner().invoke(dedup_files, [str(folder / "a.jsonl"), "--out", str(folder / "out")], catch_exceptions=False)
assert "4 documents = 2 kept + 1 exact + 1 near-duplicates" in done.output, done.output
"""


@pytest.mark.slow
def test_a_document_of_100_megabytes(tmp_path: Path) -> None:
    random = np.random.RandomState(1)
    points = random.randint(0x4E00, 0x9000, 34_000_000).astype(np.uint32)
    changed = points.copy()
    changed[random.randint(0, len(points), 300_000)] = ord("改")
    texts = [array.tobytes().decode("utf-32-le") for array in (points, changed)]
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as lines:
        for text in (*texts, texts[0] + "。", "短"):
            lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    del texts
    within(4000, LONG, tmp_path)
    with (tmp_path / "out" / "kept" / "a.jsonl").open("rb") as kept:
        assert sum(1 for _ in kept) == 2
