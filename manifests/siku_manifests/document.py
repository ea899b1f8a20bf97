"""The document: the one record that every room reads and writes, and its two shadows.

A document that a rule removes becomes a row of `dropped`; bytes that never became a document become a row
of `quarantine`. Together the three account for every record read.
"""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import pyarrow as pa
import rfc8785


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


DOCUMENT_SCHEMA = pa.schema(
    [
        _required("id", pa.string()),
        _required("text", pa.string()),
        _required("source", pa.string()),
        _required("language", pa.string()),
        _required("license", pa.string()),
        _required("meta", pa.string()),
    ]
)
"""`language` is BCP 47 (`zh`, `zh-Hant`, `lzh`, `en`, `mul`), `license` SPDX or `LicenseRef-…`, `meta` canonical
JSON."""

DROPPED_SCHEMA = pa.schema(
    [
        _required("id", pa.string()),
        _required("source", pa.string()),
        _required("stage", pa.string()),
        _required("reason", pa.string()),
        _required("detail", pa.string()),
        _required("text", pa.string()),
    ]
)
"""`detail` is canonical JSON: the measured value and its threshold, or `duplicate_of` and the similarity."""

QUARANTINE_SCHEMA = pa.schema(
    [
        _required("source", pa.string()),
        _required("path", pa.string()),
        _required("member", pa.string()),
        _required("offset", pa.int64()),
        _required("line", pa.int64()),
        _required("length", pa.int64()),
        _required("sha256", pa.string()),
        _required("reason", pa.string()),
        _required("detail", pa.string()),
        _required("bytes", pa.binary()),
    ]
)
"""`offset` and `length` in bytes, `line` counted from 1, −1 where unknown; `bytes` the first 64 KiB."""

QuarantineReason = Literal["file", "archive", "encoding", "json", "record", "markup", "mojibake", "size"]
QUARANTINE_REASONS: tuple[str, ...] = get_args(QuarantineReason)
QUARANTINE_BYTES = 64 * 1024


def document_id(source: str, path: str, locator: str | int) -> str:
    """The id of a document: `SOURCE/PATH#LOCATOR`, POSIX separators, NFC.

    Args:
        source: name of the source in the recipe.
        path: path of the raw file below the source's root.
        locator: known to a worker that starts in the middle of the file: a byte offset, a record number,
            a page id; with `/n` appended where one record gives several documents.

    Example:
        document_id("poetry", "json/poet.0.json", 17) -> "poetry/json/poet.0.json#17"
    """
    posix = PurePosixPath(path.replace("\\", "/"))
    return unicodedata.normalize("NFC", f"{source}/{posix}#{locator}")


def encode_meta(meta: dict[str, Any]) -> str:
    """Canonical JSON (RFC 8785) of a document's metadata: one spelling, so equal data has equal bytes."""
    return rfc8785.dumps(meta).decode()
