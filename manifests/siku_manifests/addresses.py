"""What `where` of a source says, read from its text alone: a package, an address, a dataset repository, a place here.

npm:NAME@VERSION  pypi:NAME==VERSION      a package of a public registry
https://HOST/PATH                         a file; {a,b} and {00..09} stand for several, #NAME gives it another name
hf:OWNER/NAME@REVISION                    files of a dataset repository on the Hugging Face Hub
anything else                             a folder or file of the user's own
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from siku_manifests.errors import RecipeError

PACKAGE_PREFIXES = ("npm:", "pypi:")
WEB_PREFIXES = ("https://", "http://")
HUB_PREFIX = "hf:"
MOST_FILES = 100_000
"""Files that braces may stand for; more is a slip of the pen."""

_REPOSITORY = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")


def is_package(where: str) -> bool:
    """Whether it is fetched by package name."""
    return where.startswith(PACKAGE_PREFIXES)


def is_remote(where: str) -> bool:
    """Whether it is fetched from an address or a dataset repository."""
    return where.startswith((*WEB_PREFIXES, HUB_PREFIX))


def is_fetched(where: str) -> bool:
    """Whether it comes over the network, into the cache."""
    return is_package(where) or is_remote(where)


class Repository(NamedTuple):
    """A dataset repository at a revision."""

    name: str
    """`OWNER/NAME`, or a bare name of the Hub's early days."""
    revision: str
    """A commit, a branch or a tag."""

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which names the bytes of every file."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def shown(self) -> str:
        """For people, with as much of a commit as anybody reads."""
        return str(self.at(self.revision[:8])) if self.is_pinned else str(self)

    def at(self, commit: str) -> Repository:
        """The same repository at a commit."""
        return Repository(self.name, commit)

    def __str__(self) -> str:
        return f"{HUB_PREFIX}{self.name}@{self.revision}"


def parse_repository(where: str) -> Repository:
    """Read `hf:OWNER/NAME@REVISION`; without a revision it is `main`.

    Raises:
        RecipeError: anything else.
    """
    match = _REPOSITORY.fullmatch(where)
    if match is None:
        msg = f"{where}: no dataset repository; write hf:OWNER/NAME@COMMIT."
        raise RecipeError(msg)
    return Repository(match["name"], match["revision"] or "main")


def check_where(where: str) -> None:
    """Refuse what looks like an address or a repository and is none.

    Raises:
        RecipeError: see `parse_repository` and `expand`.
    """
    if where.startswith(HUB_PREFIX):
        parse_repository(where)
    elif is_remote(where):
        expand(where)


def expand(where: str) -> dict[str, str]:
    """The files that an address stands for: path in the source -> address, in the order written.

    A file is named by the end of its address, or by what follows `#`, which no server sees. Where several have
    folders of their own, the part of the path that they do not share is kept.

    Raises:
        RecipeError: no host, a password inside, two files of one name, or too many.

    Example:
        "https://h/c4/{train,dev}/{0..1}.gz" -> train/0.gz, train/1.gz, dev/0.gz, dev/1.gz
    """
    addresses = list(itertools.islice(_alternatives(where), MOST_FILES + 1))
    if not 0 < len(addresses) <= MOST_FILES:
        many = f"more than {MOST_FILES:,} files" if addresses else "no file"
        msg = f"{where}: the braces stand for {many}; correct the numbers."
        raise RecipeError(msg)
    named = [_checked(address) for address in addresses]
    folders = [path.split("/")[:-1] for path in named]
    shared = len(list(itertools.takewhile(lambda step: len(set(step)) == 1, zip(*folders, strict=False))))
    files = {"/".join(path.split("/")[shared:]): address for path, address in zip(named, addresses, strict=True)}
    if len(files) < len(addresses):
        msg = f"{where}: two files would have one name; give the address a name of its own behind #."
        raise RecipeError(msg)
    return files


def _alternatives(text: str) -> Iterator[str]:
    """Every reading of the braces, as a shell would give them."""
    match = _BRACES.search(text)
    if match is None:
        yield text
        return
    numbers = _NUMBERS.fullmatch(match[1])
    choices: Iterator[str]
    if numbers:
        first, last = int(numbers[1]), int(numbers[2])
        choices = (str(number).zfill(len(numbers[1])) for number in range(first, last + 1))
    else:
        choices = iter(match[1].split(","))
    for choice in choices:
        yield from _alternatives(text[: match.start()] + choice + text[match.end() :])


def _checked(address: str) -> str:
    """The path of an address, decoded, ending in the file's name."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
        secret = parts.username is not None
    except ValueError:
        host, secret = None, False
    if not host:
        msg = f"{address}: no address; write https://HOST/PATH."
        raise RecipeError(msg)
    if secret:
        msg = f"{address.partition('//')[0]}//…@{host}: a recipe is no place for a password; leave it out."
        raise RecipeError(msg)
    folder, _, name = unquote(parts.path).rpartition("/")
    name = unquote(parts.fragment) or name
    if not name or "/" in name or name in {".", ".."} or "\0" in name or ".." in folder.split("/"):
        msg = f"{address}: the address does not end in a file's name; add one behind #, such as #corpus.zip."
        raise RecipeError(msg)
    return f"{folder}/{name}"


def mirrored(address: str, mirrors: Mapping[str, str]) -> str:
    """Where to ask for an address: the longest prefix that `[mirrors]` has is replaced."""
    for prefix in sorted(mirrors, key=len, reverse=True):
        if address.startswith(prefix):
            return mirrors[prefix] + address[len(prefix) :]
    return address


def request_url(address: str) -> str:
    """An address as a request may carry it: what is no ASCII or no character of an address is escaped, once."""
    parts = urlsplit(address)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    safe = "%/:=&?~+!$,;'@()*[]-._"
    return urlunsplit((parts.scheme, host, quote(parts.path, safe=safe), quote(parts.query, safe=safe), ""))
