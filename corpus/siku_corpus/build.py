"""The stage `documents`: raw files in; normalized, filtered documents out, with every record accounted for.

plan    files of a source are grouped, or cut at line ends, into ranges of a few MB
work    read -> mend -> normalize -> filter -> name the language, batch by batch
finish  the parts become shards, in the order of sources, files and records
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import opencc

from siku_corpus.account import Account, read_account, write_account
from siku_corpus.containers import can_be_cut, iterate_parts, read_part
from siku_corpus.decoding import check_encoding
from siku_corpus.fetch import SourceFile, chooses_members, source_files, source_root
from siku_corpus.process import Processor
from siku_corpus.profiles import behaviour
from siku_corpus.records import Bad, Item, Refused, batches
from siku_corpus.sources import find_format, load_reader
from siku_corpus.tell import tell
from siku_manifests.archives import path_matches
from siku_manifests.digest import sha256_file, sha256_value
from siku_manifests.document import DOCUMENT_SCHEMA, DROPPED_SCHEMA, QUARANTINE_SCHEMA, document_id
from siku_manifests.equation import Counts
from siku_manifests.sections import Source
from siku_manifests.shards import ShardWriter, read_batches
from siku_manifests.stage import Context, Outcome, Range

PHASE = "read"
RANGE_BYTES = 4 << 20
"""Raw bytes in a range: the sample makes some fifty, which keeps two workers busy to the end."""

PART_BYTES = 64 << 20
"""Arrow data that a worker holds before it writes a file of its range."""

_TABLES = {"kept": DOCUMENT_SCHEMA, "dropped": DROPPED_SCHEMA, "quarantine": QUARANTINE_SCHEMA}
_FOLDERS = {"kept": "", "dropped": "dropped/", "quarantine": "quarantine/"}
_ACCOUNT = "account.json"


def plan(context: Context) -> list[Range]:
    """Cut every source into ranges; packages are fetched here, so that workers find them in the cache.

    Raises:
        RecipeError: a source has an unknown format, column, encoding or threshold.
        InputError: a source's files are missing.
    """
    recipe = context.recipe
    ranges: list[Range] = []
    for source in recipe.source:
        _check(source, context)
        for pieces in _groups(source_files(source, context.raw), source):
            weight = sum(end - start for _, start, end in pieces)
            inputs = {"pieces": [list(piece) for piece in pieces]}
            ranges.append(Range(len(ranges), source.name, inputs, max(1, weight)))
    return ranges


Piece = tuple[str, int, int]
"""(path, first byte, byte after the last)."""


def _check(source: Source, context: Context) -> None:
    """See that a source says nothing that its format, its profile or Python does not know."""
    behaviour(source.profile, context.recipe.normalize, context.recipe.filter)
    load_reader(source.format, column=source.column)
    if source.encoding:
        check_encoding(source.encoding)


def _groups(files: list[SourceFile], source: Source) -> Iterator[list[Piece]]:
    format_ = find_format(source.format)
    group: list[Piece] = []
    size = 0
    for file in files:
        step = RANGE_BYTES if can_be_cut(file.path, format_, encoding=source.encoding) else max(file.bytes, 1)
        for start in range(0, max(file.bytes, 1), step):
            end = min(start + step, file.bytes)
            if group and size + end - start > RANGE_BYTES:
                yield group
                group, size = [], 0
            group.append((file.path, start, end))
            size += end - start
    if group:
        yield group


def work(context: Context, range_: Range, out: Path) -> None:
    """Write kept, dropped and quarantined rows of a range, and its account."""
    recipe = context.recipe
    source = recipe.source_named(range_.source)
    processor = Processor(
        source=source,
        behaviour=behaviour(source.profile, recipe.normalize, recipe.filter),
        report_only=recipe.filter.report_only,
    )
    with ExitStack() as stack:
        # A compressed file of any size is one range, so its rows do not wait in memory for its end.
        writers = {
            name: stack.enter_context(ShardWriter(out, name, schema, shard_bytes=PART_BYTES))
            for name, schema in _TABLES.items()
            if name != "dropped" or recipe.keep_dropped
        }
        for batch in batches(iterate_items(source, range_.inputs["pieces"])):
            for name, table in zip(_TABLES, processor.process(batch), strict=True):
                if name in writers:
                    writers[name].write(table)
    write_account(out / _ACCOUNT, processor.account)


def iterate_items(source: Source, pieces: list[list[object]]) -> Iterator[Item]:
    """What the reader yields for each piece, with locators made into ids; a member's path follows its archive's."""
    root = source_root(source)
    format_ = find_format(source.format)
    reader = load_reader(source.format, column=source.column)
    wanted = _wanted(source)
    for path, start, end in pieces:
        parts = iterate_parts(
            root / str(path),
            int(str(start)),
            int(str(end)),
            format_=format_,
            encoding=source.encoding,
            wanted=wanted,
        )
        for part in parts:
            items = iter([part]) if isinstance(part, Refused | Bad) else read_part(reader, part)
            prefix = document_id(source.name, f"{path}/{part.member}" if part.member else str(path), "")
            for item in items:
                if isinstance(item, Bad):
                    item.path, item.member = str(path), part.member
                else:
                    item.locator = prefix + item.locator
                yield item


def _wanted(source: Source) -> Callable[[str], bool]:
    """Patterns choose members where the source is archives by name, and files where it is a folder or repository."""
    if chooses_members(source):
        return lambda member: path_matches(member, source.path, source.exclude)
    return lambda _: True


def part_counts(part: Path) -> Counts:
    """Read what a finished range counted."""
    return read_account(part / _ACCOUNT).counts


def finish(context: Context) -> Outcome:
    """Join the parts of each source into shards and tell what happened."""
    accounts = {source.name: Account(source=source.name) for source in context.recipe.source}
    folders: dict[str, list[Path]] = {source: [] for source in accounts}
    for part in context.parts(PHASE):
        account = read_account(part / _ACCOUNT)
        accounts[account.source] += account
        folders[account.source].append(part)
    shards: list[str] = []
    extra: list[str] = []
    for source, parts in folders.items():
        for name in _TABLES:
            written = _join(context, name, source, parts)
            (shards if name == "kept" else extra).extend(written)
    return Outcome(
        shards=shards,
        counts={source: account.counts for source, account in accounts.items()},
        findings=tell(context.recipe, accounts),
        extra_files=extra,
        environment={"unicode": unicodedata.unidata_version, "opencc": _dictionaries()},
    )


def _join(context: Context, name: str, source: str, folders: list[Path]) -> list[str]:
    paths = [path for folder in folders for path in sorted(folder.glob(f"{name}-*.parquet"))]
    target = context.folder / _FOLDERS[name]
    target.mkdir(exist_ok=True)
    with ShardWriter(target, source, _TABLES[name], shard_bytes=context.recipe.shard_bytes) as writer:
        for batch in read_batches(paths):
            writer.write(batch)
    return [path.relative_to(context.folder).as_posix() for path in writer.paths]


def _dictionaries() -> str:
    """Hash of OpenCC's traditional-to-simplified dictionaries, which decide bytes as much as its version."""
    folder = Path(opencc.__file__).parent
    files = sorted(path for path in folder.rglob("TS*.ocd2"))
    return sha256_value([[path.name, sha256_file(path)] for path in files])[:16]
