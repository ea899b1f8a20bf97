"""Archives and compressed files: read inside, every member once whatever the cut, damage quarantined."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_corpus.containers import Part, can_be_cut, iterate_parts, read_part
from siku_corpus.records import Bad, Document, Item, Refused
from siku_corpus.sources import FORMATS, load_reader
from siku_corpus.zips import iterate_entries, open_entry

TEXT = "春眠不覺曉\n處處聞啼鳥\n".encode()


def read(file: Path, format_: str, start: int = 0, end: int | None = None) -> list[Item]:
    found: list[Item] = []
    whole = file.stat().st_size if end is None else end
    for part in iterate_parts(file, start, whole, format_=FORMATS[format_]):
        found += [part] if not isinstance(part, Part) else read_part(load_reader(format_), part)
    return found


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Document)]


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("ending", "compress"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", zstd),
        (".gz", lambda data: data),
    ],
    ids=["gz", "bz2", "xz", "zst", "named so but plain"],
)
def test_a_compressed_file_reads_like_the_plain_one(tmp_path: Path, ending: str, compress: object) -> None:
    file = tmp_path / f"poems.txt{ending}"
    file.write_bytes(compress(TEXT))  # type: ignore[operator]
    assert read(file, "lines") == [Document("0", "春眠不覺曉"), Document("16", "處處聞啼鳥")]
    assert not can_be_cut(file.name, FORMATS["lines"])


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_cut_compressed_file_keeps_what_came_before(tmp_path: Path, compress: object) -> None:
    import random

    noise = random.Random(7)
    lines = ["".join(chr(noise.randrange(0x4E00, 0x9FA0)) for _ in range(40)) for _ in range(4_000)]
    file = tmp_path / "f.gz"
    data = compress("\n".join(lines).encode())  # type: ignore[operator]
    file.write_bytes(data[: len(data) // 2])
    items = read(file, "lines")
    assert isinstance(items[-1], Bad)
    assert items[-1].reason == "archive"
    assert texts(items) == lines[: len(texts(items))]


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@settings(max_examples=25)
@given(
    st.dictionaries(st.sampled_from(["a", "b/c", "体育/1.txt", "d/", "x.y"]), st.binary(max_size=300), max_size=5),
    st.lists(st.integers(0, 900), max_size=3),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    st.binary(max_size=20),
)
def test_ranges_side_by_side_give_every_member_once(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes], cuts: list[int], method: int, front: bytes
) -> None:
    file = tmp_path_factory.mktemp("zip") / "f.zip"
    make_zip(file, members, method)
    file.write_bytes(front + file.read_bytes())  # as in an archive that unpacks itself
    size = file.stat().st_size
    borders = sorted({0, size, *(cut for cut in cuts if cut < size)})
    found = [entry for a, b in pairwise(borders) for entry in iterate_entries(file, a, b)]
    with zipfile.ZipFile(file) as reference:
        expected = [info.filename for info in reference.infolist() if not info.is_dir()]
        assert [entry.path for entry in found] == expected
        for entry in found:
            with open_entry(file, entry.info) as stream:
                assert stream.read() == reference.read(entry.path)


def test_64_bit_directories(tmp_path: Path) -> None:
    file = tmp_path / "f.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(66_000):  # more than 16 bits can count
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
        with archive.open("last", "w", force_zip64=True) as stream:
            stream.write(TEXT)
    *_, last = iterate_entries(file, 0, file.stat().st_size)
    with open_entry(file, last.info) as found:
        assert found.read() == TEXT


def test_names_without_the_flag_are_gb18030_or_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "f.zip"
    make_zip(file, {"AAAA/1.txt": TEXT, "BBBBBB/2.txt": TEXT})
    data = file.read_bytes()
    data = data.replace(b"AAAA", "体育".encode("gb18030")).replace(b"BBBBBB", "娱乐".encode())
    file.write_bytes(data)
    assert [entry.path for entry in iterate_entries(file, 0, len(data))] == ["体育/1.txt", "娱乐/2.txt"]


def test_what_systems_leave_behind_is_counted_and_not_read(tmp_path: Path) -> None:
    file = tmp_path / "f.zip"
    make_zip(file, {"a/1.txt": TEXT, "__MACOSX/a/._1.txt": b"\0\5\x16\7", "a/.DS_Store": b"\0", "in.zip": b"PK"})
    items = read(file, "text")
    assert texts(items) == [TEXT.decode()]
    assert [item.reason for item in items if isinstance(item, Refused)] == ["system_file", "system_file"]
    assert ["archive inside" in item.detail for item in items if isinstance(item, Bad)] == [True]
    (tmp_path / "._1.txt").write_bytes(b"\0\5\x16\7")
    assert [type(item) for item in read(tmp_path / "._1.txt", "text")] == [Refused]


def test_a_broken_member_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "f.zip"
    make_zip(file, {"1.txt": TEXT, "2.txt": TEXT * 99, "3.txt": TEXT}, zipfile.ZIP_STORED)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    items = read(file, "text")
    assert texts(items) == [TEXT.decode()] * 2
    assert [item.reason for item in items if isinstance(item, Bad)] == ["archive"]


@pytest.mark.parametrize("data", [b"", b"PK\5\6", b"PK\3\4" + b"x" * 99, b"PK\5\6" + b"\xff" * 18])
def test_a_broken_archive_is_one_record_whatever_the_cut(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "f.zip"
    file.write_bytes(data)
    items = read(file, "text", 0, 10) + read(file, "text", 10, 99)
    assert [item.reason for item in items if isinstance(item, Bad)] == ["archive"]


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
def test_tar_archives(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "siku_corpus.containers._MEMORY_BYTES", 100
    )  # so that the second member goes by way of the disk
    file = tmp_path / f"f{ending}"
    mode = {".tar": "w", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}.get(ending, "w:gz")
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]
        for name, data in {"./a/1.txt": TEXT, "a/2.txt.gz": gzip.compress(TEXT), "a/3.txt": TEXT * 9}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    items = read(file, "text")
    assert texts(items) == [TEXT.decode(), TEXT.decode(), (TEXT * 9).decode()]
    members = [part.member for part in iterate_parts(file, 0, 1, format_=FORMATS["text"]) if isinstance(part, Part)]
    assert members == ["a/1.txt", "a/2.txt.gz", "a/3.txt"]


def test_patterns_choose_members(tmp_path: Path) -> None:
    file = tmp_path / "f.zip"
    make_zip(file, {"a/1.txt": TEXT, "b/1.txt": TEXT})
    parts = iterate_parts(file, 0, 999, format_=FORMATS["text"], wanted=lambda path: path.startswith("b/"))
    assert [part.member for part in parts] == ["b/1.txt"]


def test_a_file_that_must_be_read_whole_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siku_corpus.opening.MAX_WHOLE_BYTES", 10)
    (tmp_path / "f.txt").write_bytes(TEXT)
    (bad,) = read(tmp_path / "f.txt", "text")
    assert isinstance(bad, Bad)
    assert bad.reason == "size"


def test_thucnews_as_it_is_downloaded(shared_data: Path) -> None:
    items = read(shared_data / "thucnews_layout_derived/THUCNews.zip", "thucnews")
    documents = [item for item in items if isinstance(item, Document)]
    assert (len(documents), len(items)) == (150, 300)
    assert {item.reason for item in items if isinstance(item, Refused)} == {"system_file"}
    labels = {document.meta["label"] for document in documents}
    assert "体育" in labels
    assert 10 <= len(labels) <= 14
