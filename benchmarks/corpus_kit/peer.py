"""Run by the peers' Python: datatrove's reader, Gopher and C4 filters and writer on a folder of JSON lines.

    python peer.py FOLDER TARGET LANGUAGE

Its own blocks with their own defaults, but for `language`: `eng` is the default and `zho` splits words by jieba.
Gopher's word lengths and stop words are English; with them no Chinese text gets past that filter, so they take the
values that FineWeb-2 gives for Chinese, and C4 does not ask for ASCII full stops and words between spaces. The last
line of output is JSON: CPU seconds with those of children, documents kept, the version. A small run before it loads
the dictionaries.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import C4QualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger

STOP_WORDS = ["的", "年", "在", "月", "是", "和", "日", "了", "於", "为", "与", "有"]


def run(folder: str, target: str, language: str, limit: int) -> None:
    with tempfile.TemporaryDirectory() as logs:
        LocalPipelineExecutor(
            pipeline=[
                JsonlReader(folder, limit=limit, doc_progress=False),
                C4QualityFilter(
                    language=language, filter_no_terminal_punct=False, min_words_per_line=-1, max_word_length=-1
                ),
                GopherRepetitionFilter(language=language),
                GopherQualityFilter(
                    language=language, min_avg_word_length=1, max_avg_word_length=1000, stop_words=STOP_WORDS
                ),
                JsonlWriter(target, compression=None),
            ],
            tasks=1,
            logging_dir=logs,
            skip_completed=False,
        ).run()


def seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    folder, target, language = sys.argv[1:]
    logger.remove()
    run(folder, f"{target}/first", {"eng": "eng", "zho": "cmn"}[language], 20)
    begun = seconds()
    run(folder, f"{target}/all", {"eng": "eng", "zho": "cmn"}[language], -1)
    spent = seconds() - begun
    kept = sum(len(file.read_bytes().splitlines()) for file in Path(target, "all").rglob("*.jsonl"))
    print(json.dumps({"seconds": spent, "kept": kept, "version": version("datatrove")}))


if __name__ == "__main__":
    main()
