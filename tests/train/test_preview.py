"""The first batch as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from siku_tokenize.vocabulary import open_vocabulary
from siku_train.build import make_plan
from siku_train.preview import window_lines


def test_a_window_shows_documents_borders_and_labels(make_context: Callable[..., Any], tmp_path: Path) -> None:
    from siku_tokenize.tokenfile import write_token_file

    context = make_context(tmp_path)
    pieces = open_vocabulary(context.parents["tokenizer"])
    texts = ["床前明月光", "疑是地上霜", "举头望明月"]
    documents = [np.array([*pieces.encoder.encode(text), pieces.encoder.eos], np.uint16) for text in texts]
    for split in ("train", "validation"):
        write_token_file(tmp_path / "tokens" / split / "odd", documents, np.uint16)
    context.parents["tokens"] = tmp_path / "tokens"
    plan = make_plan(context, pieces)
    text = "\n".join(window_lines(plan, 0, pieces))
    for number, expected in enumerate(texts):
        assert f"-- odd document {number}: places" in text
        assert f"{expected}<|end|>" in text
    assert text.index("床前") < text.index("疑是") < text.index("举头")
    assert "<|end|> → -100" in text  # nobody can know what the next document is
    assert "→ <|end|>" in text  # but its own end is learned
    learned = sum(map(len, documents)) - 3
    assert f"{learned} labels, {64 - learned} places are not learned (-100)" in text
    assert "filling after the last document" in text
