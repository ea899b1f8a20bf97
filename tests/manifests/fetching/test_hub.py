"""Dataset repositories, from a server that answers as the Hub's interface is documented."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from siku_manifests.cache import known
from siku_manifests.errors import InputError
from siku_manifests.fetcher import Fetcher
from siku_manifests.sections import Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
LARGE = b'{"text": "large"}\n' * 1000
SMALL = b'{"text": "small"}\n'
Make = Callable[..., Source]


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(path: str, data: bytes, *, lfs: bool = False) -> dict[str, Any]:
    pointer = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return {"type": "file", "path": path, "size": len(data), "oid": blob(data), **({"lfs": pointer} if lfs else {})}


@pytest.fixture
def hub(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One repository whose list has two pages; its branch is at COMMIT."""
    monkeypatch.setenv("HF_ENDPOINT", site.url())
    tree = f"/api/datasets/lab/corpus/tree/{COMMIT}?recursive=true"
    pages = [
        [{"type": "directory", "path": "data", "oid": "0"}, entry(".gitattributes", b"*"), entry("README.md", b"#")],
        [entry("data/大.jsonl", LARGE, lfs=True), entry("data/small.jsonl", SMALL)],
    ]
    site.add(tree, json.dumps(pages[0]).encode(), kind="application/json")
    site.add(tree + "&cursor=2", json.dumps(pages[1]).encode(), kind="application/json")
    following = f"https://huggingface.co{tree}&cursor=2"  # a mirror that passes the Hub's own address on
    site.pages[tree].extra = {"Link": f'<{following}>; rel="next"'}
    for revision in ("main", "refs%2Fconvert%2Fparquet"):
        site.add(f"/api/datasets/lab/corpus/revision/{revision}", json.dumps({"sha": COMMIT}).encode())
    root = f"/datasets/lab/corpus/resolve/{COMMIT}/data"
    site.add(f"{root}/%E5%A4%A7.jsonl", LARGE)
    site.add(f"{root}/small.jsonl", SMALL)
    return site


def asked(hub: Any) -> list[str]:
    return [path for _, path, _ in hub.questions]


def test_a_commit_brings_all_files_but_the_card(hub: Any, fetcher: Fetcher, source: Make) -> None:
    wanted = source(f"hf:lab/corpus@{COMMIT}")
    assert known(wanted) is None
    fetched = fetcher.fetch(wanted)
    assert [(file.path, file.file.read_bytes()) for file in fetched.files] == [
        ("data/small.jsonl", SMALL),
        ("data/大.jsonl", LARGE),
    ]
    count = len(hub.questions)
    assert fetcher.fetch(wanted) == known(wanted) == fetched
    assert len(hub.questions) == count


def test_patterns_choose_files(hub: Any, fetcher: Fetcher, source: Make) -> None:
    fetched = fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}", path=("data/*",), exclude=("**/small*",)))
    assert [file.path for file in fetched.files] == ["data/大.jsonl"]
    assert not any("small" in path for path in asked(hub))
    with pytest.raises(InputError, match=r"no file of hf:lab/corpus@01234567 matches \*\.zip; it has 2 files: data/"):
        fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}", path=("*.zip",)))


@pytest.mark.parametrize("revision", ["", "@main", "@refs/convert/parquet"])
def test_a_branch_is_taken_at_its_commit(hub: Any, fetcher: Fetcher, source: Make, revision: str) -> None:
    fetched = fetcher.fetch(source(f"hf:lab/corpus{revision}"))
    assert fetched.revision == COMMIT
    count = len(hub.questions)
    fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}"))  # what was fetched serves the commit too
    assert len(hub.questions) == count


@pytest.mark.parametrize("name", ["small.jsonl", "%E5%A4%A7.jsonl"])
def test_each_file_is_what_the_commit_says(hub: Any, fetcher: Fetcher, source: Make, name: str) -> None:
    page = hub.pages[f"/datasets/lab/corpus/resolve/{COMMIT}/data/{name}"]
    page.body = page.body[::-1]
    with pytest.raises(InputError, match=r"(git hash|sha256) [0-9a-f]+, expected is [0-9a-f]+"):
        fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}"))


def test_a_file_of_another_length_is_not_even_begun(hub: Any, fetcher: Fetcher, source: Make) -> None:
    hub.pages[f"/datasets/lab/corpus/resolve/{COMMIT}/data/small.jsonl"].body = SMALL[:-1]
    with pytest.raises(InputError, match="the server has a file of 17 bytes, expected are 18"):
        fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}"))


