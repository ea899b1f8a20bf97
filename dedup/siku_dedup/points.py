"""Texts as code points: one array of values and where each text begins in it.

Every kernel of this room works on this form. Making it from an Arrow column reads offsets and bytes only, no
Python string is built, and the lock of the interpreter is free meanwhile.

Shape legend: B bytes, C code points, D documents.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.errors import InputError
from siku_manifests.kernels import kernel

_RUN = 32


class Points(NamedTuple):
    """D texts as code points."""

    values: NDArray[np.uint32]
    """Shape (C,)."""
    starts: NDArray[np.int64]
    """Shape (D + 1,): text d is `values[starts[d] : starts[d + 1]]`."""

    def text(self, row: int) -> str:
        """One text as a string."""
        return self.values[self.starts[row] : self.starts[row + 1]].tobytes().decode("utf-32-le")

    def __len__(self) -> int:
        return len(self.starts) - 1


def row_cuts(starts: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """Row ranges of at most `most` code points (or one row), so that what is made of them stays small."""
    cuts = []
    low = 0
    while low < len(starts) - 1:
        high = max(low + 1, int(np.searchsorted(starts, starts[low] + most, side="right")) - 1)
        cuts.append((low, high))
        low = high
    return cuts


def text_buffers(column: pa.StringArray | pa.LargeStringArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """View an Arrow string column as bytes (B,) and offsets (D + 1,) into them; the text is not copied.

    Raises:
        InputError: the column has nulls or is not of strings.
    """
    wide = pa.types.is_large_string(column.type)
    if not wide and not pa.types.is_string(column.type):
        msg = f"text column: expected strings, found {column.type}; name the column that holds the text."
        raise InputError(msg)
    if column.null_count:
        msg = f"text column: {column.null_count:,} of {len(column):,} rows are null, expected none; drop them first."
        raise InputError(msg)
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offset_buffer, value_buffer = column.buffers()
    every = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
    offsets = every[column.offset : column.offset + len(column) + 1].astype(np.int64)
    data = np.zeros(0, np.uint8) if value_buffer is None else np.frombuffer(value_buffer, np.uint8)
    return data, offsets


def column_points(column: pa.StringArray | pa.LargeStringArray) -> Points:
    """The code points of a column of texts.

    Raises:
        InputError: the column has nulls or is not of strings.
    """
    data, offsets = text_buffers(column)
    return decode_points(data, offsets[:-1], offsets[1:])


def decode_points(data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Points:
    """The code points of the texts at `data[begins[d] : ends[d]]`, which must be valid UTF-8."""
    values = np.empty(int((ends - begins).sum()), np.uint32)
    starts = np.empty(len(begins) + 1, np.int64)
    decode(data, begins, ends, values, starts)
    return Points(values[: starts[-1]], starts)


@kernel
def gather(  # pragma: no cover
    source: NDArray[np.uint32],
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    values: NDArray[np.uint32],
    places: NDArray[np.int64],
) -> None:
    """Copy the texts `rows` of a source to `places`, where each begins in `values`."""
    for i in range(len(rows)):
        text = source[starts[rows[i]] : starts[rows[i] + 1]]
        values[places[i] : places[i] + len(text)] = text


@kernel
def decode(  # pragma: no cover
    data: NDArray[np.uint8],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    values: NDArray[np.uint32],
    starts: NDArray[np.int64],
) -> None:
    """Decode valid UTF-8, which Arrow promises, one text after the other; 8 GB/s on Han, AVX-512.

    Args:
        data: bytes.
        begins: shape (D,), where each text begins in `data`.
        ends: shape (D,), where it ends.
        values: out, room for as many code points as there are bytes.
        starts: out, shape (D + 1,).
    """
    out = 0
    starts[0] = 0
    for doc in range(len(begins)):
        at = begins[doc]
        end = ends[doc]
        while at < end:
            # 32 leads of three-byte characters, three bytes apart, can be nothing but 32 characters. Written here
            # with constant counts and slices, both loops become vector code: 3 times as fast as one by one.
            while at <= end - 3 * _RUN:
                run = data[at : at + 3 * _RUN]
                points = values[out : out + _RUN]
                other = np.uint8(0)
                for k in range(_RUN):
                    other |= np.uint8(np.uint8(run[3 * k] & np.uint8(0xF0)) ^ np.uint8(0xE0))
                if other:
                    break
                for k in range(_RUN):
                    points[k] = _three_bytes(np.uint32(run[3 * k]), run[3 * k + 1], run[3 * k + 2])
                at += 3 * _RUN
                out += _RUN
            size, count = _decode_stretch(data[at:end], values[out:])
            at += size
            out += count
        starts[doc + 1] = out


@kernel
def _decode_stretch(data: NDArray[np.uint8], values: NDArray[np.uint32]) -> tuple[int, int]:  # pragma: no cover
    """Decode one by one up to where a next run of three-byte characters may begin; bytes and characters done."""
    at, out = 0, 0
    other_seen = False
    while at < len(data):
        lead = np.uint32(data[np.uint64(at)])
        if (lead & np.uint32(0xF0)) == np.uint32(0xE0):
            if other_seen and at + 3 * _RUN <= len(data):
                break
            values[np.uint64(out)] = _three_bytes(lead, data[np.uint64(at + 1)], data[np.uint64(at + 2)])
            at += 3
        else:
            other_seen = True
            size = int(1 + (lead >= 0xC0) + 2 * (lead >= 0xF0))
            value = lead if size == 1 else np.uint32(lead & np.uint32(0x7F >> size))
            for k in range(1, size):
                value = np.uint32(value << np.uint32(6)) | np.uint32(data[np.uint64(at + k)] & np.uint8(0x3F))
            values[np.uint64(out)] = value
            at += size
        out += 1
    return at, out


@kernel
def _three_bytes(lead: np.uint32, middle: np.uint8, last: np.uint8) -> np.uint32:  # pragma: no cover
    return np.uint32(
        (np.uint32(lead & np.uint32(0x0F)) << np.uint32(12))
        | (np.uint32(middle & np.uint8(0x3F)) << np.uint32(6))
        | np.uint32(last & np.uint8(0x3F))
    )
