"""Stretches that do not belong to a text: lines of the page around it, and a body that was pasted twice."""

from __future__ import annotations

import re

from siku_corpus.rewriting import LINE_STARTS, Applied
from siku_corpus.survey import SEPARATOR

_BOILERPLATE = re.compile(
    r"责任编辑[:：]|版权所有|未经授权|ICP备\d|ICP证\d|京公网安备|转载请注明|篇[:：](?<=[上下]一篇.)"
    r"|击进入(?<=点击进入)|闭窗口(?<=关闭窗口)|返回顶部|享到[:：](?<=分享到.)|扫描二维码|免责声明[:：]|链接[:：](?<=相关链接.)"
    r"|打印本页|微信(?<=加微信)[:：A-Za-z0-9领]|扫码(?:关注|领取|添加|咨询)|众号(?<=公众号)(?<=关注.{3})"
    r"|众号(?<=公众号)(?<=关注.{5})|咨询热线[:：]|免费咨询|欢迎来电|按识别(?<=长按识别)|限时(?:特价|抢购|秒杀)"
    r"|击(?<=点击)(?:购买|下载|咨询|领取|阅读原文)"
)
"""Each begins with the rarest character of its phrase, where that is not the first: there `re` stops to look."""
_BOILERPLATE_CHARACTERS = 60
_PASTED_CHARACTERS = 50
"""A shorter repetition at a text's end may be a refrain."""
_COPIED_CHARACTERS = 200
_COPIED_SHARE = 0.3
"""What stands between the bodies (a second headline, a caption) is short; a quotation from far above is no body."""
_TAIL_CHARACTERS = 32


def remove_boilerplate(text: str) -> Applied:
    """Lines of a page's frame and of advertisements: one of at most 60 characters with a stock phrase goes."""
    pieces, example, kept_to, count = [], ("", ""), 0, 0
    for found in _BOILERPLATE.finditer(text):
        if found.start() < kept_to:
            continue
        start = max(text.rfind(border, kept_to, found.start()) for border in LINE_STARTS) + 1 or kept_to
        ends = [end for border in LINE_STARTS if (end := text.find(border, found.end())) >= 0]
        end = min(ends, default=len(text))
        if end - start > _BOILERPLATE_CHARACTERS:
            continue
        pieces.append(text[kept_to:start])
        kept_to, count = end, count + 1
        example = example if count > 1 else (text[start:end], "")
    return Applied("".join([*pieces, text[kept_to:]]), count, example)


def remove_second_body(text: str) -> Applied:
    """A body that a copying hand put in twice, letter by letter: the second goes.

    The last characters of a text stand at the end of both bodies, so one search finds where the first one ends.
    """
    count, example, documents = 0, ("", ""), text.split(SEPARATOR)
    for index, document in enumerate(documents):
        if len(document) < 2 * _PASTED_CHARACTERS:
            continue
        whole = document.rstrip(" \t\n")
        single = _single_body(whole)
        if single != whole:
            count += 1
            example = example if count > 1 else (document[len(single) - 20 : len(single) + 20], single[-20:])
            documents[index] = single
    return Applied(SEPARATOR.join(documents) if count else text, count, example)


def _single_body(document: str) -> str:
    """The document up to the end of its first body, as long as it ends in two equal ones."""
    while (shorter := _without_pasted_end(document)) != document or (
        shorter := _without_copied_end(document)
    ) != document:
        document = shorter.rstrip(" \t\n")
    return document


def _without_pasted_end(document: str) -> str:
    """Without the second of two equal stretches of any length behind each other at the end."""
    tail = document[-_TAIL_CHARACTERS:]
    end = len(document) // 2
    while (place := document.find(tail, end - _TAIL_CHARACTERS)) >= 0:
        end = place + _TAIL_CHARACTERS
        if (length := len(document) - end) < _PASTED_CHARACTERS:
            break
        if document[end - length : end] == document[end:]:
            return document[:end]
        end += 1
    return document


def _without_copied_end(document: str) -> str:
    """Without a last stretch that stood before, something between, if it is a large part of the document."""
    least = max(_COPIED_CHARACTERS, int(len(document) * _COPIED_SHARE))
    place = document.find(document[-_TAIL_CHARACTERS:], 0, len(document) - least)
    if place < 0:
        return document
    end = place + _TAIL_CHARACTERS
    low, high = 0, min(end, len(document) - end)
    while low < high:  # the longest ending that both have
        middle = (low + high + 1) // 2
        if document[end - middle : end] == document[len(document) - middle :]:
            low = middle
        else:
            high = middle - 1
    return document[: len(document) - low] if low >= least else document
