"""One file, from a server that cuts, lies, refuses, stalls and redirects."""

from __future__ import annotations

import email.utils
import hashlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from siku_manifests.errors import InputError, StorageError
from siku_manifests.fetcher import Fetcher
from siku_manifests.sections import Source
from siku_manifests.web import Patience

BODY = bytes(range(256)) * 4096  # 1 MiB
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
Make = Callable[..., Source]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def brought(fetcher: Fetcher, source: Source) -> bytes:
    (file,) = fetcher.fetch(source).files
    assert file.sha256 == sha256(file.file.read_bytes())
    return file.file.read_bytes()


def left_over(tmp_path: Path) -> list[str]:
    downloads = tmp_path / "cache" / "downloads"
    return sorted(path.name for path in downloads.rglob("*") if path.is_file() and path.suffix != ".lock")


def test_a_file_is_fetched_once_under_its_own_name(
    site: Any, fetcher: Fetcher, source: Make, said: list[str], tmp_path: Path
) -> None:
    site.add("/a/%E8%AF%97.jsonl", BODY)
    wanted = source(site.url("/a/诗.jsonl"))
    assert brought(fetcher, wanted) == brought(fetcher, wanted) == BODY
    (file,) = fetcher.fetch(wanted).files
    assert (file.path, file.file.parent.name) == ("诗.jsonl", sha256(BODY))
    assert len(site.questions) == 1
    assert site.questions[0][2]["accept-encoding"] == "identity"
    assert said == [f"fetching {wanted.where}"]
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("mark", [{"tag": '"v1"'}, {"tag": "", "modified": "Mon, 03 Nov 2025 08:00:00 GMT"}])
def test_a_cut_download_goes_on_where_it_was(site: Any, fetcher: Fetcher, source: Make, mark: dict[str, str]) -> None:
    site.add("/a", BODY, cuts=[300_000, 200_000, 1], **mark)
    assert brought(fetcher, source(site.url("/a"))) == BODY
    assert site.ranges("/a") == ["", "bytes=300000-", "bytes=500000-", "bytes=500001-"]
    assert site.questions[1][2]["if-range"] == next(filter(None, mark.values()))


def test_attempts_count_anew_after_each_advance(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, cuts=[50_000] * 15)  # four attempts would not do
    assert brought(fetcher, source(site.url("/a"))) == BODY


def test_a_server_that_ignores_the_question_for_the_rest_sends_all_of_it(
    site: Any, fetcher: Fetcher, source: Make
) -> None:
    site.add("/a", BODY, cuts=[300_000], ranges=False)
    assert brought(fetcher, source(site.url("/a"))) == BODY
    assert site.ranges("/a") == ["", "bytes=300000-"]


def test_a_file_that_changed_meanwhile_is_the_new_one(site: Any, fetcher: Fetcher, source: Make) -> None:
    new = BODY[::-1]

    def change(page: Any) -> None:
        page.body, page.tag = new, '"v2"'

    site.add("/a", BODY, cuts=[300_000], after_cut=change)
    assert brought(fetcher, source(site.url("/a"))) == new


def test_a_rest_that_begins_elsewhere_is_not_glued_on(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, cuts=[300_000], shift=5)
    assert brought(fetcher, source(site.url("/a"))) == BODY
    assert site.ranges("/a") == ["", "bytes=300000-", ""]


@pytest.mark.parametrize(("pinned", "second"), [(False, ""), (True, "bytes=300000-")])
def test_without_a_mark_of_its_version_the_rest_is_taken_only_if_a_hash_will_tell(
    site: Any, fetcher: Fetcher, source: Make, pinned: bool, second: str
) -> None:
    site.add("/a", BODY, cuts=[300_000], tag='W/"weak"')
    assert brought(fetcher, source(site.url("/a"), sha256=sha256(BODY) if pinned else "")) == BODY
    assert site.ranges("/a") == ["", second]


def test_other_bytes_after_a_cut_are_found_and_all_is_fetched_anew(
    site: Any, fetcher: Fetcher, source: Make, said: list[str]
) -> None:
    def change(page: Any) -> None:
        page.body = BODY if page.body != BODY else BODY[:300_000] + bytes(len(BODY) - 300_000)

    site.add("/a", BODY[::-1], cuts=[300_000], after_cut=change)  # its tag stays, which is a lie
    assert brought(fetcher, source(site.url("/a"), sha256=sha256(BODY))) == BODY
    assert any("do not fit together" in line for line in said)