def test_a_list_may_be_pinned_as_sha256sum_prints_it(hub: Any, fetcher: Fetcher, source: Make) -> None:
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  data/{name}\n"
        for name, data in (("small.jsonl", SMALL), ("大.jsonl", LARGE))
    ]
    pin = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}", sha256=pin)).sha256 == pin
    with pytest.raises(InputError, match=f"the list of 2 files has sha256 {pin}, the recipe expects {'0' * 64}"):
        fetcher.fetch(source(f"hf:lab/corpus@{COMMIT}", sha256="0" * 64))


def test_a_token_goes_to_the_hub_alone(
    hub: Any, other_site: Any, source: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    hub.pages[f"/datasets/lab/corpus/resolve/{COMMIT}/data/small.jsonl"].instead = [
        (302, {"Location": other_site.url("/delivery")})
    ]
    other_site.add("/delivery", SMALL)
    Fetcher({}, say=said.append).fetch(source(f"hf:lab/corpus@{COMMIT}", path=("**/small*",)))
    assert {headers.get("authorization") for _, _, headers in hub.questions} == {"Bearer secret"}
    assert "authorization" not in other_site.questions[0][2]


@pytest.mark.parametrize("status", [401, 403])
def test_a_closed_repository_says_how_it_is_opened(hub: Any, fetcher: Fetcher, source: Make, status: int) -> None:
    hub.add(f"/api/datasets/lab/closed/tree/{COMMIT}?recursive=true", b"", instead=[(status, {})] * 2)
    wanted = source(f"hf:lab/closed@{COMMIT}")
    for _ in range(2):  # the second time without asking: thirteen sources of one repository wait once
        with pytest.raises(InputError, match=r"terms at https://huggingface.co/datasets/lab/closed and set HF_TOKEN"):
            fetcher.fetch(wanted)
    assert len(hub.questions) == 1


def test_what_is_no_hub_is_said(hub: Any, fetcher: Fetcher, source: Make) -> None:
    hub.add("/api/datasets/lab/page/revision/main", b"<html>", kind="text/html")
    with pytest.raises(InputError, match="no JSON, so no Hub is there; correct HF_ENDPOINT"):
        fetcher.fetch(source("hf:lab/page"))


def test_a_path_out_of_the_repository_is_refused(hub: Any, fetcher: Fetcher, source: Make) -> None:
    tree = json.dumps([entry("../../.bashrc", SMALL)]).encode()
    hub.add(f"/api/datasets/lab/hostile/tree/{COMMIT}?recursive=true", tree)
    with pytest.raises(InputError, match="points outside it"):
        fetcher.fetch(source(f"hf:lab/hostile@{COMMIT}"))


def test_a_mirror_of_the_recipe_serves_the_hub_too(
    hub: Any, source: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv("HF_TOKEN", "secret")  # which is nothing for a place that a recipe names
    mirrors = {"https://huggingface.co/": hub.url("/")}
    assert len(Fetcher(mirrors, say=said.append).fetch(source(f"hf:lab/corpus@{COMMIT}")).files) == 2
    assert not any("authorization" in headers for _, _, headers in hub.questions)


def test_a_branch_that_moved_is_followed_when_asked(hub: Any, fetcher: Fetcher, source: Make) -> None:
    wanted = source("hf:lab/corpus@main", path=("**/small*",))
    assert fetcher.fetch(wanted).revision == COMMIT
    new = SMALL * 2
    hub.add("/api/datasets/lab/corpus/revision/main", json.dumps({"sha": OTHER}).encode())
    tree = json.dumps([entry("data/small.jsonl", new)]).encode()
    hub.add(f"/api/datasets/lab/corpus/tree/{OTHER}?recursive=true", tree, instead=[(404, {})])
    hub.add(f"/datasets/lab/corpus/resolve/{OTHER}/data/small.jsonl", new)
    assert fetcher.fetch(wanted).revision == COMMIT
    with pytest.raises(InputError):
        fetcher.fetch(wanted, refresh=True)
    assert known(wanted) is not None  # a failure costs nothing that was there
    assert Fetcher({}, say=print).fetch(wanted, refresh=True).files[0].file.read_bytes() == new
