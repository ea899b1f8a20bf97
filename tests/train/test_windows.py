"""Windows: every id is a label once, borders are respected, the order is a function of one integer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siku_manifests.errors import InputError
from siku_tokenize.tokenfile import write_token_file
from siku_train.loss import IGNORE
from siku_train.plan import Plan
from siku_train.windows import Reader, open_token_files, packed_example, restarting_positions, spread, window_count

EOS = 2
DOCUMENTS = st.lists(st.lists(st.integers(3, 90), max_size=12), min_size=1, max_size=12)


def test_the_example_of_the_documentation() -> None:
    made = packed_example(np.array([5, 6, 2, 7, 8]), length=4, eos=EOS)
    assert made["input_ids"].tolist() == [5, 6, 2, 7]
    assert made["position_ids"].tolist() == [0, 1, 2, 0]
    assert made["labels"].tolist() == [6, 2, IGNORE, 8]


def test_a_short_window_is_filled_with_places_that_are_not_learned() -> None:
    made = packed_example(np.array([5, 6]), length=4, eos=EOS)
    assert made["input_ids"].tolist() == [5, 6, EOS, EOS]
    assert made["labels"].tolist() == [6, IGNORE, IGNORE, IGNORE]


@given(DOCUMENTS)
def test_positions_count_within_documents(documents: list[list[int]]) -> None:
    ids = np.array([token for body in documents for token in (*body, EOS)])
    expected = [place for body in documents for place in range(len(body) + 1)]
    assert restarting_positions(ids, EOS).tolist() == expected


def test_an_id_of_another_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    file = write_token_file(tmp_path / "s", [np.array([5, 400, 2])], np.uint16)
    assert Reader({"s": file}, 4, EOS, 401).example("s", 0)["input_ids"].tolist() == [5, 400, 2, 2]
    with pytest.raises(InputError, match=r"s\.bin: holds the id 400 in window 0, but the tokenizer has 384 pieces"):
        Reader({"s": file}, 4, EOS, 384).example("s", 0)


@given(documents=DOCUMENTS, length=st.integers(1, 9))
def test_windows_together_learn_each_id_once(tmp_path_factory, documents: list[list[int]], length: int) -> None:
    bodies = [[*body, EOS] for body in documents]
    stem = tmp_path_factory.mktemp("tokens") / "source"
    file = write_token_file(stem, [np.array(body, np.uint16) for body in bodies], np.uint16)
    reader = Reader({"source": file}, length, EOS)
    labels: list[int] = []
    places = 0
    for window in range(window_count(file.token_count, length)):
        made = reader.example("source", window)
        assert all(tensor.shape == (length,) for tensor in made.values())
        labels += [label for label in made["labels"].tolist() if label != IGNORE]
        places += length
    # a document's first id has nothing before it, so it is the one id that is never a label
    assert labels == [token for body in bodies for token in body[1:]]
    assert places == file.token_count - 1 + reader.padding()


def test_an_epoch_reads_every_window_once(make_plan: Callable[..., Plan]) -> None:
    stream = make_plan().stream
    read = Counter(stream.place(position) for position in range(len(stream.order)))
    assert read == {(source, w): 1 for source, count in stream.reader.counts().items() for w in range(count)}
    assert [stream.place(i) for i in range(20)] != [stream.place(i + len(stream.order)) for i in range(20)]


def test_a_position_gives_the_same_window_whoever_asks(make_plan: Callable[..., Plan]) -> None:
    first, second = make_plan().stream, make_plan().stream
    for position in (7, 0, 7):
        for name, tensor in first[position].items():
            assert tensor.equal(second[position][name])


def test_a_folder_without_token_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="siku tokens"):
        open_token_files(tmp_path)


def test_spread() -> None:
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 8) == [0, 1, 2]
    assert spread(0, 8) == []
