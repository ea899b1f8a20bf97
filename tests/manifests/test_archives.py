"""Members of archives, against the tree that was packed and against pathlib's own patterns."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from siku_manifests.archives import Member, iterate_members, list_members, open_member, path_matches, unpack_members
from siku_manifests.errors import InputError

FILES = {
    "README.md": b"read me",
    "data/poems/a.json": "春眠不覺曉".encode(),
    "data/poems/b.json": b"[]",
    "data/poems/deep/c.json": b"{}",
    "data/ranks/a.json": b"0",
    "data/空.txt": b"",
}


def pack(path: Path, *, wrapper: str = "", files: dict[str, bytes] = FILES) -> Path:
    """Pack files below a wrapping folder, as the name's ending says."""
    if path.suffix in {".zip", ".whl"}:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(wrapper + name, content)
        return path
    kinds = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz", ".tar": "w:"}
    with tarfile.open(path, kinds[path.suffix]) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(wrapper + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "wrapper"),
    [
        ("chinese-poetry-2.0.1.tgz", "package/"),
        ("django-5.2.tar.gz", "django-5.2/"),
        ("some.tar", ""),
        ("some.tar.xz", ""),
        ("some.tar.bz2", ""),
        ("thing-1.0-py3-none-any.whl", ""),
        ("some.zip", ""),
    ],
)
def test_every_kind_of_archive_gives_the_packed_files(tmp_path: Path, name: str, wrapper: str) -> None:
    archive = pack(tmp_path / name, wrapper=wrapper)
    assert list_members(archive) == sorted(Member(path, len(content)) for path, content in FILES.items())
    assert {member.path: stream.read() for member, stream in iterate_members(archive)} == FILES
    with open_member(archive, "data/poems/a.json") as stream:
        assert stream.read() == FILES["data/poems/a.json"]


def test_members_come_in_archive_order_and_one_pass(tmp_path: Path) -> None:
    files = {f"{number}.txt": bytes([number]) for number in (9, 3, 7, 1)}
    archive = pack(tmp_path / "a.tar.gz", files=files)
    assert [(member.path, stream.read()) for member, stream in iterate_members(archive)] == list(files.items())


@pytest.mark.parametrize(
    "glob",
    [
        "**/*",
        "*.md",
        "data/*/*.json",
        "data/**/*.json",
        "**/a.json",
        "data/poems/?.json",
        "data/空.*",
        "x/*",
        "data/**",
    ],
)
def test_patterns_mean_what_they_mean_to_pathlib(tmp_path: Path, glob: str) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pattern = f"{glob}/*" if glob.endswith("**") else glob  # to pathlib of 3.11 a final ** means folders
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(pattern) if path.is_file()}
    assert {name for name in FILES if path_matches(name, [glob])} == found


def test_excluded_members_are_left_out(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar")
    written = unpack_members(archive, tmp_path / "out", globs=["data/**/*.json"], exclude=["data/ranks/*"])
    assert [member.path for member in written] == ["data/poems/a.json", "data/poems/b.json", "data/poems/deep/c.json"]
    assert (tmp_path / "out/data/poems/a.json").read_bytes() == FILES["data/poems/a.json"]
    assert not (tmp_path / "out/data/ranks").exists()


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/../../evil"])
@pytest.mark.parametrize("kind", ["bad.tar.gz", "bad.zip"])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    archive = pack(tmp_path / kind, files={name: b"x"})
    with pytest.raises(InputError, match="points outside"):
        unpack_members(archive, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert list_members(tmp_path / "a.tar") == []


@pytest.mark.parametrize("name", ["cut.tar.gz", "cut.tar.xz", "cut.zip"])
def test_a_truncated_archive_is_one_sentence(tmp_path: Path, name: str) -> None:
    whole = pack(tmp_path / f"whole-{name}", files={"a": bytes(range(256)) * 4000}).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="broken") as caught:
        unpack_members(tmp_path / name, tmp_path / "out")
    assert str(tmp_path / name) in str(caught.value)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such archive"):
        list_members(tmp_path / "absent.zip")
    (tmp_path / "a.rar").touch()
    with pytest.raises(InputError, match=r"should end in \.tar"):
        list_members(tmp_path / "a.rar")
    with pytest.raises(InputError, match="no member 'absent'"), open_member(pack(tmp_path / "a.zip"), "absent"):
        pass
