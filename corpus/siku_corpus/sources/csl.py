"""CSL, abstracts of Chinese journals: the whole file, and the benchmark's tasks.

    title<TAB>abstract<TAB>keywords<TAB>discipline<TAB>category      csl_camera_readly.tsv, csl_40k.tsv
    to title<TAB>abstract<TAB>title                                  benchmark: ts, kg, cls_ctg, cls_dcp

Title and abstract stand on lines of their own. A task that asks for a class has one of the two only.
"""

from __future__ import annotations

from collections.abc import Iterator

from siku_corpus.opening import Input
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.lines import Row, text_rows

_TASKS = {"to title": "title", "to keywords": "keywords", "to category": "category", "to discipline": "discipline"}
_HEADER = ("prompt", "title")


def read_csl(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield an abstract a line; the locator is the line's byte offset. A header is refused."""
    for row in text_rows(file, start, end):
        yield row if isinstance(row, Bad) else _document(row)


def _document(row: Row) -> Item:
    fields = [field.strip() for field in row.value.split("\t")]
    locator = str(row.offset)
    if row.offset == 0 and fields[0] in _HEADER:
        return Refused(locator, row.value, "no_text")
    if fields[0] in _TASKS and len(fields) == 3:
        _, text, answer = fields
        task = _TASKS[fields[0]]
        return Document(locator, f"{answer}\n{text}" if task == "title" else text, {task: answer})
    if len(fields) < 5:
        detail = f"neither five columns nor a task's three, but {len(fields)}, the first {fields[0][:20]!r}"
        return Bad("record", detail, row.data, offset=row.offset)
    title, abstract, keywords, discipline, category = fields[-5:]
    meta = {"title": title, "keywords": keywords, "discipline": discipline, "category": category}
    return Document(locator, f"{title}\n{abstract}", {key: value for key, value in meta.items() if value})
