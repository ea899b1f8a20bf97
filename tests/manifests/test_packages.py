"""Packages, fetched by the real pip and npm from registries on 127.0.0.1 that hold hand-made archives."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from siku_manifests.errors import InputError, RecipeError, StorageError
from siku_manifests.packages import fetch_package, unpack_package
from siku_manifests.registry import cache_folder, parse_spec

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def sdist(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("toytext/poem.txt", "from the wheel")
        archive.writestr("toytext-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toytext\nVersion: 1.0\n")
        archive.writestr(
            "toytext-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("toytext-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


SETUP = """
import os, pathlib
pathlib.Path(os.environ["TOY_TRACE"]).touch()
from setuptools import setup
setup(name="toytext", version="1.0")
"""
SDIST = sdist(
    {
        "toytext-1.0/setup.py": SETUP,
        "toytext-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: toytext\nVersion: 1.0\n",
        "toytext-1.0/poems/a.txt": "春眠不覺曉",
        "toytext-1.0/poems/b.txt": "處處聞啼鳥",
    }
)
WHEEL = wheel()
NPM = sdist(
    {
        "package/package.json": json.dumps({"name": "toy-poems", "version": "1.0.0"}),
        "package/dist/a.json": "[]",
        "package/dist/b.json": "{}",
    }
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Registry(http.server.BaseHTTPRequestHandler):
    """PyPI's simple pages and npm's package documents, as far as the clients look."""

    def do_GET(self) -> None:
        base = f"http://{self.headers['Host']}"
        files = {"toytext-1.0.tar.gz": SDIST, "toytext-1.0-py3-none-any.whl": WHEEL, "toy-poems-1.0.0.tgz": NPM}
        name = self.path.rpartition("/")[2]
        if name in files:
            self.answer(files[name], "application/octet-stream")
        elif self.path == "/simple/toytext/":
            links = [
                f'<a href="{base}/{file}#sha256={sha256(data)}">{file}</a>' for file, data in list(files.items())[:2]
            ]
            self.answer("".join(links).encode(), "text/html")
        elif self.path == "/toy-poems":
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(NPM).digest()).decode()
            dist = {"tarball": f"{base}/toy-poems-1.0.0.tgz", "integrity": integrity}
            version = {"name": "toy-poems", "version": "1.0.0", "dist": dist}
            document = {"name": "toy-poems", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
            self.answer(json.dumps(document).encode(), "application/json")
        else:
            self.send_error(404)

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    """Both registries, an empty home and an empty cache."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        home = tmp_path / "home"
        home.mkdir()
        settings = {
            "HOME": str(home),
            "SIKU_CACHE": str(tmp_path / "cache"),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": f"{address}/simple",
            "PIP_RETRIES": "0",
            "npm_config_registry": address,
            "TOY_TRACE": str(tmp_path / "setup-was-run"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "spec", ["npm:chinese-poetry", "pypi:Django>=5", "pypi:Django==", "chinese-poetry@2", "npm:a@^1"]
)
def test_only_a_pinned_package_is_a_spec(spec: str) -> None:
    with pytest.raises(RecipeError, match="pinned"):
        parse_spec(spec)


@pytest.mark.parametrize("spec", ["npm:chinese-poetry@2.0.1", "npm:@scope/name@1.0.0-rc.1", "pypi:Django==5.2.19"])
def test_a_spec_is_read_and_written_back(spec: str) -> None:
    assert str(parse_spec(spec)) == spec


def test_the_hash_chooses_between_source_archive_and_wheel(registry: object) -> None:
    for data in (SDIST, WHEEL):
        archive = fetch_package("pypi:toytext==1.0", sha256(data))
        assert archive.read_bytes() == data
        assert archive.parent == cache_folder() / "packages" / sha256(data)


def test_a_cached_package_needs_no_registry(registry: http.server.ThreadingHTTPServer) -> None:
    first = fetch_package("pypi:toytext==1.0", sha256(WHEEL))
    registry.shutdown()
    registry.server_close()
    assert fetch_package("pypi:toytext==1.0", sha256(WHEEL)) == first


def test_a_damaged_cache_is_fetched_again(registry: object) -> None:
    archive = fetch_package("pypi:toytext==1.0", sha256(WHEEL))
    archive.write_bytes(b"damaged")
    assert fetch_package("pypi:toytext==1.0", sha256(WHEEL)).read_bytes() == WHEEL


@needs_npm
def test_npm_packs_into_the_cache_and_leaves_the_home_alone(registry: object, tmp_path: Path) -> None:
    folder = unpack_package("npm:toy-poems@1.0.0", sha256(NPM), globs=["dist/*.json"], exclude=["dist/b.*"])
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["a.json"]
    assert not (tmp_path / "home" / ".npm").exists()


def test_unpacked_files_are_those_of_the_archive_even_if_somebody_changed_them(registry: object) -> None:
    def unpack() -> Path:
        return unpack_package("pypi:toytext==1.0", sha256(SDIST), globs=["poems/*.txt"])

    folder = unpack()
    (folder / "poems/a.txt").write_text("changed", encoding="utf-8")
    assert unpack() == folder
    assert (folder / "poems/a.txt").read_text(encoding="utf-8") == "春眠不覺曉"
    assert not list(folder.parent.glob(".unpack-*"))


def test_another_hash_is_said_before_anything_of_the_archive_runs(registry: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="recipe expects") as caught:
        fetch_package("pypi:toytext==1.0", "0" * 64)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "setup-was-run").exists()
    assert not list((cache_folder() / "packages").iterdir())


