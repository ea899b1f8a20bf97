"""What `where` may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.addresses import check_where, expand, is_fetched, mirrored, parse_repository, request_url
from siku_manifests.errors import RecipeError


@pytest.mark.parametrize(
    ("where", "files"),
    [
        ("https://h/a/b.zip", {"b.zip": "https://h/a/b.zip"}),
        ("http://h:81/b.zip?key=1", {"b.zip": "http://h:81/b.zip?key=1"}),
        ("https://h/get?id=7#新闻.zip", {"新闻.zip": "https://h/get?id=7#新闻.zip"}),
        ("https://h/%E8%AF%97.txt", {"诗.txt": "https://h/%E8%AF%97.txt"}),
        ("https://h/{a,b}.gz", {"a.gz": "https://h/a.gz", "b.gz": "https://h/b.gz"}),
        ("https://h/x-{08..11}.gz", {f"x-{n}.gz": f"https://h/x-{n}.gz" for n in ("08", "09", "10", "11")}),
        ("https://h/c/{a,b}/d.gz", {"a/d.gz": "https://h/c/a/d.gz", "b/d.gz": "https://h/c/b/d.gz"}),
    ],
)
def test_an_address_stands_for_files(where: str, files: dict[str, str]) -> None:
    assert expand(where) == files
    assert list(expand(where)) == list(files)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("https://", "no address"),
        ("https:///a", "no address"),
        ("https://[h/a", "no address"),
        ("https://h/a/", "add one behind #, such as #corpus.zip"),
        ("https://h/..", "add one behind #"),
        ("https://h/%2e%2e/a", "add one behind #"),
        ("https://h/a#../b", "add one behind #"),
        ("https://me:secret@h/a", "no place for a password"),
        ("https://h/{a,a}", "two files would have one name"),
        ("https://h/{0..999999}", "more than 100,000 files"),
        ("https://h/{9..1}", "the braces stand for no file"),
        ("hf:", "write hf:OWNER/NAME@COMMIT"),
        ("hf:a/b/c@main", "write hf:OWNER/NAME@COMMIT"),
    ],
)
def test_what_is_no_address_is_refused(where: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_where(where)
    assert sentence in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_repository_is_pinned_by_a_commit_only() -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    assert parse_repository(f"hf:lab/corpus@{commit}").is_pinned
    assert not parse_repository("hf:lab/corpus@v1.0").is_pinned
    assert str(parse_repository("hf:lab/corpus")) == "hf:lab/corpus@main"


def test_the_longest_prefix_has_the_mirror() -> None:
    mirrors = {"https://h/": "https://far/", "https://h/a/": "http://near/x/"}
    assert mirrored("https://h/a/b", mirrors) == "http://near/x/b"
    assert mirrored("https://h/b", mirrors) == "https://far/b"
    assert mirrored("https://other/b", mirrors) == "https://other/b"


@given(st.text(st.characters(exclude_characters="/{}#?%\0\\", exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_request_can_carry_any_name_and_escapes_it_once(name: str) -> None:
    url = request_url(f"https://h/{name}#other")
    assert url.isascii()
    assert " " not in url
    assert "#" not in url
    assert request_url(url) == url


def test_what_is_fetched_and_what_is_here() -> None:
    fetched = ["npm:a@1", "pypi:a==1", "https://h/a", "http://h/a", "hf:a/b"]
    assert [is_fetched(where) for where in [*fetched, "/data/a", "data/https/a", "C:/a"]] == [True] * 5 + [False] * 3
