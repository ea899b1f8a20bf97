"""The extended vocabulary, beside the usual merge script and transformers' own conversion.

    python benchmarks/tokenizer.py [--check] [--corpus FOLDER]

On the sample's corpus (built first if it is not), in one run:

    making        seconds and memory of the whole stage, against a bar for 50 MB of text
    compression   tokens on validation documents, against a vocabulary of the same size made the usual way:
                  SentencePiece BPE on the same Han runs, every piece that the base lacks appended with score 0
    fidelity      lines without Chinese characters that keep the base's ids; new pieces that can be reached
    export        lines on which AutoTokenizer gives sentencepiece's ids, against LlamaTokenizer made by
                  transformers from the same tokenizer.model
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sentencepiece
from peer_kit.environment import PEERS_PYTHON, REPOSITORY, make_peers
from token_kit.environment import build_sample, sample_recipe
from transformers import AutoTokenizer

from siku_manifests.pool import run_range
from siku_manifests.stage import Context, load_function
from siku_tokenize.build import load_base, read_sample
from siku_tokenize.encode import Encoder
from siku_tokenize.learn import LONGEST_PIECE, han_lines, train_pieces, write_lines
from siku_tokenize.modelfile import Kind, Model, Piece, extend_model, read_model
from siku_tokenize.prove import CHINESE, hostile_lines, unreachable
from siku_tokenize.stages import TOKENIZER

CONVERTED = REPOSITORY / "benchmarks" / "token_kit" / "converted.py"
SECONDS_BAR, GIGABYTES_BAR, BAR_MEGABYTES = 180.0, 4.0, 50.0
TOKENS_BAR = 0.98
EXPORT_LINES = 10_000
ENGLISH_LINES = 25_000
Claim = tuple[str, bool]


def texts_of(corpus: Path, split: str) -> dict[str, pa.Array]:
    """All texts of a split by source."""
    found: dict[str, list[pa.Array]] = {}
    for shard in sorted((corpus / split).glob("*.parquet")):
        texts = pq.read_table(shard, columns=["text"])["text"].combine_chunks()
        found.setdefault(shard.stem.rsplit("-", 1)[0], []).append(texts)
    return {source: pa.concat_arrays(parts) for source, parts in found.items()}


def make_ours(context: Context) -> tuple[Model, Claim]:
    """The stage's `learn` phase, in this process, with its time and memory."""
    phase = TOKENIZER.phases[0]
    (range_,) = load_function(phase.plan)(context)
    begun = time.perf_counter()
    run_range(context, phase, range_)
    seconds = time.perf_counter() - begun
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    model = read_model(context.part(phase.name, 0) / "tokenizer.model")
    megabytes = sum(size for _, size in read_sample(context).sources.values()) / 1e6
    per_bar = seconds * BAR_MEGABYTES / megabytes
    line = (
        f"making {len(model.pieces):,} pieces from {megabytes:.1f} MB: {seconds:.1f} s and {gigabytes:.2f} GB,"
        f" which is {per_bar:.0f} s for {BAR_MEGABYTES:.0f} MB; bars {SECONDS_BAR:.0f} s, {GIGABYTES_BAR:.0f} GB"
    )
    return model, (line, per_bar <= SECONDS_BAR and gigabytes <= GIGABYTES_BAR)


def make_usual(context: Context, base: Model, size: int) -> Model:
    """The usual merge: a BPE model of the same text, its unknown pieces appended with score 0 in their order."""
    known = {piece.text for piece in base.pieces}
    with tempfile.TemporaryDirectory() as scratch:
        lines, prefix = Path(scratch) / "lines.txt", Path(scratch) / "usual"
        write_lines(han_lines(read_sample(context).texts), lines)
        train_pieces(lines, prefix, size=2 * size, longest=LONGEST_PIECE)
        learned = [piece.text for piece in read_model(prefix.with_suffix(".model")).pieces if piece.kind is Kind.NORMAL]
    characters = [text for text in learned if len(text) == 1 and text not in known]
    merges = [text for text in learned if len(text) > 1 and text not in known]
    room = size - len(base.pieces) - len(characters)  # a trainer asked for that size keeps every character
    return extend_model(base, [Piece(text, 0.0) for text in [*merges[:room], *characters]])


def count_tokens(model: Model, texts: pa.Array) -> int:
    """Tokens by our encoder, which equals sentencepiece on models of both kinds."""
    return len(Encoder(model).encode_batch(texts)[0])


