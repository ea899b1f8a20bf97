"""A question to a web server: proxies, redirects, statuses and faults of the network, each with what it means.

Proxies are those of the environment (`https_proxy`, `http_proxy`, `no_proxy`); certificates are those of the system,
or of `SSL_CERT_FILE`. A fault that may pass is a `Passing`, which `patiently` meets with another attempt; any other is
an InputError in one sentence.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NamedTuple, TypeVar, cast

from siku_manifests.errors import InputError

Result = TypeVar("Result")

MOST_REDIRECTS = 10
UNREACHED_ATTEMPTS = 3
"""When no connection comes about, more attempts only make the user wait for the sentence that helps."""
LONGEST_WAIT = 300.0
"""Seconds that a server may ask for; a longer wait is the user's to decide."""
_ANSWERS = {200, 206, 416}
_PASSING_STATUSES = {408, 421, 425, 429}
_MOST_JSON_BYTES = 256 << 20


class Patience(NamedTuple):
    """How long a fault is borne; attempts count anew whenever one brought bytes."""

    attempts: int = 6
    first_wait: float = 1.0
    """Seconds before the second attempt, doubled before each further one."""
    timeout: float = 60.0
    """Seconds without a byte after which a connection is given up."""


PATIENCE = Patience()


class Question(NamedTuple):
    """What is asked, and how to speak of it."""

    url: str
    """Where, after mirrors."""
    name: str
    """What the recipe calls it."""
    headers: Mapping[str, str] = {}
    token: str = ""
    """Sent to this server and to none that it redirects to."""
    if_refused: str = "fetch it by hand and give its place as `where`"
    """What helps against 401 and 403."""
    if_unreached: str = "name a mirror in the recipe's [mirrors]"
    """What helps besides the network and the proxy."""
    mirror: str = ""
    """The address that is asked instead, where it is another."""
    method: str = "GET"

    @property
    def subject(self) -> str:
        """The recipe's name, and the mirror that was asked where there is one."""
        return f"{self.name} (asked at {self.mirror})" if self.mirror else self.name


