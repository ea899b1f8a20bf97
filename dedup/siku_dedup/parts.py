"""Signed documents on disk: one folder a range, its arrays mapped into memory, read by row over all folders.

points.npy      uint32 (C,)    code points of the key texts
starts.npy      int64 (D + 1,)
hashes.npy      uint64 (D, 2)
signatures.npy  uint32 (D, K)
bands.npy       uint64 (N, D)  one band in one piece
han.npy         int64 (D,)
ids.parquet     string (D,)
signer.json     scheme, version, permutations, bands, rows; and n
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from siku_dedup.points import Points, gather
from siku_dedup.signing import SignedBatch, Signer
from siku_manifests.atomic import write_json
from siku_manifests.errors import InputError


def write_part(folder: Path, ids: pa.ChunkedArray, batches: Sequence[SignedBatch], signer: Signer) -> None:
    """Write the signed documents of one range into an empty folder."""
    sizes = [np.diff(batch.points.starts) for batch in batches]
    lengths = np.concatenate([np.zeros(0, np.int64), *sizes])
    _save(folder / "points.npy", np.zeros(0, np.uint32), [batch.points.values for batch in batches])
    _save(folder / "starts.npy", np.zeros(0, np.int64), [np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])])
    _save(folder / "hashes.npy", np.zeros((0, 2), np.uint64), [batch.hashes for batch in batches])
    empty = np.zeros((0, signer.permutations), np.uint32)
    _save(folder / "signatures.npy", empty, [batch.signatures for batch in batches])
    _save(folder / "han.npy", np.zeros(0, np.int64), [batch.han for batch in batches])
    bands = [np.zeros((signer.bands.number, 0), np.uint64), *(batch.bands for batch in batches)]
    np.save(folder / "bands.npy", np.concatenate(bands, axis=1))
    pq.write_table(pa.table({"id": ids}), folder / "ids.parquet")
    write_json(folder / "signer.json", {**signer.record(), "n": signer.n})


def _save(path: Path, empty: NDArray[Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Write arrays one after the other as one, without holding that in memory too."""
    header = np.lib.format.header_data_from_array_1_0(empty)
    header["shape"] = (sum(map(len, arrays)), *empty.shape[1:])
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for array in arrays:
            np.ascontiguousarray(array).tofile(stream)


class SignedParts:
    """All signed documents of a corpus; rows count through the parts in order. It is a `clusters.Signed`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)
        records = [_read_record(folder) for folder in folders]
        _check_same(records, folders)
        self.han = self._joined("han")
        self.hashes = self._joined("hashes")
        self.lengths = np.concatenate([np.zeros(0, np.int64), *(np.diff(starts) for starts in self._maps("starts"))])
        sizes = [len(signatures) for signatures in self._maps("signatures")]
        self._bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.n = np.repeat([record["n"] for record in records], sizes).astype(np.int64)
        self.band_count = int(records[0]["bands"]) if records else 0
        self.permutations = int(records[0]["permutations"]) if records else 0
        self._signatures = self._maps("signatures")
        self._bands = self._maps("bands")
        self._points = self._maps("points")
        self._starts = self._maps("starts")

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def band(self, number: int) -> NDArray[np.uint64]:
        """Keys of one band, shape (D,)."""
        return np.concatenate([np.zeros(0, np.uint64), *(bands[number] for bands in self._bands)])

    def signatures(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Signatures of some documents, shape (len(rows), K)."""
        out = np.empty((len(rows), self.permutations), np.uint32)
        for part, places in self._places(rows):
            out[places] = self._signatures[part][rows[places] - self._bounds[part]]
        return out

    def points(self, rows: NDArray[np.int64]) -> Points:
        """Key texts of some documents."""
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.lengths[rows])])
        values = np.empty(starts[-1], np.uint32)
        for part, places in self._places(rows):
            gather(self._points[part], self._starts[part], rows[places] - self._bounds[part], values, starts[places])
        return Points(values, starts)

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Ids of some documents."""
        found: list[str] = self.id_column(rows).to_pylist()
        return found

    def id_column(self, rows: NDArray[np.int64]) -> pa.LargeStringArray:
        """Ids of some documents, no Python string each; reads one part's ids at a time."""
        columns, order = [pa.array([], pa.large_string())], [np.zeros(0, np.int64)]
        for part, places in self._places(rows):
            column = pq.read_table(self._folders[part] / "ids.parquet")["id"].cast(pa.large_string()).combine_chunks()
            columns.append(column.take(pa.array(rows[places] - self._bounds[part])))
            order.append(places)
        joined = pa.concat_arrays(columns)
        return joined if len(columns) == 2 else joined.take(pa.array(np.argsort(np.concatenate(order))))

    def part_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of the part that holds each row."""
        return np.searchsorted(self._bounds, rows, side="right").astype(np.int64) - 1

    def _places(self, rows: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
        parts = self.part_of(rows)
        return [(int(part), np.flatnonzero(parts == part)) for part in np.unique(parts)]

    def _maps(self, name: str) -> list[NDArray[Any]]:
        # As plain arrays: np.memmap makes an object for each slice, a third of the time of reading short texts.
        return [np.asarray(_map(folder / f"{name}.npy")) for folder in self._folders]

    def _joined(self, name: str) -> NDArray[Any]:
        return np.concatenate(self._maps(name))


def _map(path: Path) -> NDArray[Any]:
    """An array of a file, mapped.

    Raises:
        InputError: the file is missing, or not as long as it says.
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, error) from error
    return array


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / "signer.json"
    try:
        record: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise _damaged(path, error) from error
    return record


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: signed documents cannot be read ({error}); remove {path.parent} and run again.")


def _check_same(records: list[dict[str, Any]], folders: Sequence[Path]) -> None:
    """Refuse to compare signatures that were made differently: they would silently never agree."""
    for record, folder in zip(records, folders, strict=True):
        for key in record.keys() - {"n"}:
            if record[key] != records[0][key]:
                msg = (
                    f"{folder}: signatures have {key} = {record[key]}, those of {folders[0]} have {records[0][key]}; "
                    f"they cannot be compared, so sign all documents with one setting."
                )
                raise InputError(msg)
