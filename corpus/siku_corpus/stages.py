"""The stage of this room; imports nothing heavy, so that a finished stage is recognised at once."""

from __future__ import annotations

from siku_manifests.stage import Phase, Stage

DOCUMENTS = Stage(
    name="documents",
    room="siku_corpus",
    help="Read raw sources; normalize and filter them.",
    sections=("normalize", "filter", "shard_bytes", "keep_dropped"),
    source_fields=(
        "name",
        "format",
        "path",
        "exclude",
        "license",
        "license_note",
        "profile",
        "language",
        "column",
        "encoding",
    ),
    reads_raw=True,
    libraries=("msgspec", "numba", "numpy", "opencc", "polib", "pyarrow"),
    phases=(Phase("read", "siku_corpus.build:plan", "siku_corpus.build:work"),),
    finish="siku_corpus.build:finish",
    counts="siku_corpus.build:part_counts",
)
