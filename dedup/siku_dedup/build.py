"""The stage `corpus`: documents in, one of each out, split into training and validation.

count    a range of row groups -> its lines                      (only where the recipe asks,
gather   those of a source     -> the lines that it repeats       see boilerplate.py)
sign     a range of row groups -> key texts, hashes, signatures, band keys (parts.py)
cluster  all of them           -> what becomes of each document, and the verified pairs
spell    a shard of documents  -> the texts that stay            (only where the recipe asks,
search   one pass over them    -> what stood there before         see trimming.py)
write    a shard of documents  -> its rows of train/, validation/ and dropped/ (division.py)
"""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup.boilerplate import describe_lines, mended, repeated_lines
from siku_dedup.browse import describe_clusters, look_at
from siku_dedup.clusters import cluster
from siku_dedup.contaminated import CONTAMINATED_FILE, gather_contaminated, write_contaminated
from siku_dedup.division import DUPLICATES, GONE, HAN
from siku_dedup.exact import first_equal
from siku_dedup.findings import FATES, PAIRS, SOURCES, SUMMARY, SURVIVORS, Result, describe, read_result
from siku_dedup.inputs import document_shards, plan_row_groups, plan_shards, scopes
from siku_dedup.parts import SignedParts, write_part
from siku_dedup.planted import describe_planted
from siku_dedup.signing import Signer, sign_texts
from siku_dedup.survivors import CONTAMINATED, decide
from siku_dedup.tables import duplicates_table, pairs_table
from siku_dedup.trimming import describe_cuts
from siku_manifests.atomic import write_json
from siku_manifests.equation import Counts
from siku_manifests.errors import storage_errors
from siku_manifests.findings import Finding
from siku_manifests.shards import read_row_groups, write_table
from siku_manifests.stage import Context, Outcome, Range


def sign(context: Context, range_: Range, out: Path) -> None:
    """Sign the documents of some row groups."""
    shard = document_shards(context)[range_.inputs["shard"]]
    signer, repeated = _signer(context, shard.source), repeated_lines(context, shard.source)
    ids: list[pa.Array] = []
    batches = []
    for read in read_row_groups(shard.path, range_.inputs["groups"], columns=["id", "text"]):
        batch = mended(read, repeated)
        ids.append(batch["id"])
        batches.append(sign_texts(batch["text"], signer))
    write_part(out, pa.chunked_array(ids, pa.string()), batches, signer)
    if context.recipe.decontaminate.files:
        write_contaminated(context.recipe, [batch.points for batch in batches], out)


def _signer(context: Context, source: str) -> Signer:
    names = [each.name for each in context.recipe.source]
    profile = context.recipe.source[names.index(source)].profile
    return Signer.of(context.recipe.dedup, profile, source=scopes(context.recipe)[source])


def plan_clustering(context: Context) -> list[Range]:
    """One range: edges of all bands meet in one union-find."""
    return [Range(0, weight=sum(range_.weight for range_ in plan_row_groups(context)))]


def cluster_all(context: Context, range_: Range, out: Path) -> None:  # noqa: ARG001  there is one range
    """Decide what becomes of each document, and keep what the report and the user want to know of it."""
    dedup = context.recipe.dedup
    signed = SignedParts(context.parts("sign"))
    contaminated = gather_contaminated(context.parts("sign"))
    held = contaminated["row"].to_numpy()
    first = first_equal(signed.hashes).astype(np.int64)
    # A contaminated document must not survive for a clean one. Equal keys hold equal questions, so no key is torn.
    unique = np.setdiff1d(np.flatnonzero(first == np.arange(len(first))), held)
    found = cluster(signed, unique, threshold=dedup.threshold, workers=context.workers)
    sources = _source_numbers(context, signed)
    verdicts = decide(
        found.root[first],
        hashes=signed.hashes,
        priority=np.array([source.priority for source in context.recipe.source], np.int64)[sources],
        han=signed.han,
        ids=signed,
        validation=(dedup.validation, context.recipe.seed),
    )
    verdicts.fate[held], verdicts.survivor[held] = CONTAMINATED, held
    np.save(out / FATES, verdicts.fate)
    np.save(out / SURVIVORS, verdicts.survivor)
    np.save(out / SOURCES, sources)
    np.save(out / HAN, signed.han)
    write_table(duplicates_table(signed, verdicts), out / DUPLICATES)
    write_table(contaminated, out / CONTAMINATED_FILE)
    write_table(pairs_table(signed, found), out / PAIRS)
    write_json(
        out / SUMMARY,
        {
            "documents": len(signed),
            "unique": len(unique),
            "candidates": found.candidates,
            "unfinished_groups": found.unfinished_groups,
        },
    )


def _source_numbers(context: Context, signed: SignedParts) -> NDArray[np.int64]:
    """Number in the recipe of each document's source, shape (D,)."""
    names = [source.name for source in context.recipe.source]
    by_part = np.array([names.index(range_.source) for range_ in plan_row_groups(context)], np.int64)
    return by_part[signed.part_of(np.arange(len(signed)))]


def finish(context: Context) -> Outcome:
    """Put the shards in their places, add up the counts and describe what was found."""
    counts: dict[str, Counts] = {source.name: Counts() for source in context.recipe.source}
    shards: list[str] = []
    extra, gone = [PAIRS], []
    for range_ in plan_shards(context):
        part = context.part("write", range_.number)
        counts[range_.source] += msgspec.json.decode((part / "counts.json").read_bytes(), type=Counts)
        for path in sorted(part.rglob("*.parquet")):
            name = path.relative_to(part).as_posix()
            _link(path, context.folder / name)
            (shards if name.startswith(("train/", "validation/")) else extra).append(name)
        gone.append(np.load(part / GONE))
    clustered = context.part("cluster", 0)
    _link(clustered / PAIRS, context.folder / PAIRS)
    counts = {source: count for source, count in counts.items() if count.read}
    result = read_result(clustered, gone=np.concatenate(gone))
    findings = [*_described(context, clustered, counts, result), *describe_lines(context), *describe_cuts(context)]
    return Outcome(shards=shards, counts=counts, extra_files=extra, findings=findings)


def _described(context: Context, folder: Path, counts: dict[str, Counts], result: Result) -> list[Finding]:
    """What went; how sure that is; clusters to look at."""
    signed, signer = SignedParts(context.parts("sign")), _signer(context, context.recipe.source[0].name)
    threshold, seed = context.recipe.dedup.threshold, context.recipe.seed
    return [
        *describe(context, folder, counts, result=result),
        *describe_planted(signed, signer, threshold=threshold, seed=seed),
        *describe_clusters(result, signed, look_at(context)),
    ]


def _link(source: Path, target: Path) -> None:
    """Give a part's file its final name too; parts stay whole, so that a killed `finish` can begin again."""
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, target)
