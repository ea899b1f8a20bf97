"""The merged vocabulary: exactly the size asked for, the base untouched, every new piece in reach."""

from __future__ import annotations

import pyarrow as pa
import pytest
import sentencepiece

from siku_manifests.errors import RecipeError, VerificationError
from siku_tokenize.learn import learn_candidates
from siku_tokenize.merge import CHINESE_BLOCKS, check_size, count_characters, covering, merge_vocabulary, order_new
from siku_tokenize.modelfile import Model, Piece, extend_model
from siku_tokenize.prove import english_lines, prove_ids, prove_vocabulary, unreachable
from siku_tokenize.prune import count_pieces
from siku_tokenize.tables import build_tables


@pytest.fixture(scope="module")
def candidates(texts: pa.Array) -> list[str]:
    return learn_candidates(texts, count=150)


def reference(model: Model) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model.raw)


def tokens_of(model: Model, texts: pa.Array) -> int:
    return sum(map(len, reference(model).encode(texts.to_pylist())))


@pytest.mark.parametrize("size", [448, 512])
def test_exactly_the_size_asked_for(tiny: Model, texts: pa.Array, candidates: list[str], size: int) -> None:
    model = merge_vocabulary(tiny, candidates, texts, size=size)
    assert len(model.pieces) == size
    assert model.pieces[: len(tiny.pieces)] == tiny.pieces
    new = model.pieces[len(tiny.pieces) :]
    scores = [piece.score for piece in new]
    assert scores == sorted(set(scores), reverse=True)
    assert scores[0] < min(piece.score for piece in tiny.pieces if piece.score > -1e8)
    known = {piece.text for piece in model.pieces}
    assert len(known) == size
    assert all(known.issuperset(piece.text) for piece in new)
    for i in range(len(tiny.pieces), size):
        # Behind a line break no space is put in front, so that the piece stands alone.
        assert reference(model).encode("\n" + model.pieces[i].text)[-1] == i


def test_english_keeps_its_ids(tiny: Model, extended: Model, texts: pa.Array) -> None:
    english = english_lines(texts, 1000)
    assert len(english) == 5
    assert reference(extended).encode(english) == reference(tiny).encode(english)


def test_pruning_beats_taking_the_first_merges(tiny: Model, texts: pa.Array, candidates: list[str]) -> None:
    size = 576
    known = {piece.text for piece in tiny.pieces}
    characters = [character for character in count_characters(texts) if character not in known]
    merges = [text for text in candidates if text not in known]
    room = size - len(tiny.pieces) - len(characters)
    assert 10 < room < len(merges)
    plain = extend_model(tiny, order_new(tiny.pieces, merges[:room], characters))
    pruned = merge_vocabulary(tiny, candidates, texts, size=size)
    assert tokens_of(pruned, texts) < tokens_of(plain, texts) < tokens_of(tiny, texts)
    # What made room are the characters that occur once.
    assert sum("\u7000" <= piece.text <= "\u7020" for piece in pruned.pieces) < 15


def test_pieces_are_counted_as_sentencepiece_uses_them(extended: Model, texts: pa.Array) -> None:
    counts = count_pieces(texts, build_tables(extended.pieces, dummy_prefix=True))
    expected = [0] * len(extended.pieces)
    for ids in reference(extended).encode(texts.to_pylist()):
        for i in ids:
            expected[i] += 1
    assert counts.tolist() == expected


@pytest.mark.parametrize("kind", [{"joined": ("punctuation",)}, {"joined": ("digits",)}, {"algorithm": "unigram"}])
def test_other_candidates_keep_every_promise(tiny: Model, texts: pa.Array, kind: dict[str, object]) -> None:
    chapters = "第8章，" * 6
    verses = [f"{text}“五月{i % 32}日，{chapters}{text}——”\n" for i, text in enumerate(texts.to_pylist())]
    dated = pa.array([*verses, *texts.to_pylist()], pa.large_string())
    base = extend_model(tiny, order_new(tiny.pieces, [], "0123456789"))
    model = merge_vocabulary(base, learn_candidates(dated, count=200, **kind), dated, size=512)  # type: ignore[arg-type]
    new = {piece.text for piece in model.pieces[len(base.pieces) :]}
    prove_vocabulary(base, model)
    proof = prove_ids(base, model, dated, seed=4)
    assert proof.encoder_differences == 0
    assert proof.english_lines > 10
    assert any("，" in text and len(text) > 1 for text in new) == (kind.get("joined") == ("punctuation",))
    assert any(c.isdigit() for text in new for c in text) == (kind.get("joined") == ("digits",))


