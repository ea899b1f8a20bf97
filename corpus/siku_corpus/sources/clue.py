"""The tasks of CLUE and FewCLUE, and of ChineseGLUE before them: texts in many small shapes.

    {"sentence": …} {"sentence1": …, "sentence2": …} {"abst": …} {"content": …} {"text": …}    a line each
    label_!_name_!_text                                                                        a line each
    one sentence<TAB>another<TAB>0 or 1                                              LCQMC, BQ: a line each
    {"data": [{"paragraphs": [{"context": …, "qas": […]}]}]}          cmrc2018, drcd: one JSON document
    [[[line, …], [{"question": …, "choice": […], "answer": …}], id]]  c3: one JSON document

A pair of sentences is two lines. Idioms that were cut out (`#idiom#`) are put back where the answer is given; a
text whose answer is kept elsewhere is refused, since a text with a hole teaches holes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from siku_corpus.opening import Input, read_whole
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources.lines import Row, json_rows, scalars, text_rows

_TEXTS = ("sentence", "text", "content", "abst", "passage")
_PAIR = ("sentence1", "sentence2")
_LABELS = ("label", "label_des", "label_desc", "genre", "keywords", "keyword", "keyword_list")
_HOLE = re.compile(r"#idiom\d*#")
_SEPARATOR = "_!_"
_SNIFFED_BYTES = 4096


def read_clue(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield the texts of a task file; the locator is a line's byte offset, or the number of a passage."""
    with file.open("rb") as stream:
        head = stream.read(_SNIFFED_BYTES).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"[") or re.match(rb'\{\s*"(?:version|data)"\s*:', head):
        if start == 0:
            yield from _whole(file)
    elif head.startswith(b"{"):
        for row in json_rows(file, start, end, dict[str, Any]):
            yield row if isinstance(row, Bad) else _object(row)
    else:
        for row in text_rows(file, start, end):
            yield row if isinstance(row, Bad) else _fields(row)


def _object(row: Row) -> Item:
    record: dict[str, Any] = row.value
    locator = str(row.offset)
    meta = {name: value for name, value in scalars(record).items() if name in _LABELS and value}
    if all(isinstance(record.get(name), str) for name in _PAIR):
        return Document(locator, f"{record['sentence1']}\n{record['sentence2']}", meta)
    text = next((record[name] for name in _TEXTS if isinstance(record.get(name), str | list)), None)
    if text is None or (isinstance(text, list) and not all(isinstance(part, str) for part in text)):
        return Bad("record", f"no text of a task under {', '.join(list(record)[:10])}", row.data, offset=row.offset)
    text = text if isinstance(text, str) else "\n".join(text)
    if _HOLE.search(text):
        return _fill(locator, text, record)
    return Document(locator, text, meta)


def _fill(locator: str, text: str, record: dict[str, Any]) -> Item:
    candidates, answer = record.get("candidates"), record.get("answer")
    if isinstance(answer, int) and isinstance(candidates, list) and 0 <= answer < len(candidates):
        idiom = str(candidates[answer])
        if len(_HOLE.findall(text)) == 1:
            return Document(locator, _HOLE.sub(lambda _: idiom, text), {})
    return Refused(locator, text, "gap")


def _fields(row: Row) -> Item:
    """`_!_` between label, name, number, title, text and keywords; how many there are says which task it is."""
    fields = row.value.split(_SEPARATOR)
    locator = str(row.offset)
    if len(fields) < 2:
        return _pair(row, locator)
    if len(fields) == 5 and fields[2].startswith("news_"):
        meta = {"label": fields[2], "keywords": fields[4].strip()}
        return Document(locator, fields[3], {key: value for key, value in meta.items() if value})
    if len(fields) == 4 and not fields[2].endswith(".txt"):
        return Document(locator, f"{fields[2]}\n{fields[3]}", {"title": fields[2], "label": fields[0]})
    return Document(locator, fields[-1], {"label": fields[1] if len(fields) > 2 else fields[0]})


def _pair(row: Row, locator: str) -> Item:
    fields = row.value.split("\t")
    if len(fields) == 3 and fields[2].strip().isdecimal():
        return Document(locator, f"{fields[0]}\n{fields[1]}", {"label": fields[2].strip()})
    return Bad("record", "neither JSON, nor fields separated by `_!_`, nor a pair", row.data, offset=row.offset)


def _whole(file: Input) -> Iterator[Item]:
    data = read_whole(file)
    try:
        content = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Bad("json", str(error), data, offset=0)
        return
    articles = content.get("data", []) if isinstance(content, dict) else content
    for number, article in enumerate(articles):
        try:
            yield from _passages(article, str(number))
        except (LookupError, TypeError, AttributeError) as error:
            detail = f"record {number} has the shape of no task ({type(error).__name__}: {error})"
            yield Bad("record", detail, msgspec.json.encode(article), offset=-1)


def _passages(article: Any, locator: str) -> Iterator[Item]:
    """The passages of an element with their questions and answers, each on a line."""
    if isinstance(article, list):
        lines, questions = article[0], article[1]
        answers = [(question["question"], question.get("answer", "")) for question in questions]
        passages = [("\n".join(lines), answers)]
    elif "paragraphs" in article:
        passages = [(part["context"], _answers(part["qas"])) for part in article["paragraphs"]]
    elif "context_text" in article:
        passages = [(article["context_text"], _answers(article["qas"]))]
    else:
        yield _object(Row(int(locator), msgspec.json.encode(article), article))
        return
    texts = ["\n".join([text, *(line for pair in pairs for line in pair if line)]) for text, pairs in passages]
    for number, text in enumerate(texts):
        place = locator if len(texts) == 1 else f"{locator}/{number}"
        yield Document(place, text, {}, records=0 if number else 1)


def _answers(questions: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for question in questions:
        answer = next(iter(question.get("answers", [])), "")
        text = answer["text"] if isinstance(answer, dict) else answer
        found.append((question.get("question") or question["query_text"], text))
    return found
