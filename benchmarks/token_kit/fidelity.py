"""What an extension must not change, and what must be in reach."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from token_kit.vocabularies import Vocabularies

from siku_tokenize.encode import load_reference
from siku_tokenize.modelfile import Model
from siku_tokenize.prove import CHINESE, unreachable
from siku_tokenize.tables import SPACE

Claim = tuple[str, bool]
DOCUMENTS_BAR, LINES_BAR = 700, 25_000
CODE_FILES = 1_500
CODE_BYTES = 50_000
ROUND_TRIP_DOCUMENTS = 1_000


def read_code() -> list[str]:
    """Some Python files of the installed packages, evenly over all names, without Chinese characters."""
    files = sorted(Path(sysconfig.get_path("purelib")).rglob("*.py"))
    small = [path for path in files if 0 < path.stat().st_size <= CODE_BYTES]
    step = max(1, len(small) // CODE_FILES)
    texts = (path.read_bytes() for path in small[::step])
    return [text.decode() for text in texts if _is_plain(text)]


def _is_plain(raw: bytes) -> bool:
    try:
        return not CHINESE.search(raw.decode())
    except UnicodeDecodeError:
        return False


def fidelity_claims(models: Vocabularies, english: Sequence[str], held_out: Mapping[str, pa.Array]) -> Iterator[Claim]:
    """Ids of English and code, round trips and the promises of the vocabulary."""
    code = read_code()
    documents = [text for text in english if not CHINESE.search(text)] + code
    lines = sorted({line for text in documents for line in text.splitlines() if line.strip()})
    for name, texts, bar in (("documents", documents, DOCUMENTS_BAR), ("different lines", lines, LINES_BAR)):
        same = _equal(models.base, models.ours, texts)
        line = f"{name} of English and code with exactly the base's ids: {same:,} of {len(texts):,}"
        yield f"{line} ({len(code):,} files of code), bar all of at least {bar:,}", same == len(texts) >= bar
    mixed = documents + [
        text for texts in held_out.values() for text in texts.slice(0, ROUND_TRIP_DOCUMENTS).to_pylist()
    ]
    mixed = [text for text in mixed if SPACE not in text]
    reference = load_reference(models.ours)
    back = reference.decode(reference.encode(mixed))
    same = sum(a == b for a, b in zip(mixed, back, strict=True))
    yield f"round trip: {same:,} of {len(mixed):,} documents come back to the letter, bar all", same == len(mixed)
    yield from vocabulary_claims(models)


def _equal(base: Model, ours: Model, texts: Sequence[str]) -> int:
    expected, found = (load_reference(model).encode(list(texts)) for model in (base, ours))
    return sum(a == b for a, b in zip(expected, found, strict=True))


def vocabulary_claims(models: Vocabularies) -> Iterator[Claim]:
    """Counts of what must be none, beside the peer's."""
    first = len(models.base.pieces)
    told = []
    for model in (models.ours, models.peer):
        new = model.pieces[first:]
        known = {piece.text for piece in model.pieces}
        told.append(
            {
                "base pieces changed": sum(a != b for a, b in zip(models.base.pieces, model.pieces, strict=False)),
                "equal new scores": len(new) - len({piece.score for piece in new}),
                "duplicates": len(model.pieces) - len(known),
                "out of reach": len(unreachable(model, first=first)),
                "with a character that is no piece": sum(not known.issuperset(piece.text) for piece in new),
            }
        )
    ours, peer = (", ".join(f"{count:,} {what}" for what, count in side.items()) for side in told)
    size = len(models.ours.pieces)
    yield f"{size:,} pieces: {ours}, bar 0 of all; chinese-llama-alpaca-2: {peer}", not any(told[0].values())
