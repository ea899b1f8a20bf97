"""News of 新浪 as Tsinghua published it, and what others made of it.

read_thucnews   THUCNews.zip or its folder: CATEGORY/NUMBER.txt, the title on the first line
read_titles     `title<TAB>class`, classes as numbers from 0
read_cnews      `label<TAB>text`, the title glued to the text
"""

from __future__ import annotations

from collections.abc import Iterator

from siku_corpus.opening import Input, whole_text
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.lines import iterate_lines, sniff_encoding, text_rows

TITLE_CLASSES = (
    "finance", "realty", "stocks", "education", "science", "society", "politics", "sports", "game", "entertainment",
)  # fmt: skip
"""In the order of their numbers; such a set comes with a class.txt that says the same."""
CNEWS_LABELS = frozenset({"体育", "娱乐", "家居", "房产", "教育", "时尚", "时政", "游戏", "科技", "财经"})
_SNIFFED_LINES = 50
_SNIFFED_BYTES = 1 << 20


def read_thucnews(file: Input, start: int, end: int) -> Iterator[Item]:  # noqa: ARG001  small files
    """Yield an article, its title in the metadata as well as on the first line, its category from the folder."""
    text = whole_text(file)
    if isinstance(text, Bad):
        yield text
        return
    if not file.name.endswith(".txt"):
        yield Refused("0", text[:200], "no_text")
        return
    title = text.lstrip().partition("\n")[0].strip(" \u3000\r")
    meta = {"title": title, "label": file.parent.name}
    yield Document("0", text, {key: value for key, value in meta.items() if value})


def read_titles(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield a document a title; the locator is the line's byte offset. A list of classes (class.txt) is refused."""
    if file.name == "class.txt":
        if start == 0:
            yield Refused("0", "", "no_text")
        return
    for row in text_rows(file, start, end):
        if isinstance(row, Bad):
            yield row
            continue
        title, _, number = row.value.rpartition("\t")
        if not title or not number.strip().isdecimal() or int(number) >= len(TITLE_CLASSES):
            yield Bad("record", "not `title<TAB>class number`", row.data, offset=row.offset)
        else:
            yield Document(str(row.offset), title, {"label": TITLE_CLASSES[int(number)]})


def read_cnews(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield a document a line; the locator is its byte offset.

    Many files of that name are something else, so the file's beginning is looked at first: if half of its
    labels are none of the ten, the whole file is one bad record that says what it looks like.
    """
    found = _look(file)
    if found:
        if start == 0:
            with file.open("rb") as stream:
                yield Bad("file", f"not CNews: {found}", stream.read(1 << 16), offset=0)
        return
    for row in text_rows(file, start, end):
        if isinstance(row, Bad):
            yield row
            continue
        label, tab, text = row.value.partition("\t")
        if not tab or label not in CNEWS_LABELS:
            yield Bad("record", f"{label[:20]!r} is none of the ten labels", row.data, offset=row.offset)
        else:
            yield Document(str(row.offset), text, {"label": label})


def _look(file: Input) -> str:
    """What a file is that does not hold the ten labels; empty if it does."""
    lines = []
    try:
        encoding = sniff_encoding(file)
        for line in iterate_lines(file, 0, _SNIFFED_BYTES):
            lines.append(line.data.decode(encoding, "replace"))
            if len(lines) == _SNIFFED_LINES:
                break
    except LookupError:
        return "its encoding is unknown"
    labels = [line.partition("\t")[0] for line in lines]
    if not lines or sum(label in CNEWS_LABELS for label in labels) * 2 >= len(labels):
        return ""
    return _describe(lines, labels)


def _describe(lines: list[str], labels: list[str]) -> str:
    """Name the commonest things that lie under such a name."""
    last = [line.rpartition("\t")[2].strip() for line in lines]
    most = len(lines) / 2
    signs = (
        ((line.startswith("{") for line in lines), 'it looks like JSON lines; format = "jsonl" reads them'),
        (("_!_" in line for line in lines), 'its fields are separated by `_!_`; format = "clue" reads them'),
        (("\t" not in line for line in lines), "its lines have no tab"),
        ((label in CNEWS_LABELS for label in last), "label and text are the other way round"),
        (
            (line.count("\t") > 1 and label in ("0", "1") for line, label in zip(lines, last, strict=True)),
            "it looks like pairs of sentences with 0 or 1",
        ),
        ((label.isdecimal() for label in last), 'it looks like `title<TAB>class`; format = "thucnews-titles" reads it'),
    )
    for lines_like_it, looks in signs:
        if sum(lines_like_it) > most:
            return looks
    known = ", ".join(sorted(set(labels), key=lambda label: -labels.count(label))[:5])
    return f"its labels are {known}"