def test_another_file_than_the_pinned_one_is_refused(site: Any, fetcher: Fetcher, source: Make, tmp_path: Path) -> None:
    site.add("/a", BODY)
    with pytest.raises(InputError, match=f"sha256 {sha256(BODY)}, expected is {'0' * 64}"):
        fetcher.fetch(source(site.url("/a"), sha256="0" * 64))
    assert left_over(tmp_path) == []
    assert len(site.questions) == 1


def test_a_length_that_is_too_long_is_a_cut_that_stays(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, length=len(BODY) + 1000, ranges=False)
    with pytest.raises(InputError, match=r"cut at 1\.0 MB of 1\.0 MB, 4 times in a row; .*the same command goes on"):
        fetcher.fetch(source(site.url("/a")))


def test_a_length_that_is_too_short_is_found_by_the_hash(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, length=1000)
    with pytest.raises(InputError, match="sha256"):
        fetcher.fetch(source(site.url("/a"), sha256=sha256(BODY)))


@pytest.mark.parametrize("pin", ["", "0" * 64])
def test_a_notice_instead_of_the_file_is_called_one(site: Any, fetcher: Fetcher, source: Make, pin: str) -> None:
    site.add("/a.zip", PAGE, kind="text/html; charset=utf-8")
    with pytest.raises(InputError, match="web page and no file"):
        fetcher.fetch(source(site.url("/a.zip"), sha256=pin))