class Passing(Exception):  # noqa: N818  no error unless it stays
    """A fault that another attempt may not meet.

    Args:
        why: what happened.
        mend: what the user can do if it stays.
        wait: seconds that the server asked for.
        reached: whether a server answered at all.
    """

    def __init__(self, why: str, *, mend: str, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(why)
        self.mend = mend
        self.wait = wait
        self.reached = reached


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to http and https only, and never from https to http."""

    max_redirections = MOST_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        secure = req.full_url.startswith("https://")
        if not newurl.startswith("https://" if secure else ("https://", "http://")):
            raise urllib.error.HTTPError(req.full_url, code, f"to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def ask(question: Question, *, timeout: float) -> Iterator[http.client.HTTPResponse]:
    """The server's answer, its body unread; its status is 200, 206 or 416.

    Raises:
        Passing: the server is out of reach, overloaded or faulty, or breaks off inside the block.
        InputError: it refuses, has nothing there, or redirects where nobody should follow.
    """
    request = urllib.request.Request(question.url, method=question.method)  # noqa: S310
    for name, value in {"User-Agent": "siku", **question.headers}.items():
        request.add_header(name, value)
    request.add_header("Accept-Encoding", "identity")  # a length and a hash are of the file, not of its packing
    if question.token:
        request.add_unredirected_header("Authorization", f"Bearer {question.token}")
    try:
        with _open(request, timeout) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(question, error) from error
    except urllib.error.URLError as error:
        reason = error.reason if isinstance(error.reason, Exception) else error
        raise _unreached(question, reason) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise Passing(f"the connection broke ({_words(error)})", mend="check the network or the proxy") from error


@contextmanager
def _open(request: urllib.request.Request, timeout: float) -> Iterator[http.client.HTTPResponse]:
    try:
        answer = urllib.request.build_opener(_Redirects()).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code not in _ANSWERS:
            raise
        answer = error
    with contextlib.closing(answer):
        yield cast("http.client.HTTPResponse", answer)


def _unreached(question: Question, reason: Exception) -> Passing | InputError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return InputError(
            f"{question.subject}: its certificate is not trusted ({reason.verify_message}); if a proxy of yours signs "
            f"for it, name the proxy's certificate in SSL_CERT_FILE."
        )
    mend = f"check the network and the proxy (https_proxy, http_proxy), or {question.if_unreached}"
    return Passing(f"the server cannot be reached ({_words(reason)})", mend=mend, reached=False)


def _refused(question: Question, error: urllib.error.HTTPError) -> Passing | InputError:
    """What a status means; `question` may have been redirected to another server by then."""
    status = error.code
    said = f"{status} {error.reason}".strip()
    if status in _PASSING_STATUSES or status >= 500:
        wait = _seconds(error.headers.get("Retry-After", ""))
        if wait > LONGEST_WAIT:
            minutes = round(wait / 60)
            return InputError(
                f"{question.subject}: the server asks to come back in {minutes} min ({said}); do so then."
            )
        return Passing(f"the server answered {said}", mend=f"try again later, or {question.if_unreached}", wait=wait)
    if 300 <= status < 400:
        where = "to no web address" if "not allowed" in error.reason else "in a circle or too often"  # urllib's words
        where = error.reason if error.reason.startswith("to ") else where
        meaning = f"the server redirects {where}, where nobody should follow; find the file's own address"
    elif status in {401, 403, 451}:
        meaning = f"the server refuses it ({said}); {question.if_refused}"
    elif status in {404, 410}:
        meaning = f"there is nothing at this address ({said}); correct it in the recipe"
    elif status == 407:
        meaning = f"the proxy asks for a password ({said}); put it into https_proxy"
    else:
        meaning = f"the server does not give it ({said}); look at the address in a browser"
    return InputError(f"{question.subject}: {meaning}.")


def _seconds(retry_after: str) -> float:
    """Read `Retry-After`: seconds, or a date."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        then = email.utils.parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return max(0.0, (then - datetime.datetime.now(datetime.UTC)).total_seconds())


def _words(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its name is not known here"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def patiently(
    act: Callable[[], Result],
    question: Question,
    *,
    patience: Patience,
    say: Callable[[str], None],
    reached: Callable[[], int] = lambda: 0,
) -> Result:
    """Do something again while its faults may pass.

    Args:
        act: raises Passing for such a fault.
        question: for the messages.
        patience: how often, and how long between.
        say: receives a line for people before each wait.
        reached: how far the work is; attempts count anew when it has grown beyond what it ever was.

    Raises:
        InputError: the fault stayed.
    """
    failures, furthest = 0, reached()
    while True:
        try:
            return act()
        except Passing as fault:
            if reached() > furthest:
                failures, furthest = 0, reached()
            failures += 1
            attempts = patience.attempts if fault.reached else min(patience.attempts, UNREACHED_ATTEMPTS)
            if failures >= attempts:
                msg = f"{question.subject}: {fault}, {failures} times in a row; {fault.mend}."
                raise InputError(msg) from fault
            wait = max(fault.wait, min(patience.first_wait * 2 ** (failures - 1), LONGEST_WAIT))
            say(f"{question.name}: {fault}; trying again in {wait:.0f} s")
            time.sleep(wait)


def read_json(
    question: Question, *, patience: Patience, say: Callable[[str], None]
) -> tuple[Any, http.client.HTTPMessage]:
    """A JSON document and the headers that came with it.

    Raises:
        InputError: it cannot be had, or is no JSON.
    """

    def once() -> tuple[Any, http.client.HTTPMessage]:
        with ask(question, timeout=patience.timeout) as answer:
            body = answer.read(_MOST_JSON_BYTES)
            if answer.length:  # bytes that were promised and did not come
                raise Passing("the connection was cut", mend="check the network or the proxy")
            try:
                return json.loads(body), answer.headers
            except ValueError as error:
                msg = (
                    f"{question.subject}: the answer is no JSON, so no Hub is there; correct HF_ENDPOINT or [mirrors]."
                )
                raise InputError(msg) from error

    return patiently(once, question, patience=patience, say=say)
