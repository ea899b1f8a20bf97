"""A web server on 127.0.0.1 that does what it is told: cut, lie, refuse, redirect, stall."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from siku_manifests.fetcher import Fetcher
from siku_manifests.sections import Source
from siku_manifests.web import Patience

QUICK = Patience(attempts=4, first_wait=0.0, timeout=5.0)


@dataclass
class Page:
    """A file as a well-behaved server has it, and how it may misbehave."""

    body: bytes
    tag: str = '"v1"'
    modified: str = ""
    kind: str = "application/octet-stream"
    ranges: bool = True
    """Whether questions for a part are honoured."""
    instead: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Statuses that are answered before the file, one a question."""
    cuts: list[int] = field(default_factory=list)
    """Bytes of the body after which the connection is closed, one a question."""
    after_cut: Callable[[Page], None] = lambda page: None
    """What happens to the file when a connection was cut."""
    length: int | None = None
    """The length that is claimed."""
    shift: int = 0
    """By how much the part that is sent begins elsewhere than was asked for."""
    ending: str = "length"
    """How the end of the body is told: length, chunked or close."""
    gate: threading.Event | None = None
    """What the rest of the body waits for."""
    before_gate: int = 0
    """Bytes that are sent without waiting."""
    extra: dict[str, str] = field(default_factory=dict)
    """Further headers."""
    stall: list[float] = field(default_factory=list)
    """Seconds of silence before an answer, one a question."""


class Site(http.server.ThreadingHTTPServer):
    """Pages by path, and all questions that came."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.questions: list[tuple[str, str, dict[str, str]]] = []
        self.scheme = "http"

    def add(self, path: str, body: bytes, **how: Any) -> Page:
        self.pages[path] = Page(body, **how)
        return self.pages[path]

    def url(self, path: str = "") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str) -> list[str]:
        """The parts that were asked for, "" for all."""
        return [headers.get("range", "") for _, asked, headers in self.questions if asked == path]

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some tests are about."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.questions.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        page = self.server.pages.get(self.path)
        if page is None:
            self.send_error(404)
            return
        if page.stall:
            time.sleep(page.stall.pop(0))
        if page.instead:
            status, headers = page.instead.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        self.serve(page)

    do_HEAD = do_GET  # noqa: N815

    def serve(self, page: Page) -> None:
        start = self.start(page)
        if start is not None and start >= len(page.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(page.body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first = (start or 0) + (page.shift if start else 0)
        body = page.body[first:]
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {first}-{len(page.body) - 1}/{len(page.body)}")
        for name, value in (("ETag", page.tag), ("Last-Modified", page.modified), ("Content-Type", page.kind)):
            if value:
                self.send_header(name, value)
        for name, value in page.extra.items():
            self.send_header(name, value)
        if page.ending == "length":
            self.send_header("Content-Length", str(len(body) if page.length is None else page.length))
        elif page.ending == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.send(page, body)

    def start(self, page: Page) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or not page.ranges:
            return None
        condition = self.headers.get("If-Range")
        return int(asked[1]) if condition in {None, page.tag or page.modified} else None

    def send(self, page: Page, body: bytes) -> None:
        cut = page.cuts.pop(0) if page.cuts else None
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(body[:cut]), 1 << 16):
                piece = body[:cut][at : at + (1 << 16)]
                if page.ending == "chunked":
                    piece = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
                if page.gate and at >= page.before_gate:
                    page.gate.wait(60)
                self.wfile.write(piece)
                self.wfile.flush()
            if cut is None and page.ending == "chunked":
                self.wfile.write(b"0\r\n\r\n")
        if cut is not None:
            page.after_cut(page)
            self.close_connection = True
        if page.length is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    with Site() as site:
        threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield site
        site.shutdown()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The server, with an empty cache and an environment without proxies and tokens."""
    monkeypatch.setenv("SIKU_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serving() as site:
        yield site


@pytest.fixture
def other_site() -> Iterator[Site]:
    """A second server: a mirror, a proxy, a network of deliverers."""
    with serving() as site:
        yield site


@pytest.fixture
def said() -> list[str]:
    """What people were told on the way."""
    return []


@pytest.fixture
def fetcher(said: list[str]) -> Fetcher:
    """One that does not wait between attempts."""
    return Fetcher({}, say=said.append, patience=QUICK)


@pytest.fixture
def source() -> Callable[..., Source]:
    """A source of a recipe."""

    def make(where: str, **keys: Any) -> Source:
        return Source(
            **{"name": "s", "format": "jsonl", "where": where, "license": "CC0-1.0", "profile": "web", **keys}
        )

    return make
