"""The stage's work on 50 MB of text, as a process of its own: seconds of wall time and peak memory.

    python cost.py CORPUS BASE.model BYTES

Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from siku_manifests.manifest import read_manifest
from siku_manifests.pool import run_range
from siku_manifests.recipe import Recipe
from siku_manifests.sections import Source, Tokenizer
from siku_manifests.stage import Context, load_function
from siku_tokenize.stages import TOKENIZER


def main() -> None:
    """Run the phase that learns, and say what it cost."""
    corpus, base, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    begun = time.perf_counter()
    sources = tuple(
        Source(name=name, format="lines", where=".", license="LicenseRef-unclear", profile="modern")
        for name in read_manifest(corpus).record.counts
    )
    recipe = Recipe(name="cost", source=sources, tokenizer=Tokenizer(base=base, sample_bytes=size))
    with tempfile.TemporaryDirectory() as folder:
        context = Context(recipe=recipe, folder=Path(folder), parents={"corpus": corpus})
        phase = TOKENIZER.phases[0]
        (range_,) = load_function(phase.plan)(context)
        run_range(context, phase, range_)
        sample = json.loads((context.part(phase.name, 0) / "learned.json").read_bytes())["sample"]
    report = {
        "seconds": time.perf_counter() - begun,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "megabytes": sum(size for _, size in sample.values()) / 1e6,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
