"""The scheme `datasketch` against datasketch itself, and its hashes against hashlib and xxhash."""

from __future__ import annotations

import hashlib

import datasketch
import numpy as np
import pyarrow as pa
import pytest
import xxhash
from datasketch.hashfunc import sha1_hash32
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup import affine32
from siku_dedup.ngrams import HashName, hash_ngrams
from siku_dedup.points import column_points
from siku_manifests.errors import InputError

HASHES = {"sha1": sha1_hash32, "xxh32": xxhash.xxh32_intdigest}
TEXT = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("天地玄黃宇宙洪荒"), max_size=600),
    st.text(st.sampled_from("天地a1é𠀀玄黃"), max_size=120),
)


def grams(text: str, n: int) -> list[bytes]:
    return [text[i : i + n].encode() for i in range(max(1, len(text) - n + 1))]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(1, 13))
def test_hashes_are_those_of_the_standard_libraries(texts: list[str], n: int) -> None:
    points = column_points(pa.array(texts, pa.string()))
    every = [gram for text in texts for gram in grams(text, n)]
    sha1 = [int.from_bytes(hashlib.sha1(gram).digest()[:4], "little") for gram in every]
    assert hash_ngrams(points, n=n, name="sha1").hashes.tolist() == sha1
    assert hash_ngrams(points, n=n, name="xxh32").hashes.tolist() == [xxhash.xxh32_intdigest(gram) for gram in every]


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(1, 8), st.sampled_from(["sha1", "xxh32"]))
def test_signatures_are_bit_identical(texts: list[str], n: int, name: HashName) -> None:
    points = column_points(pa.array(texts, pa.string()))
    for permutations in (128, 256):
        signatures = affine32.sign(hash_ngrams(points, n=n, name=name), permutations=permutations)
        for row, text in enumerate(texts):
            sketch = datasketch.MinHash(num_perm=permutations, hashfunc=HASHES[name])
            sketch.update_batch(grams(text, n))
            assert np.array_equal(signatures[row], sketch.hashvalues)


def test_an_index_of_datasketch_finds_our_signatures() -> None:
    texts = ["春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少", "白日依山盡黃河入海流欲窮千里目更上一層樓"]
    index = datasketch.MinHashLSH(threshold=0.8, num_perm=128)
    for number, text in enumerate(texts):
        sketch = datasketch.MinHash(num_perm=128)
        sketch.update_batch(grams(text, 3))
        index.insert(number, sketch)
    signatures = affine32.sign(hash_ngrams(column_points(pa.array(texts)), n=3, name="sha1"), permutations=128)
    ours = [affine32.to_datasketch(signature) for signature in signatures]
    assert [index.query(sketch) for sketch in ours] == [[0], [1]]
    assert np.array_equal(affine32.from_datasketch(ours), signatures)


@pytest.mark.parametrize("stranger", [{"scheme": "legacy"}, {"seed": 2}, {"num_perm": 64}])
def test_signatures_that_cannot_be_compared_are_refused(stranger: dict[str, object]) -> None:
    mine, other = datasketch.MinHash(num_perm=128), datasketch.MinHash(**{"num_perm": 128, **stranger})
    with pytest.raises(InputError, match=r"datasketch sketch 1: .*cannot be compared"):
        affine32.from_datasketch([mine, other])


def test_a_shingle_that_does_not_fit_a_block_is_refused() -> None:
    with pytest.raises(InputError, match="1 to 13"):
        hash_ngrams(column_points(pa.array(["春"])), n=14, name="sha1")