def test_coverage_guarantees_the_frequent_characters(tiny: Model, texts: pa.Array, candidates: list[str]) -> None:
    counts = count_characters(texts)
    assert covering(counts, 0.0) == []
    assert covering(counts, 1.0) == list(counts)
    some = covering(counts, 0.9)
    assert sum(counts[c] for c in some[:-1]) < 0.9 * sum(counts.values()) <= sum(counts[c] for c in some)
    free, bound = (
        {piece.text for piece in merge_vocabulary(tiny, candidates, texts, size=576, coverage=share).pieces}
        for share in (0.0, 1.0)
    )
    assert free.issuperset(covering(counts, 0.5))
    assert not free.issuperset(counts)
    assert bound.issuperset(counts)


def test_a_coverage_without_room_is_refused(tiny: Model, texts: pa.Array, candidates: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"character_coverage = 1.0 asks for \d+ new characters, .* room for 28"):
        merge_vocabulary(tiny, candidates, texts, size=448, coverage=1.0)


def test_candidates_that_cannot_be_spelled_are_left_out(tiny: Model, texts: pa.Array, candidates: list[str]) -> None:
    model = merge_vocabulary(tiny, ["明月\u2603", *candidates], texts, size=512)
    assert "明月\u2603" not in {piece.text for piece in model.pieces}


def test_the_same_input_gives_the_same_model(
    tiny: Model, texts: pa.Array, candidates: list[str], extended: Model
) -> None:
    again = merge_vocabulary(tiny, learn_candidates(texts, count=120), texts, size=len(extended.pieces))
    assert again.raw == extended.raw


def test_characters_of_chinese_blocks_by_frequency() -> None:
    counts = count_characters(pa.array(["月月山a。é😀かA", "月。"]))
    assert counts == {"月": 3, "。": 2, "山": 1}
    assert list(counts) == ["月", "。", "山"]
    assert all(first <= last for first, last in CHINESE_BLOCKS)


@pytest.mark.parametrize(
    ("size", "message"), [(500, "use 512"), (384, "leaves no room above the base's 4"), (33, "use 64")]
)
def test_impossible_sizes(tiny: Model, size: int, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        check_size(tiny, size)


def test_too_little_text_for_the_size(tiny: Model, texts: pa.Array, candidates: list[str]) -> None:
    with pytest.raises(RecipeError, match=r"the sample gives only \d+ new pieces; add text or ask for"):
        merge_vocabulary(tiny, candidates, texts, size=4096)


def test_what_the_usual_merge_breaks_is_found(alpaca: Model) -> None:
    lost = unreachable(alpaca, first=32_000)
    assert len(lost) > 600
    assert {"越来越", "意大利", "国务院"} <= set(lost)


def test_broken_promises_are_found(tiny: Model) -> None:
    def broken(*new: Piece) -> str:
        with pytest.raises(VerificationError) as error:
            prove_vocabulary(tiny, extend_model(tiny, new))
        return str(error.value)

    assert "not strictly decreasing" in broken(Piece("山", -9000), Piece("河", -9000))
    assert "山河 has a character that is no piece" in broken(Piece("山河", -9000))
    assert "山河湖 cannot be reached" in broken(
        *(Piece(text, -9000 - i) for i, text in enumerate(("山河湖", "山", "河", "湖")))
    )


def test_a_change_of_english_is_found(tiny: Model, texts: pa.Array) -> None:
    first, second = (tiny.pieces[i].text for i in reference(tiny).encode("The moonlight")[:2])
    changed = extend_model(tiny, [Piece(first + second, -9000.0)])
    with pytest.raises(VerificationError, match="English"):
        prove_ids(tiny, changed, texts, seed=0)


def test_a_proof_counts_what_it_compared(tiny: Model, extended: Model, texts: pa.Array) -> None:
    proof = prove_ids(tiny, extended, texts, seed=0)
    assert proof.new_pieces == len(extended.pieces) - len(tiny.pieces)
    assert proof.english_lines == 5
    assert proof.compared_lines > 4000
    assert proof.encoder_differences == 0
