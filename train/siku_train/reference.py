"""The page of base models in `docs/`, written from the code so that it cannot be wrong.

`python -m siku_train.reference docs` writes it; a test compares.
"""

import sys
from pathlib import Path

from siku_manifests.atomic import write_bytes
from siku_train.families import FAMILIES, Family

PAGE = "families.md"
_INTRODUCTION = """# Base models

Written from `siku_train/families.py`; the tests build a small random model of every family that transformers has the
code of, and hold it to its row: adapter targets, separation of packed documents with eager and sdpa attention (and that
the separation is lost when a mask of ones or a cache is put back), new pieces, a step of QLoRA, saving and loading.

A family whose code lies in the model's own repository needs `trust_remote_code = true`, and for a name on the Hub
`revision`, a commit. Its layers' names are tested on modules that bear them, not on its code, which is not part of our
tests; most such code was written for transformers 4 and may need a copy that was brought up to date.

Before any training Siku exchanges the first document of a window and looks whether the second one notices; a base in
which it does is refused, unless `neighbours = "seen"` says that this is meant. So the column *kept apart by* is what
that check finds: restarting positions alone, or a mask of blocks. With flash attention the rows of a batch are laid end
to end, since transformers looks for restarting positions in a batch of one row only.

| family | `model_type` | code | adapters on | embedding, head | kept apart by | vocabulary |
|---|---|---|---|---|---|---|
"""
_BYTES = "byte-level, taken as it is"


def families_page() -> str:
    """Write the page."""
    rows = "\n".join(_row(family) for family in FAMILIES)
    notes = "\n".join(f"- **{family.name}**: {family.note}." for family in FAMILIES if family.note)
    return f"{_INTRODUCTION}{rows}\n\n{notes}\n"


def _row(family: Family) -> str:
    cells = (
        family.name,
        f"`{family.model_type}`",
        family.code,
        ", ".join(f"`{target}`" for target in family.targets),
        ", ".join(f"`{name}`" for name in family.embeddings),
        family.separation or "the check decides",
        _BYTES if family.vocabulary == "byte-level" else family.vocabulary,
    )
    return f"| {' | '.join(cells)} |"


def main(folder: str) -> None:
    """Write the page into a folder."""
    write_bytes(Path(folder) / PAGE, families_page().encode())


if __name__ == "__main__":
    main(sys.argv[1])
