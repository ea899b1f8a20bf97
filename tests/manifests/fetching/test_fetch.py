"""`siku fetch`, and stages that fetch by themselves: in processes of their own, as a user has them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
LINES = "".join(
    json.dumps({"text": f"這是第{n}篇文章，說的是第{n * n}件事。"}, ensure_ascii=False) + "\n" for n in range(40_000)
)
BODY = LINES.encode()
SHA256 = hashlib.sha256(BODY).hexdigest()


def recipe(tmp_path: Path, **keys: str) -> Path:
    """A recipe with one source."""
    path = tmp_path / "toy" / "recipe.toml"
    path.parent.mkdir(exist_ok=True)
    lines = {"name": "news", "format": "jsonl", "license": "CC0-1.0", "profile": "web", **keys}
    path.write_text("[[source]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items()))
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "siku_manifests", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip


def siku(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "files").glob("*/*"))


def test_a_killed_fetch_is_finished_by_the_next(site: Any, tmp_path: Path) -> None:
    gate = threading.Event()
    site.add("/news.jsonl", BODY, gate=gate, before_gate=1 << 20)
    path = recipe(tmp_path, where=site.url("/news.jsonl"))
    process = start("fetch", path)
    deadline = time.monotonic() + 60
    part = None
    while (part is None or part.stat().st_size < 1 << 19) and time.monotonic() < deadline:
        part = next((tmp_path / "cache").rglob("bytes.part"), None)
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    gate.set()
    assert part is not None
    had = part.stat().st_size
    assert 0 < had < len(BODY)
    status, out, _ = siku("fetch", path)
    assert status == 0
    assert site.ranges("/news.jsonl") == ["", f"bytes={had}-"]
    assert cached(tmp_path)[0].read_bytes() == BODY
    assert f'to keep what came, write sha256 = "{SHA256}"' in out


def test_two_processes_fetch_one_file_once(site: Any, tmp_path: Path) -> None:
    gate = threading.Event()
    site.add("/news.jsonl", BODY, gate=gate)
    path = recipe(tmp_path, where=site.url("/news.jsonl"))
    first = start("fetch", path)
    deadline = time.monotonic() + 60
    while not site.questions and time.monotonic() < deadline:
        time.sleep(0.01)
    second = start("fetch", path)
    assert second.stderr is not None
    assert "another process is fetching it; waiting for that" in second.stderr.readline()
    gate.set()
    ends = [process.communicate(timeout=60) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0]
    assert ends[0][0] == ends[1][0]
    assert site.ranges("/news.jsonl") == [""]
    assert cached(tmp_path)[0].read_bytes() == BODY


def test_what_no_address_leads_to_is_said_with_the_way_to_get_it(site: Any, tmp_path: Path) -> None:
    obtain = "Write to the publisher for it."
    path = recipe(tmp_path, where="data/news", obtain=obtain)
    place = tmp_path / "toy" / "data" / "news"
    said = f"{place} does not exist. {obtain} Put it there, or say where it is with --set source.news.where=PLACE."
    for command in (("documents", "--out", tmp_path / "build"), ("documents", "--dry-run")):
        status, _, err = siku(*command, path)
        assert (status, said in err) == (2, True), err
    status, _, err = siku("fetch", path)
    assert (status, f"  news: {place} does not exist. {obtain}" in err) == (2, True), err
    (place / "a.jsonl").parent.mkdir(parents=True)
    (place / "a.jsonl").write_bytes(BODY)
    assert siku("fetch", path) == (0, f"news: {place}\n", "")


def test_what_cannot_be_had_keeps_nothing_else_from_coming(site: Any, tmp_path: Path) -> None:
    site.add("/news.jsonl", BODY)
    path = recipe(tmp_path, where=site.url("/absent.jsonl"))
    text = path.read_text()
    second = text.replace("news", "more").replace("/absent", "/news")
    path.write_text(text + second)
    status, out, err = siku("fetch", path)
    assert status == 2
    assert err.splitlines()[-2:] == [
        "siku: 1 of 2 sources of recipe toy are not here:",
        f"  news: {site.url('/absent.jsonl')}: there is nothing at this address (404 Not Found); "
        "correct it in the recipe.",
    ]
    assert out.startswith(f"more: news.jsonl, 2.7 MB, sha256 {SHA256}\n")
    assert siku("fetch", path, "--source", "more")[0] == 0
    status, _, err = siku("fetch", path, "--source", "moree")
    assert (status, "did you mean 'more'?" in err) == (2, True)


def test_a_dry_run_asks_for_lengths_and_fetches_nothing(site: Any, tmp_path: Path) -> None:
    site.add("/a-1.jsonl", BODY)
    site.add("/a-2.jsonl", BODY, ending="close")
    path = recipe(tmp_path, where=site.url("/a-{1..2}.jsonl"))
    status, out, _ = siku("fetch", path, "--dry-run")
    assert status == 0
    assert "news: " in out
    assert "2 files to fetch, at least 2.7 MB" in out
    assert "2.7 MB, 1 file of unknown length would be fetched into" in out
    assert {method for method, _, _ in site.questions} == {"HEAD"}
    assert not (tmp_path / "cache").exists()
    status, out, _ = siku("documents", path, "--dry-run")
    assert status == 0
    assert out.splitlines()[1:] == [
        f"  news: {site.url('/a-{1..2}.jsonl')}",
        "What has an address is fetched by: siku fetch toy",
    ]


def test_mirrors_of_the_recipe_are_asked_instead(site: Any, tmp_path: Path) -> None:
    site.add("/mirror/news.jsonl", BODY)
    path = recipe(tmp_path, where="https://corpora.invalid/all/news.jsonl", sha256=SHA256)
    path.write_text(path.read_text() + f'[mirrors]\n"https://corpora.invalid/all/" = "{site.url("/mirror/")}"\n')
    assert siku("fetch", path)[:2] == (0, f"news: news.jsonl, 2.7 MB, sha256 {SHA256}\n")


def test_what_is_not_pinned_can_be_asked_for_again(site: Any, tmp_path: Path) -> None:
    site.add("/news.jsonl", BODY)
    path = recipe(tmp_path, where=site.url("/news.jsonl"))
    first = siku("fetch", path)[1]
    site.pages["/news.jsonl"].body = BODY[: BODY.index(b"\n") + 1]
    assert siku("fetch", path)[1] == first
    second = siku("fetch", path, "--refresh")[1]
    assert second != first
    assert len(cached(tmp_path)) == 2
    pinned = recipe(tmp_path, where=site.url("/news.jsonl"), sha256=SHA256)
    assert siku("fetch", pinned, "--refresh")[1] == first.splitlines()[0] + "\n"
