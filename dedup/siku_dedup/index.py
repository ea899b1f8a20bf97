"""A kept index of an earlier corpus, against which new documents are compared without reading that corpus again.

index.json            format, version, how documents were signed, and of each file its size and XXH3-128
GENERATION/           an addition or a part of one, 00000 first: a signed part (`parts.py`), and beside it
    band-00.keys.npy  uint64 (D,), the keys of one band in ascending order
    band-00.rows.npy  int32 (D,), the document of each key
    exact.keys.npy    uint64 (D, 2), the hashes of the key texts, ascending
    exact.rows.npy    int32 (D,)

A generation is written whole under another name and counts from the moment `index.json` names it; what a killed
addition left is overwritten by the next. Opening checks every file, since a wrong byte would lose duplicates
silently. The price of exactness is that the index holds the key texts: 4 bytes a character, read where candidates
are only.

Shape legend: D documents of one generation.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from siku_dedup.parts import SignedParts, write_part
from siku_dedup.points import row_cuts
from siku_dedup.signing import SignedBatch, Signer
from siku_manifests.atomic import PARTIAL_SUFFIX, make_folder, sync_folder, write_json
from siku_manifests.errors import InputError, storage_errors

FORMAT = "siku-dedup-index"
VERSION = 1
INDEX_FILE = "index.json"
EXACT_NAME = "exact"
GENERATION_POINTS = 1 << 27
"""Code points of a generation, signatures and bands counted as such: half a GB, which is held in memory once."""
_CHUNK = 1 << 22


class Generation(NamedTuple):
    """The documents of one addition."""

    folder: Path
    signed: SignedParts

    def sorted_band(self, number: int) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Keys of one band in ascending order, and the document of each; mapped, shape (D,) each."""
        return self._pair(f"band-{number:02d}")

    def sorted_hashes(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Hashes of the key texts in ascending order, shape (D, 2), and the document of each."""
        return self._pair(EXACT_NAME)

    def _pair(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        paths = (self.folder / f"{name}.{kind}.npy" for kind in ("keys", "rows"))
        keys, rows = (np.asarray(np.load(path, mmap_mode="r")) for path in paths)
        return keys, rows


class Index:
    """An index on disk; made on the first addition.

    Example:
        index = Index(folder, signer)
        match(index, signed, rows, threshold=0.8)    # against.py
        index.add(signed, kept)
    """

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Open an index, or prepare a new one where there is none.

        Raises:
            InputError: another format or version, documents signed otherwise, or a file that is not as it was written.
        """
        self.folder = folder
        self._signer = signer
        self._files: dict[str, list[Any]] = {}
        self.generations: list[Generation] = []
        if (folder / INDEX_FILE).is_file():
            self._open()

    def __len__(self) -> int:
        return sum(len(generation.signed) for generation in self.generations)

    def _record(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, "signer": self._signer.record() | {"n": self._signer.n}}

    def _open(self) -> None:
        path = self.folder / INDEX_FILE
        try:
            record = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            self._files = record["files"]
        except (msgspec.MsgspecError, KeyError) as error:
            msg = f"{path}: is no index of documents ({error}); give another folder, or make the index anew."
            raise InputError(msg) from error
        for name, expected in self._record().items():
            if record.get(name) != expected:
                msg = (
                    f"{path}: {name} is {record.get(name)}, this run has {expected}; such documents cannot be "
                    f"compared, so use the same settings or make the index anew."
                )
                raise InputError(msg)
        for name, (size, digest) in self._files.items():
            _check(self.folder / name, size, digest)
        for name in sorted({name.partition("/")[0] for name in self._files}):
            self.generations.append(Generation(self.folder / name, SignedParts([self.folder / name])))

    def add(self, signed: SignedParts, rows: NDArray[np.int64]) -> None:
        """Add documents as generations of at most `GENERATION_POINTS`; nothing is written for none.

        Raises:
            StorageError: no room or no permission; the index stays as it was.
        """
        if not len(rows):
            return
        make_folder(self.folder)
        costs = np.concatenate([np.zeros(1, np.int64), np.cumsum(signed.lengths[rows] + 2 * self._signer.permutations)])
        cuts = row_cuts(costs, GENERATION_POINTS)
        added = [self._write(signed, rows[low:high], place) for place, (low, high) in enumerate(cuts)]
        files = self._files | {
            f"{folder.name}/{path.name}": _measure(path) for folder in added for path in sorted(folder.iterdir())
        }
        write_json(self.folder / INDEX_FILE, {**self._record(), "files": files})
        self._files = files
        self.generations += [Generation(folder, SignedParts([folder])) for folder in added]

    def _write(self, signed: SignedParts, rows: NDArray[np.int64], place: int) -> Path:
        folder = self.folder / f"{len(self.generations) + place:05d}"
        partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
        with storage_errors(partial):
            for leftover in (partial, folder):
                shutil.rmtree(leftover, ignore_errors=True)
            partial.mkdir()
            write_part(partial, *_subset(signed, rows, self._signer))
            _write_sorted(partial, SignedParts([partial]))
            sync_folder(partial)
            partial.rename(folder)
        return folder


def _subset(
    signed: SignedParts, rows: NDArray[np.int64], signer: Signer
) -> tuple[pa.ChunkedArray, list[SignedBatch], Signer]:
    bands = [signed.band(number)[rows] for number in range(signed.band_count)]
    batch = SignedBatch(
        points=signed.points(rows),
        hashes=signed.hashes[rows],
        signatures=signed.signatures(rows),
        bands=np.stack(bands),
        han=signed.han[rows],
    )
    return pa.chunked_array([signed.id_column(rows).cast(pa.string())]), [batch], signer


def _write_sorted(folder: Path, signed: SignedParts) -> None:
    hashes = signed.hashes
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    np.save(folder / f"{EXACT_NAME}.keys.npy", hashes[order])
    np.save(folder / f"{EXACT_NAME}.rows.npy", order.astype(np.int32))
    for number in range(signed.band_count):
        keys = signed.band(number)
        order = np.argsort(keys, kind="stable")
        np.save(folder / f"band-{number:02d}.keys.npy", keys[order])
        np.save(folder / f"band-{number:02d}.rows.npy", order.astype(np.int32))


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _measure(path: Path) -> list[Any]:
    digest = xxhash.xxh3_128()
    for chunk in _chunks(path):
        digest.update(chunk)
    return [path.stat().st_size, digest.hexdigest()]


def _check(path: Path, size: int, digest: str) -> None:
    found = path.stat().st_size if path.is_file() else 0
    if found != size:
        msg = f"{path}: has {found:,} bytes, the index says {size:,}; restore it, or make the index anew."
        raise InputError(msg)
    if _measure(path)[1] != digest:
        msg = f"{path}: is not what was written (its XXH3-128 differs); restore it, or make the index anew."
        raise InputError(msg)
