"""Token files against Megatron's layout, read back, and against damage and killed writers."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.errors import InputError
from siku_tokenize.tokenfile import (
    TokenFile,
    join_token_files,
    open_token_writer,
    token_dtype,
    write_token_file,
)

DOCUMENTS = [[5, 6, 2], [], [55_295, 2], [2]]


def write(stem: Path, documents: list[list[int]], dtype: object = np.uint16) -> TokenFile:
    return write_token_file(stem, (np.array(document, np.int64) for document in documents), dtype)


def megatron_bytes(documents: list[list[int]], code: int, letter: str) -> tuple[bytes, bytes]:
    """The two files as megatron-core's IndexedDatasetBuilder lays them out, packed by hand."""
    count, size = len(documents), struct.calcsize(letter)
    lengths = [len(document) for document in documents]
    offsets = [size * sum(lengths[:i]) for i in range(count)]
    index = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, code, count, count + 1)
    index += struct.pack(f"<{count}i", *lengths) + struct.pack(f"<{count}q", *offsets)
    index += struct.pack(f"<{count + 1}q", *range(count + 1))
    flat = [token for document in documents for token in document]
    return struct.pack(f"<{len(flat)}{letter}", *flat), index


@pytest.mark.parametrize(("dtype", "code", "letter"), [(np.uint16, 8, "H"), (np.int32, 4, "i")])
@pytest.mark.parametrize("documents", [DOCUMENTS, [], [[]], [[7]]])
def test_bytes_are_megatrons(tmp_path: Path, documents: list[list[int]], dtype: object, code: int, letter: str) -> None:
    write(tmp_path / "a", documents, dtype)
    ids, index = megatron_bytes(documents, code, letter)
    assert (tmp_path / "a.bin").read_bytes() == ids
    assert (tmp_path / "a.idx").read_bytes() == index


def test_vocabulary_decides_the_dtype() -> None:
    assert token_dtype(65_536) == np.uint16
    assert token_dtype(65_537) == np.int32


@given(st.lists(st.lists(st.integers(0, 65_535), max_size=20), max_size=20))
def test_documents_come_back(tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]]) -> None:
    file = write(tmp_path_factory.mktemp("tokens") / "a", documents)
    assert file.document_count == len(documents)
    assert file.token_count == sum(map(len, documents))
    assert [file.document(i).tolist() for i in range(len(documents))] == documents


def test_joining_parts_equals_writing_them_at_once(tmp_path: Path) -> None:
    write(tmp_path / "one", DOCUMENTS[:1])
    write(tmp_path / "two", [])
    write(tmp_path / "three", DOCUMENTS[1:])
    write(tmp_path / "all", DOCUMENTS)
    joined = join_token_files(tmp_path / "joined", [tmp_path / n for n in ("one", "two", "three")], np.uint16)
    assert joined.document_count == len(DOCUMENTS)
    for suffix in (".bin", ".idx"):
        assert (tmp_path / f"joined{suffix}").read_bytes() == (tmp_path / f"all{suffix}").read_bytes()


def test_joining_refuses_another_dtype(tmp_path: Path) -> None:
    write(tmp_path / "wide", DOCUMENTS, np.int32)
    with pytest.raises(InputError, match="holds int32"):
        join_token_files(tmp_path / "joined", [tmp_path / "wide"], np.uint16)
    assert not list(tmp_path.glob("joined*"))


def test_windows_are_slices_of_one_map(tmp_path: Path) -> None:
    file = write(tmp_path / "a", [list(range(10)), list(range(10, 21))])
    assert file.window(8, 4).tolist() == [8, 9, 10, 11]
    assert type(file.window(0, 4)) is np.ndarray
    assert np.shares_memory(file.window(0, 4), file.tokens)
    assert not file.tokens.flags.writeable
    # 21 ids hold five windows of 4 + 1: labels 1 … 20, each once.
    assert file.window_count(4) == 5
    assert file.window(16, 5).tolist() == [16, 17, 18, 19, 20]
    assert write(tmp_path / "b", []).window_count(4) == 0


def test_a_reader_travels_between_processes(tmp_path: Path) -> None:
    file = pickle.loads(pickle.dumps(write(tmp_path / "a", DOCUMENTS)))
    assert file.document(0).tolist() == DOCUMENTS[0]


@pytest.mark.parametrize("i", [-1, 4])
def test_no_such_document(tmp_path: Path, i: int) -> None:
    with pytest.raises(IndexError):
        write(tmp_path / "a", DOCUMENTS).document(i)


@pytest.mark.parametrize(
    ("suffix", "damage", "message"),
    [
        (".bin", lambda b: b[:-1], "11 bytes, but its index describes 12"),
        (".bin", lambda b: b + b"\0", "13 bytes, but its index describes 12"),
        (".idx", lambda b: b[:10], "too few for an index"),
        (".idx", lambda b: b[:-8], "bytes instead of"),
        (".idx", lambda b: b"X" + b[1:], "it begins with"),
        (".idx", lambda b: b[:9] + b"\2" + b[10:], "version 2"),
        (".idx", lambda b: b[:17] + b"\7" + b[18:], "dtype code 7"),
        (".bin", None, "missing"),
        (".idx", None, "missing"),
    ],
)
def test_damage_is_named(tmp_path: Path, suffix: str, damage: object, message: str) -> None:
    write(tmp_path / "a", DOCUMENTS)
    path = tmp_path / f"a{suffix}"
    if callable(damage):
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(InputError, match=message):
        TokenFile(tmp_path / "a")


@pytest.mark.parametrize(
    ("tokens", "lengths", "message"),
    [([1, 2], [1], "add up"), ([70_000], [1], "cannot hold"), ([-1], [1], "cannot hold")],
)
def test_a_writer_refuses_what_it_cannot_hold(
    tmp_path: Path, tokens: list[int], lengths: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message), open_token_writer(tmp_path / "a", np.uint16) as writer:
        writer.write(np.array(tokens), np.array(lengths))
    assert not list(tmp_path.iterdir())


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not int64"), open_token_writer(tmp_path / "a", np.int64):
        pass


def test_a_killed_writer_leaves_no_token_file(tmp_path: Path) -> None:
    """-9 in the middle of a rewrite: the stem has no index, so no reader takes half for whole."""
    write(tmp_path / "a", DOCUMENTS)
    program = (
        "import numpy as np, sys, pathlib\n"
        "from siku_tokenize.tokenfile import open_token_writer\n"
        "with open_token_writer(pathlib.Path(sys.argv[1]), np.uint16) as writer:\n"
        "    writer.write(np.arange(1000), np.array([1000]))\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    with pytest.raises(InputError, match="missing"):
        TokenFile(tmp_path / "a")
    assert write(tmp_path / "a", DOCUMENTS).document(0).tolist() == DOCUMENTS[0]
