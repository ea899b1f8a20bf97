"""What a reader yields, and how it becomes Arrow batches with every record accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import pyarrow as pa

from siku_manifests.document import QuarantineReason

BATCH_BYTES = 4 << 20
"""UTF-8 bytes of text in a batch: long enough that one call of a rule costs nothing, short enough for a cache."""

MAX_DOCUMENT_CHARACTERS = 3_000_000
"""Some 9 MB of Chinese, four times the longest classical novel. Rules and measures need 70 times a text's bytes while
they look at it, so a longer one would take a worker's memory; it goes to quarantine with the reason `size`."""
_SHOWN_CHARACTERS = 20_000


class Document(msgspec.Struct):
    """One document as the source says it, before any rule."""

    locator: str
    """What a worker that starts in the middle of the file also knows: a byte offset, a record number."""
    text: str
    meta: dict[str, str] = {}
    records: int = 1
    """Input records that went into it; 0 for all but the first item that a single record gives."""


class Refused(msgspec.Struct):
    """A sound record that its format says is no document: a fuzzy translation, an author's biography."""

    locator: str
    text: str
    reason: str
    detail: dict[str, str] = {}
    records: int = 1
    member: str = ""


class Bad(msgspec.Struct):
    """Bytes that could not be read as a record; they go to quarantine."""

    reason: QuarantineReason
    detail: str
    data: bytes
    offset: int = -1
    line: int = -1
    records: int = 1
    path: str = ""
    """Of the file below the source's root; filled in by whoever reads more than one."""
    member: str = ""
    """Inside the archive that the file is."""
    length: int = -1
    """Bytes of the record where `data` holds only its beginning."""


Item = Document | Refused | Bad

RAW_SCHEMA = pa.schema(
    [
        pa.field("locator", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("meta", pa.string(), nullable=False),
    ]
)


class RawBatch(NamedTuple):
    """Documents of one file in their order, with what the reader set aside between them."""

    documents: pa.RecordBatch
    """RAW_SCHEMA; `meta` is canonical JSON."""
    refused: list[Refused]
    bad: list[Bad]
    read: int
    split: int
    joined: int


_encode_meta = msgspec.json.Encoder(order="deterministic").encode


def batches(items: Iterable[Item], *, batch_bytes: int = BATCH_BYTES) -> Iterator[RawBatch]:
    """Gather a reader's items into Arrow batches; memory is one batch and the longest document.

    Text that UTF-8 cannot hold (a lone surrogate) is quarantined here, so that no reader need look for it.
    """
    pending: list[Document] = []
    refused: list[Refused] = []
    bad: list[Bad] = []
    size = 0
    for item in items:
        if isinstance(item, Document) and len(item.text) > MAX_DOCUMENT_CHARACTERS:
            bad.append(_too_long(item))
        elif isinstance(item, Document):
            pending.append(item)
            size += 3 * len(item.text)
        elif isinstance(item, Refused):
            refused.append(item)
            size += 3 * len(item.text)
        else:
            bad.append(item)
            size += len(item.data)
        if size >= batch_bytes:
            yield _batch(pending, refused, bad)
            pending, refused, bad, size = [], [], [], 0
    if pending or refused or bad:
        yield _batch(pending, refused, bad)


def _batch(documents: list[Document], refused: list[Refused], bad: list[Bad]) -> RawBatch:
    try:
        texts = pa.array([document.text for document in documents], pa.string())
    except UnicodeEncodeError:
        sound = [document for document in documents if _surrogates(document) is None]
        broken = [found for found in map(_surrogates, documents) if found is not None]
        return _batch(sound, refused, bad + broken)
    columns = [
        pa.array([document.locator for document in documents], pa.string()),
        texts,
        pa.array([_encode_meta(document.meta).decode() for document in documents], pa.string()),
    ]
    items: list[Item] = [*documents, *refused, *bad]
    records = [item.records for item in items]
    return RawBatch(
        pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA),
        refused,
        bad,
        read=sum(records),
        split=records.count(0),
        joined=sum(count - 1 for count in records if count > 1),
    )


def _too_long(document: Document) -> Bad:
    data = document.text[:_SHOWN_CHARACTERS].encode("utf-8", "surrogatepass")
    detail = f"record {document.locator} has {len(document.text):,} characters, more than {MAX_DOCUMENT_CHARACTERS:,}"
    return Bad(
        "size", detail, data, records=document.records, length=len(document.text.encode("utf-8", "surrogatepass"))
    )


def _surrogates(document: Document) -> Bad | None:
    try:
        document.text.encode()
    except UnicodeEncodeError:
        data = document.text.encode("utf-8", "surrogatepass")
        detail = f"record {document.locator} holds half of a surrogate pair"
        return Bad("encoding", detail, data, records=document.records)
    return None
