"""Documents from fetched sources: the same as from local files, and cached, pinned, mended as such."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from siku_corpus.fetch import source_files, source_root
from siku_manifests.cache import known, source_folder
from siku_manifests.errors import InputError
from siku_manifests.manifest import Manifest
from siku_manifests.raw import raw_files
from siku_manifests.recipe import load_recipe
from siku_manifests.rehearsal import plan_lines
from siku_manifests.runner import resolve, run_stage

SENTENCE = "今年春天，城里的老人們在河邊種下了第{n}棵柳樹，孩子們每天放學以後都會去澆水，直到夏天來臨。"
TEXTS = [SENTENCE.format(n=n) * 3 for n in range(40)]
BODY = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS).encode()
SHA256 = hashlib.sha256(BODY).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of the folder `public`, and an empty cache."""
    monkeypatch.setenv("SIKU_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    public = tmp_path / "public"
    public.mkdir()
    (public / "news.jsonl").write_bytes(BODY)
    half = BODY.index(b"\n", len(BODY) // 2) + 1
    (public / "part-1.jsonl").write_bytes(BODY[:half])
    (public / "part-2.jsonl").write_bytes(BODY[half:])
    with zipfile.ZipFile(public / "news.zip", "w") as archive:
        archive.writestr("all/news.jsonl", BODY)
        archive.writestr("all/notes.txt", "no news")
    handler = functools.partial(Quiet, directory=str(public))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def recipe(tmp_path: Path, **keys: object) -> str:
    path = tmp_path / "toy" / "recipe.toml"
    path.parent.mkdir(exist_ok=True)
    lines = {"name": "news", "format": "jsonl", "license": "CC0-1.0", "profile": "modern", **keys}
    path.write_text("[[source]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items()))
    path.write_text(path.read_text() + "[filter]\nreport_only = true\n")
    return str(path)


def build(tmp_path: Path, path: str, *overrides: str) -> tuple[Manifest, bool, list[str]]:
    said: list[str] = []
    loaded = load_recipe(path, overrides)
    manifest, built = run_stage("documents", loaded, out=tmp_path / "build", workers=1, say=said.append)
    return manifest, built, said


def texts(tmp_path: Path, path: str) -> list[str]:
    folder = resolve("documents", load_recipe(path), out=tmp_path / "build").folder
    return pl.read_parquet(folder / "news-*.parquet")["text"].to_list()


def test_a_stage_fetches_what_it_lacks_and_pinning_changes_nothing(address: str, tmp_path: Path) -> None:
    path = recipe(tmp_path, where=f"{address}/news.jsonl")
    with pytest.raises(InputError, match="not fetched yet, and nothing in the recipe pins its bytes"):
        resolve("documents", load_recipe(path), out=tmp_path / "build")
    manifest, built, said = build(tmp_path, path)
    assert (built, said) == (True, [f"fetching {address}/news.jsonl"])
    (source,) = manifest.identity.sources
    assert source.where == f"{address}/news.jsonl"
    assert [(file.path, file.bytes, file.sha256) for file in source.files] == [("news.jsonl", len(BODY), SHA256)]
    assert len(texts(tmp_path, path)) == len(TEXTS)
    again, built, said = build(tmp_path, recipe(tmp_path, where=f"{address}/news.jsonl", sha256=SHA256))
    assert (again.id, built, said) == (manifest.id, False, [])
    shutil.rmtree(tmp_path / "cache")  # what is built needs no cache, and what is not says so
    plan = functools.partial(plan_lines, "documents", out=tmp_path / "build", workers=1, say=said.append)
    pinned = load_recipe(path)
    assert plan(pinned)[-1] == "  nothing to do: it is built"
    assert plan(load_recipe(path, ["keep_dropped=false"]))[-1] == "  What has an address is fetched by: siku fetch toy"


@pytest.mark.parametrize(
    ("where", "path"),
    [("news.jsonl", "**/*"), ("part-{1..2}.jsonl", "**/*"), ("news.zip", "all/*.jsonl")],
)
def test_fetched_documents_are_those_of_local_files(address: str, tmp_path: Path, where: str, path: str) -> None:
    remote = recipe(tmp_path, where=f"{address}/{where}", path=[path])
    build(tmp_path, remote)
    fetched = texts(tmp_path, remote)
    local = recipe(tmp_path, where=str(tmp_path / "public" / "news.jsonl"))
    build(tmp_path, local)
    assert fetched == texts(tmp_path, local)


def test_a_damaged_cache_is_mended(address: str, tmp_path: Path) -> None:
    path = recipe(tmp_path, where=f"{address}/news.jsonl", sha256=SHA256)
    loaded, said = load_recipe(path), list[str]()
    (raw,) = raw_files(loaded, folder=tmp_path / "build", say=said.append)
    raw.file.write_bytes(BODY[::-1])
    (raw,) = raw_files(loaded, folder=tmp_path / "build", say=said.append)
    assert raw.file.read_bytes() == BODY
    assert any("damaged in the cache; fetching it again" in line for line in said)


def test_readers_find_the_files_of_a_source_in_one_folder(address: str, tmp_path: Path) -> None:
    loaded = load_recipe(recipe(tmp_path, where=f"{address}/part-{{1..2}}.jsonl"))
    (source,) = loaded.source
    with pytest.raises(InputError, match="not in the cache of this machine; run siku fetch there first"):
        source_root(source)
    raw = raw_files(loaded, folder=tmp_path / "build", say=lambda _: None)
    assert [file.path for file in source_files(source, raw)] == ["part-1.jsonl", "part-2.jsonl"]
    root = source_root(source)
    assert b"".join((root / file.path).read_bytes() for file in source_files(source, raw)) == BODY
    moved = tmp_path / "moved"
    (tmp_path / "cache").rename(moved)  # a cache that is carried to another machine
    (tmp_path / "cache").symlink_to(moved)
    assert (source_folder(source) / "part-1.jsonl").read_bytes() == raw[0].file.read_bytes()
    (raw[0].file).unlink()
    assert known(source) is None
