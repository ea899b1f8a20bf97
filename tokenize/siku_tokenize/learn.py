"""Candidates for new pieces: SentencePiece BPE on the runs of Han characters of the sample.

Only Han runs are shown to the trainer, so no candidate holds a space, a letter or a punctuation mark: that
is what keeps the ids of English and code as they were. Runs also make the trainer quick, since it never
looks at a pair that is not wanted.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from siku_tokenize.modelfile import Kind, read_model

HAN_RUN = re.compile("[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]+")
LINE_CHARACTERS = 1000
"""Longest line for the trainer, whose limit is 4,192 bytes; longer runs are cut."""
TRAINER_THREADS = 2
"""Fixed, not the machine's: the pieces must not depend on where they were learned."""
LONGEST_PIECE = 12
ROWS = 8192


def han_lines(texts: pa.Array) -> Iterator[str]:
    """Yield the Han runs of at least two characters, in order, cut at LINE_CHARACTERS.

    Example: "白日, 依山尽。" -> "白日", "依山尽"
    """
    for first in range(0, len(texts), ROWS):
        for text in texts.slice(first, ROWS).to_pylist():
            for run in HAN_RUN.findall(text):
                for start in range(0, len(run), LINE_CHARACTERS):
                    if len(run) - start > 1:
                        yield run[start : start + LINE_CHARACTERS]


def learn_candidates(texts: pa.Array, *, count: int, longest: int = LONGEST_PIECE) -> list[str]:
    """Learn pieces of two and more Han characters, the earliest merge first.

    Args:
        texts: the sample.
        count: pieces wanted; fewer come back when the text has no more repeated pairs.
        longest: characters of a piece at most.

    Source: Sennrich, Haddow, Birch, Neural machine translation of rare words with subword units, ACL 2016.
    """
    with tempfile.TemporaryDirectory(prefix="siku-learn-") as scratch:
        lines = Path(scratch) / "lines.txt"
        characters = write_lines(han_lines(texts), lines)
        if not characters:
            return []
        train_pieces(lines, Path(scratch) / "candidates", size=count + characters + 3, longest=longest)
        pieces = read_model(Path(scratch) / "candidates.model").pieces
    return [piece.text for piece in pieces if piece.kind is Kind.NORMAL and len(piece.text) > 1]


def write_lines(lines: Iterable[str], path: Path) -> int:
    """Write the trainer's file; give the number of different characters."""
    characters: set[str] = set()
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for line in lines:
            characters.update(line)
            stream.write(line + "\n")
    return len(characters)


def train_pieces(lines: Path, prefix: Path, *, size: int, longest: int) -> None:
    """Run SentencePiece's BPE trainer on all lines, in their order."""
    import sentencepiece  # noqa: PLC0415  (only this stage needs the trainer)

    sentencepiece.SentencePieceTrainer.train(
        input=str(lines),
        model_prefix=str(prefix),
        model_type="bpe",
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        max_sentencepiece_length=longest,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        split_by_unicode_script=False,
        num_threads=TRAINER_THREADS,
        minloglevel=2,
    )