def test_a_page_that_is_wanted_is_taken(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a.html", PAGE, kind="text/html")
    assert brought(fetcher, source(site.url("/a.html"))) == PAGE


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, "nothing at this address (404 Not Found); correct it in the recipe"),
        (410, "nothing at this address"),
        (401, "the server refuses it (401 Unauthorized); fetch it by hand"),
        (403, "the server refuses it (403 Forbidden); fetch it by hand and give its place as `where`"),
        (400, "look at the address in a browser"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(
    site: Any, fetcher: Fetcher, source: Make, status: int, sentence: str
) -> None:
    site.add("/a", BODY, instead=[(status, {})])
    with pytest.raises(InputError) as caught:
        fetcher.fetch(source(site.url("/a")))
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(site.url("/a"))
    assert len(site.questions) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_fault_that_passes_is_waited_for(
    site: Any, fetcher: Fetcher, source: Make, said: list[str], status: int
) -> None:
    site.add("/a", BODY, instead=[(status, {}), (status, {})])
    assert brought(fetcher, source(site.url("/a"))) == BODY
    assert sum(f"answered {status}" in line for line in said) == 2


def test_a_fault_that_stays_ends_after_some_attempts(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, instead=[(503, {})] * 9)
    with pytest.raises(InputError, match=r"503 Service Unavailable, 4 times in a row; try again later"):
        fetcher.fetch(source(site.url("/a")))
    assert len(site.questions) == 4


@pytest.mark.parametrize("dated", [False, True])
def test_a_wait_that_the_server_asks_for_is_kept(
    site: Any, fetcher: Fetcher, source: Make, said: list[str], dated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    until = email.utils.formatdate(time.time() + 41, usegmt=True) if dated else "40"
    site.add("/a", BODY, instead=[(429, {"Retry-After": until})])
    assert brought(fetcher, source(site.url("/a"))) == BODY
    assert any(38 < wait <= 41 for wait in waits)


def test_a_wait_of_an_hour_is_left_to_the_user(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, instead=[(429, {"Retry-After": "3600"})])
    with pytest.raises(InputError, match=r"come back in 60 min \(429"):
        fetcher.fetch(source(site.url("/a")))


def test_a_silent_server_is_given_up_and_asked_again(site: Any, source: Make, said: list[str]) -> None:
    site.add("/a", BODY, stall=[1.0])
    hasty = Fetcher({}, say=said.append, patience=Patience(attempts=3, first_wait=0.0, timeout=0.2))
    assert brought(hasty, source(site.url("/a"))) == BODY
    assert any("no answer in time" in line for line in said)


@pytest.mark.parametrize("cut", [[], [300_000]])
def test_a_chunked_body_has_an_end_of_its_own(site: Any, fetcher: Fetcher, source: Make, cut: list[int]) -> None:
    site.add("/a", BODY, ending="chunked", cuts=cut)
    assert brought(fetcher, source(site.url("/a"))) == BODY


def test_a_body_that_only_ends_is_taken_if_a_hash_tells(site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", BODY, ending="close")
    with pytest.raises(InputError, match="does not say how long the file is"):
        fetcher.fetch(source(site.url("/a")))
    assert brought(fetcher, source(site.url("/a"), sha256=sha256(BODY))) == BODY


@pytest.mark.parametrize(("name", "taken"), [("a.jsonl", False), ("a.jsonl.gz", True)])
def test_a_body_that_the_server_packs_is_not_taken_for_the_file(
    site: Any, fetcher: Fetcher, source: Make, name: str, taken: bool
) -> None:
    site.add(f"/{name}", BODY, extra={"Content-Encoding": "gzip"})
    if taken:  # some servers say so of a file that is packed by itself
        assert brought(fetcher, source(site.url(f"/{name}"))) == BODY
    else:
        with pytest.raises(InputError, match="packs the file although"):
            fetcher.fetch(source(site.url(f"/{name}")))


def test_what_had_come_before_a_kill_is_used(site: Any, fetcher: Fetcher, source: Make, tmp_path: Path) -> None:
    """Whole, with or without knowing so; too much; and a state that is damaged."""
    wanted = source(site.url("/a"), sha256=sha256(BODY))
    site.add("/a", BODY, cuts=[300_000])
    site.pages["/a"].after_cut = lambda page: page.instead.extend([(404, {})])
    with pytest.raises(InputError):
        fetcher.fetch(wanted)
    (part,) = (tmp_path / "cache" / "downloads").rglob("bytes.part")
    assert part.read_bytes() == BODY[:300_000]
    for content, state in ((BODY, None), (BODY, b"{"), (BODY + b"more", None), (b"", b"")):
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(content)
        if state is not None:
            (part.parent / "state.json").write_bytes(state)
        assert brought(fetcher, wanted) == BODY
        shutil.rmtree(tmp_path / "cache" / "files")


def test_redirects_are_followed_a_few_times(site: Any, other_site: Any, fetcher: Fetcher, source: Make) -> None:
    site.add("/a", b"", instead=[(302, {"Location": "/b"})])
    site.add("/b", b"", instead=[(308, {"Location": other_site.url("/c")})])
    other_site.add("/c", BODY)
    assert brought(fetcher, source(site.url("/a"))) == BODY


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("/a", "in a circle or too often"),
        ("ftp://h/a", "to ftp://h/a"),
        ("file:///etc/passwd", "to no web address"),
    ],
)
def test_redirects_in_a_circle_or_elsewhere_are_not_followed(
    site: Any, fetcher: Fetcher, source: Make, target: str, where: str
) -> None:
    site.add("/a", b"", instead=[(302, {"Location": target})] * 20)
    with pytest.raises(InputError, match=f"redirects {where}, where nobody should follow; find the file's own address"):
        fetcher.fetch(source(site.url("/a")))


def test_certificates_are_checked_and_no_redirect_leaves_encryption(
    site: Any, fetcher: Fetcher, source: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = site.url("/b")
    site.socket = context.wrap_socket(site.socket, server_side=True)
    site.scheme = "https"
    site.add("/a", BODY)
    with pytest.raises(InputError, match="its certificate is not trusted"):
        fetcher.fetch(source(site.url("/a")))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert brought(fetcher, source(site.url("/a"))) == BODY
    site.add("/down", b"", instead=[(302, {"Location": plain})])
    with pytest.raises(InputError, match="where nobody should follow"):
        fetcher.fetch(source(site.url("/down")))


def test_no_server_is_said_after_few_attempts(site: Any, fetcher: Fetcher, source: Make, said: list[str]) -> None:
    wanted = source(site.url("/a"))
    site.shutdown()
    site.server_close()
    with pytest.raises(InputError, match=r"cannot be reached \(connection refused\), 3 times .* name a mirror in the"):
        fetcher.fetch(wanted)
    with pytest.raises(InputError, match="its name is not known here"):
        fetcher.fetch(source("http://nowhere.invalid/a"))
    assert len(said) == 6


def test_a_proxy_of_the_environment_is_asked(
    site: Any, other_site: Any, fetcher: Fetcher, source: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", other_site.url())
    far = "http://corpora.invalid/a"
    other_site.add(far, BODY, cuts=[300_000])
    assert brought(fetcher, source(far)) == BODY
    assert other_site.ranges(far) == ["", "bytes=300000-"]
    other_site.add("http://corpora.invalid/b", BODY, instead=[(407, {})])
    with pytest.raises(InputError, match="the proxy asks for a password"):
        fetcher.fetch(source("http://corpora.invalid/b"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site.add("/near", BODY)
    assert brought(fetcher, source(site.url("/near"))) == BODY
    assert [path for _, path, _ in other_site.questions] == [far, far, "http://corpora.invalid/b"]


def test_a_disk_without_room_is_said_before_anything_comes(
    site: Any, fetcher: Fetcher, source: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("/a", BODY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match=r"set SIKU_CACHE to another place\. Needed are 1\.0 MB, free are 1\.0 kB"):
        fetcher.fetch(source(site.url("/a")))
