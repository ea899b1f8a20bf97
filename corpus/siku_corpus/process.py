"""One batch on its way: mended, normalized, judged, given a language; and the books kept."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_corpus.account import EXAMPLES_KEPT, Account, Change, Drop, length_histogram
from siku_corpus.filters import EMPTY, Objection, Verdicts, judge
from siku_corpus.language import find_languages
from siku_corpus.mojibake import mend
from siku_corpus.normalize import normalize
from siku_corpus.private import PRIVATE, hide
from siku_corpus.profiles import Behaviour
from siku_corpus.records import Bad, RawBatch, Refused
from siku_manifests.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA, QUARANTINE_BYTES, QUARANTINE_SCHEMA
from siku_manifests.equation import Counts
from siku_manifests.sections import Source

STAGE = "documents"
SHOWN_PROFILES = ("poetry", "classical")
"""Whole texts are shown from these only: they are public-domain, the others may not be."""
_EXAMPLE_CHARACTERS = 300

_encode = msgspec.json.Encoder(order="deterministic").encode


class Processed(NamedTuple):
    """Rows of the three tables of a batch."""

    kept: pa.RecordBatch
    dropped: pa.RecordBatch
    quarantine: pa.RecordBatch


class Processor:
    """Takes the batches of one range of a source; `account` sums up what it did.

    Args:
        source: where the documents come from.
        behaviour: rules and thresholds of its profile.
        report_only: count what filters would drop, and drop only what is empty.
    """

    def __init__(self, *, source: Source, behaviour: Behaviour, report_only: bool) -> None:
        self.account = Account(source=source.name)
        self._source = source
        self._behaviour = behaviour
        self._report_only = report_only

    def process(self, batch: RawBatch) -> Processed:
        """Do everything that is done to a batch."""
        ids: list[str] = batch.documents.column("locator").to_pylist()
        raw: list[str] = batch.documents.column("text").to_pylist()
        mended = mend(raw)
        hopeless = [Bad("mojibake", ids[row], raw[row].encode(), path=_path_of(ids[row])) for row in mended.hopeless]
        normalized = normalize(mended.texts, self._behaviour.rules)
        counts, examples = dict(normalized.counts), dict(normalized.examples)
        if mended.repaired:
            counts["mojibake"], examples["mojibake"] = mended.repaired, mended.example
        texts = pa.array(normalized.texts, pa.string())
        verdicts = judge(texts, self._behaviour)
        drop = self._drop(verdicts, set(mended.hopeless))
        keep = np.ones(len(raw), dtype=np.bool_)
        keep[[*drop, *mended.hopeless]] = False

        bad = batch.bad + hopeless
        self.account += self._books(batch, verdicts, keep, drop, bad)
        self.account += self._examples(ids, raw, normalized.texts, (counts, examples), drop)
        return Processed(
            self._kept_rows(batch.documents, normalized.texts, verdicts, keep),
            self._dropped_rows(ids, normalized.texts, drop, batch.refused),
            self._quarantine_rows(bad),
        )

    def _drop(self, verdicts: Verdicts, hopeless: set[int]) -> dict[int, Objection]:
        return {
            row: objection
            for row, objection in sorted(verdicts.objections.items())
            if row not in hopeless and (objection.reason == EMPTY or not self._report_only)
        }

    def _kept_rows(
        self, documents: pa.RecordBatch, texts: Sequence[str], verdicts: Verdicts, keep: NDArray[np.bool_]
    ) -> pa.RecordBatch:
        mask = pa.array(keep)
        language = self._source.language
        languages = (
            [language] * len(texts) if language else find_languages(texts, verdicts.measures, self._behaviour.profile)
        )
        kept_languages = pa.array(languages, pa.string()).filter(mask)
        self.account.languages = dict(Counter(self.account.languages) + Counter(kept_languages.to_pylist()))
        rows = len(kept_languages)
        columns = [
            documents.column("locator").filter(mask),
            pa.array(texts, pa.string()).filter(mask),
            pa.array([self._source.name] * rows, pa.string()),
            kept_languages,
            pa.array([self._source.license] * rows, pa.string()),
            documents.column("meta").filter(mask),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=DOCUMENT_SCHEMA)

    def _dropped_rows(
        self, ids: Sequence[str], texts: Sequence[str], drop: Mapping[int, Objection], refused: Sequence[Refused]
    ) -> pa.RecordBatch:
        rows: list[tuple[str, str, Mapping[str, object], str]] = [
            (ids[row], objection.reason, {"value": objection.value, "threshold": objection.threshold}, texts[row])
            for row, objection in drop.items()
        ]
        rows += [(item.locator, item.reason, item.detail, item.text) for item in refused]
        columns = [
            pa.array([row[0] for row in rows], pa.string()),
            pa.array([self._source.name] * len(rows), pa.string()),
            pa.array([STAGE] * len(rows), pa.string()),
            pa.array([row[1] for row in rows], pa.string()),
            pa.array([_encode(row[2]).decode() for row in rows], pa.string()),
            pa.array([row[3] for row in rows], pa.string()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=DROPPED_SCHEMA)

    def _quarantine_rows(self, bad: Sequence[Bad]) -> pa.RecordBatch:
        rows = [
            {
                "source": self._source.name,
                "path": item.path,
                "member": item.member,
                "offset": item.offset,
                "line": item.line,
                "length": len(item.data) if item.length < 0 else item.length,
                "sha256": hashlib.sha256(item.data).hexdigest(),
                "reason": item.reason,
                "detail": item.detail,
                "bytes": item.data[:QUARANTINE_BYTES],
            }
            for item in bad
        ]
        return pa.RecordBatch.from_pylist(rows, schema=QUARANTINE_SCHEMA)

    def _books(
        self,
        batch: RawBatch,
        verdicts: Verdicts,
        keep: NDArray[np.bool_],
        drop: Mapping[int, Objection],
        bad: Sequence[Bad],
    ) -> Account:
        measures = verdicts.measures
        dropped = Counter(objection.reason for objection in drop.values())
        dropped.update(item.reason for item in batch.refused)
        return Account(
            counts=Counts(
                read=batch.read,
                split=batch.split,
                joined=batch.joined,
                kept=int(keep.sum()),
                dropped=dict(sorted(dropped.items())),
                quarantined=dict(sorted(Counter(item.reason for item in bad).items())),
                characters=int(measures.characters[keep].sum()),
                han=int(measures.han[keep].sum()),
                bytes=int(measures.bytes[keep].sum()),
            ),
            would_drop=dict(Counter(objection.reason for objection in verdicts.objections.values())),
            lengths=length_histogram(measures.characters[keep]),
        )

    def _examples(
        self,
        ids: Sequence[str],
        raw: Sequence[str],
        texts: Sequence[str],
        mended: tuple[dict[str, int], Mapping[str, tuple[str, str]]],
        drop: Mapping[int, Objection],
    ) -> Account:
        counts, examples = mended
        drops: dict[str, list[Drop]] = {}
        for row, objection in drop.items():
            note = f"{objection.value:g} against {objection.threshold:g}"
            drops.setdefault(objection.reason, []).append(Drop(ids[row], texts[row][:_EXAMPLE_CHARACTERS], note))
        wanted = EXAMPLES_KEPT - len(self.account.changes) if self._behaviour.profile in SHOWN_PROFILES else 0
        different = (row for row, pair in enumerate(zip(raw, texts, strict=True)) if pair[0] != pair[1])
        changed = (row for row in different if raw[row].strip() != texts[row]) if wanted and counts else ()
        return Account(
            rules=counts,
            rule_examples={name: Change(*map(self._shown, pair)) for name, pair in examples.items() if any(pair)},
            changes=[_change(raw[row], texts[row]) for row in islice(changed, wanted)],
            drops=drops,
        )

    def _shown(self, example: str) -> str:
        """An example as the report may show it: other rules come across personal data, too."""
        return hide(example) if self._behaviour.rules & PRIVATE.keys() else example


def _change(before: str, after: str) -> Change:
    """The stretch around the first difference, some 150 characters, whole lines where they are short."""
    place = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = max(0, place - _EXAMPLE_CHARACTERS // 4)
    start = before.rfind("\n", 0, start) + 1
    end = start + _EXAMPLE_CHARACTERS // 2
    return Change(before[start:end], after[start:end])


def _path_of(document: str) -> str:
    return document.partition("/")[2].rpartition("#")[0]
