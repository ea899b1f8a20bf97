"""Instructions with answers: COIG, COIG-CQIA, and all that have `instruction`, `input` and `output`.

    {"instruction", "input", "output"}                             COIG-CQIA, leetcode, human values (part 1)
    {"trans_instruction", "trans_input", "trans_output"}           translated instructions
    {"textbox_q_instruction", "textbox_q_context", "textbox_question", "textbox_answer", …}    exams
    {"round_0": {"response": '{"Q": …, "A": …}'}, …}               counterfactual correction, a file a talk
    {"conversation": [{"human", "assistant"}, …]}                  the reference system's own format

Question and answer stand on lines of their own and nothing is put between them. A file is JSON lines, a JSON list
(human values, part 1), or one object (a talk, also when it is spread over lines).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from siku_corpus.elements import iterate_elements
from siku_corpus.opening import Input, read_small
from siku_corpus.records import Bad, Document, Item
from siku_corpus.sources.lines import Row, json_rows

_PLAIN = ("instruction", "input", "output")
_TRANSLATED = ("trans_instruction", "trans_input", "trans_output")
_EXAM = ("textbox_q_instruction", "textbox_q_context", "textbox_question", "textbox_answer_analysis", "textbox_answer")
_SHAPES = ((_PLAIN, "output"), (_TRANSLATED, "trans_output"), (_EXAM, "textbox_question"))
_META = ("task_type", "task_name_in_eng", "subject", "qtype", "grade", "language", "copyright", "domain", "category")
_ROUNDS = 10
_SNIFFED_BYTES = 4096


def read_instructions(file: Input, start: int, end: int) -> Iterator[Item]:
    """Yield an instruction with its answer; the locator is a line's byte offset, or the record's number."""
    with file.open("rb") as stream:
        head = stream.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"[", b"{\n", b"{\r\n")) or b'"round_0"' in head:
        if start == 0:
            yield from _whole(file)
        return
    for row in json_rows(file, start, end, dict[str, Any]):
        yield row if isinstance(row, Bad) else _document(row)


def _whole(file: Input) -> Iterator[Item]:
    data = read_small(file)
    if data is None:
        yield from _long_list(file)
        return
    try:
        content = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[Any] | dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield Bad("json", str(error), data, offset=0)
        return
    for number, record in enumerate(content if isinstance(content, list) else [content]):
        raw = msgspec.json.encode(record)
        if isinstance(record, dict):
            yield _document(Row(number, raw, record))
        else:
            yield Bad("record", f"element {number} is no object", raw)


def _long_list(file: Input) -> Iterator[Item]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for element in iterate_elements(file):
        if isinstance(element, Bad):
            yield element
            continue
        try:
            yield _document(Row(element.number, element.data, decode(element.data)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield Bad("record", f"element {element.number} is no object: {error}", element.data, offset=element.offset)


def _document(row: Row) -> Item:
    record: dict[str, Any] = row.value
    try:
        text = _text(record)
    except (ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
        return Bad("record", f"no instruction: {error}", row.data, offset=row.offset)
    meta = {name: record[name] for name in _META if isinstance(record.get(name), str) and record[name]}
    return Document(str(row.offset), text, meta)


def _text(record: dict[str, Any]) -> str:
    """Question and answer of a record of any shape, part by part.

    Raises:
        ValueError: it has no shape that is known.
    """
    for names, needed in _SHAPES:
        if needed in record:
            return "\n".join(part for name in names if (part := _part(record.get(name))))
    if "round_0" in record:
        rounds = (record.get(f"round_{number}") for number in range(_ROUNDS))
        turns = [_turn(round_["response"]) for round_ in rounds if round_]
        return "\n".join(part for turn in turns for part in (turn["Q"], turn["A"]))
    if "conversation" in record:
        return "\n".join(part for turn in record["conversation"] for part in (turn["human"], turn["assistant"]))
    msg = f"the keys are {', '.join(list(record)[:10])}"
    raise ValueError(msg)


def _part(value: object) -> str:
    """A part of a record; leetcode has lists of lines, and null stands for nothing."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if not isinstance(value, str):
        msg = f"a part is no text but {type(value).__name__}"
        raise TypeError(msg)
    return value.strip("\n")


def _turn(response: Any) -> dict[str, str]:
    return msgspec.convert(msgspec.json.decode(response) if isinstance(response, str) else response, dict[str, str])