def compression_claims(base: Model, ours: Model, usual: Model, held_out: dict[str, pa.Array]) -> list[Claim]:
    """Tokens against the base and the usual merge, by source; the bar stands for all Chinese sources together."""
    claims: list[Claim] = []
    totals = [0, 0, 0]
    for source, texts in held_out.items():
        tokens = [count_tokens(model, texts) for model in (base, ours, usual)]
        characters = pc.sum(pc.utf8_length(texts)).as_py()
        if tokens[0] == tokens[1]:
            claims.append((f"tokens on {source}: the base's, {tokens[0] / characters:.3f} a character", True))
            continue
        totals = [total + count for total, count in zip(totals, tokens, strict=True)]
        line = (
            f"tokens a character on {source}: base {tokens[0] / characters:.3f}, ours {tokens[1] / characters:.3f}"
            f" ({tokens[1] / tokens[0] - 1:+.1%}), usual merge {tokens[2] / characters:.3f},"
            f" ratio {tokens[1] / tokens[2]:.3f}"
        )
        claims.append((line, True))
    ratio = totals[1] / totals[2]
    line = f"tokens on all Chinese sources: ours {totals[1]:,}, usual merge {totals[2]:,}, ratio {ratio:.3f}"
    return [*claims, (f"{line}, bar {TOKENS_BAR} at most", ratio <= TOKENS_BAR)]


def fidelity_claims(base: Model, ours: Model, usual: Model, english: Sequence[str]) -> list[Claim]:
    """What must not change, and what must be in reach."""
    expected, found = (reference(model).encode(list(english)) for model in (base, ours))
    same = sum(a == b for a, b in zip(expected, found, strict=True))
    untouched = ours.pieces[: len(base.pieces)] == base.pieces
    lost = [len(unreachable(model, first=len(base.pieces))) for model in (ours, usual)]
    return [
        (
            f"lines without Chinese with the base's ids: {same:,} of {len(english):,}, bar all of at least"
            f" {ENGLISH_LINES:,}; the base's {len(base.pieces):,} pieces are {'untouched' if untouched else 'CHANGED'}",
            same == len(english) >= ENGLISH_LINES and untouched,
        ),
        (f"new pieces out of reach: ours {lost[0]}, bar 0; usual merge {lost[1]}", lost[0] == 0),
    ]


def reference(model: Model) -> sentencepiece.SentencePieceProcessor:
    """Sentencepiece itself."""
    return sentencepiece.SentencePieceProcessor(model_proto=model.raw)


def export_claim(folder: Path, lines: list[str]) -> Claim:
    """Equal ids through transformers, ours and its own."""
    model = folder / "tokenizer.model"
    expected = sentencepiece.SentencePieceProcessor(model_file=str(model)).encode(lines)
    ours = AutoTokenizer.from_pretrained(folder)(lines)["input_ids"]
    with tempfile.TemporaryDirectory() as scratch:
        asked = Path(scratch) / "lines.json"
        asked.write_text(json.dumps(lines), encoding="utf-8")
        command = [PEERS_PYTHON, CONVERTED, model, asked]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    equal = [sum(a == b for a, b in zip(found, expected, strict=True)) / len(lines) for found in (ours, peer)]
    line = (
        f"tokenizer.json gives sentencepiece's ids on {equal[0]:.2%} of {len(lines):,} lines, bar 100 %;"
        f" transformers' conversion on {equal[1]:.2%}"
    )
    return line, equal[0] == 1.0


def some_lines(texts: dict[str, pa.Array], count: int, *, keep: Callable[[str], bool] = bool) -> list[str]:
    """The first lines of every source in turn."""
    each = -(-count // max(1, len(texts)))
    found: list[str] = []
    for array in texts.values():
        lines: list[str] = []
        for text in array:
            lines += [line for line in text.as_py().splitlines() if keep(line)]
            if len(lines) >= each:
                break
        found += lines[:each]
    return found[:count]


def measure(corpus: Path) -> list[Claim]:
    """All claims."""
    make_peers()
    recipe = sample_recipe()
    held_out, train = texts_of(corpus, "validation"), texts_of(corpus, "train")
    with tempfile.TemporaryDirectory(prefix="siku-tokenizer-") as scratch:
        context = Context(recipe=recipe, folder=Path(scratch), parents={"corpus": corpus})
        ours, making = make_ours(context)
        base = load_base(recipe.tokenizer)
        usual = make_usual(context, base, recipe.tokenizer.size)
        english = [
            line
            for texts in train.values()
            for line in some_lines({"": texts}, 2 * ENGLISH_LINES, keep=lambda line: not CHINESE.search(line))
        ]
        lines = some_lines(train, EXPORT_LINES) + some_lines(held_out, EXPORT_LINES)
        lines = lines[: EXPORT_LINES - 2000] + hostile_lines(2000, seed=7)
        return [
            making,
            *compression_claims(base, ours, usual, held_out),
            *fidelity_claims(base, ours, usual, english),
            export_claim(context.part("learn", 0), lines),
        ]


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--corpus", type=Path, help="folder of a finished corpus stage, instead of the sample's")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build")
    options = parser.parse_args()
    claims = measure(options.corpus or build_sample(options.out, until="dedup")["corpus"])
    print("\n".join(f"{line}{'' if held else '  FALLS SHORT'}" for line, held in claims))
    sys.exit(options.check and not all(held for _, held in claims))


if __name__ == "__main__":
    main()
