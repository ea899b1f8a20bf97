"""Candidates for new pieces: SentencePiece on the runs of Han characters of the sample.

As a rule only Han runs are shown to the trainer, so no candidate holds a space, a letter or a punctuation mark:
that is what keeps the ids of English and code as they were. Runs also make the trainer quick, since it never
looks at a pair that is not wanted. A recipe may join Chinese punctuation or digits to the runs; then a run is cut
between two characters that both occur in English (`19|98年`, `“|‘`), so that every candidate still holds a character
that occurs in Chinese only.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from siku_tokenize.modelfile import Kind, read_model

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
JOINED = {
    "punctuation": (
        "\u3001-\u3003\u3008-\u3011\u3014-\u301b\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
        "\u00b7\u2014\u2018\u2019\u201c\u201d\u2026"
    ),
    "digits": "0-9",
}
"""What may be joined to Han characters: CJK and full-width marks with the quotes, dashes and dots that Chinese
shares with English; ASCII digits."""
ALSO_ENGLISH = "0-9\u00b7\u2014\u2018\u2019\u201c\u201d\u2026"
HAN_CHARACTER = re.compile(f"[{HAN}]")
ENGLISH_PAIR = re.compile(f"(?<=[{ALSO_ENGLISH}])(?=[{ALSO_ENGLISH}])")
LINE_CHARACTERS = 1000
"""Longest line for the trainer, whose limit is 4,192 bytes; longer runs are cut."""
TRAINER_THREADS = 2
"""Fixed, not the machine's: the pieces must not depend on where they were learned."""
LONGEST_PIECE = 12
ROWS = 8192


def han_lines(texts: pa.Array, *, joined: Sequence[str] = ()) -> Iterator[str]:
    """Yield the runs of at least two characters, in order, cut at LINE_CHARACTERS.

    Args:
        texts: the sample.
        joined: names of `JOINED` that a run may hold beside Han characters.

    Example: "白日, 依山尽。" -> "白日", "依山尽"; with punctuation joined "白日", "依山尽。"
    """
    run_of = re.compile(f"[{HAN}{''.join(JOINED[name] for name in joined)}]+")
    for first in range(0, len(texts), ROWS):
        for text in texts.slice(first, ROWS).to_pylist():
            runs: Iterable[str] = run_of.findall(text)
            if joined:
                runs = (part for run in runs for part in ENGLISH_PAIR.split(run) if HAN_CHARACTER.search(part))
            for run in runs:
                for start in range(0, len(run), LINE_CHARACTERS):
                    if len(run) - start > 1:
                        yield run[start : start + LINE_CHARACTERS]


def learn_candidates(
    texts: pa.Array,
    *,
    count: int,
    algorithm: Literal["bpe", "unigram"] = "bpe",
    joined: Sequence[str] = (),
    longest: int = LONGEST_PIECE,
) -> list[str]:
    """Learn pieces of two and more characters, the earliest merge or the most probable piece first.

    Args:
        texts: the sample.
        count: pieces wanted; fewer come back when the text has no more repeated pairs.
        algorithm: of the trainer; unigram takes several times as long.
        joined: see `han_lines`.
        longest: characters of a piece at most.

    Source: Sennrich, Haddow, Birch, Neural machine translation of rare words with subword units, ACL 2016;
    Kudo, Subword regularization, ACL 2018.
    """
    with tempfile.TemporaryDirectory(prefix="siku-learn-") as scratch:
        lines = Path(scratch) / "lines.txt"
        characters = write_lines(han_lines(texts, joined=joined), lines)
        if not characters:
            return []
        size = count + characters + 3
        train_pieces(lines, Path(scratch) / "candidates", size=size, longest=longest, algorithm=algorithm)
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


def train_pieces(lines: Path, prefix: Path, *, size: int, longest: int, algorithm: str = "bpe") -> None:
    """Run one of SentencePiece's trainers on all lines, in their order."""
    import sentencepiece  # noqa: PLC0415  (only this stage needs the trainer)

    sentencepiece.SentencePieceTrainer.train(
        input=str(lines),
        model_prefix=str(prefix),
        model_type=algorithm,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=1.0,
        max_sentencepiece_length=longest,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        split_by_unicode_script=False,
        split_by_number=False,
        num_threads=TRAINER_THREADS,
        minloglevel=2,
    )