@needs_npm
@pytest.mark.parametrize(("spec", "data"), [("npm:toy-poems@1.0.0", b"other"), ("npm:toy-poems@1.0.0", SDIST)])
def test_another_hash_of_an_npm_package_is_said(registry: object, spec: str, data: bytes) -> None:
    with pytest.raises(InputError, match=f"sha256 {sha256(NPM)}, the recipe expects {sha256(data)}"):
        fetch_package(spec, sha256(data))


@pytest.mark.parametrize(
    "spec",
    [
        "pypi:toytext==9.9",
        "pypi:absent==1.0",
        *(pytest.param(s, marks=needs_npm) for s in ("npm:toy-poems@9.9.9", "npm:absent@1.0.0")),
    ],
)
def test_a_version_that_does_not_exist_is_said(registry: object, spec: str) -> None:
    with pytest.raises(InputError, match=r"no such package or version"):
        fetch_package(spec, "0" * 64)


@pytest.mark.parametrize("spec", ["pypi:toytext==1.0", pytest.param("npm:toy-poems@1.0.0", marks=needs_npm)])
def test_no_network_is_said(registry: http.server.ThreadingHTTPServer, spec: str) -> None:
    registry.shutdown()
    registry.server_close()
    with pytest.raises(InputError, match="cannot be reached"):
        fetch_package(spec, "0" * 64)


def test_a_full_disk_is_said(registry: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "bin" / "npm"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho 'npm error code ENOSPC'\nexit 1\n", encoding="utf-8")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
    with pytest.raises(StorageError, match="no room"):
        fetch_package("npm:toy-poems@1.0.0", "0" * 64)


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIKU_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="SIKU_CACHE"):
        fetch_package("npm:toy-poems@1.0.0", "0" * 64)


def test_a_glob_that_matches_nothing_is_said(registry: object) -> None:
    with pytest.raises(InputError, match=r"no file inside matches poem/\*"):
        unpack_package("pypi:toytext==1.0", sha256(WHEEL), globs=["poem/*"])


def test_a_hash_is_required() -> None:
    with pytest.raises(RecipeError, match="64 hexadecimal"):
        fetch_package("pypi:toytext==1.0", "")
