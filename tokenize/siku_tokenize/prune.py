"""Choose the new pieces: start with too many, let go of what saves least, until the asked size is left.

All candidates and all new characters are put onto the base, the sample is encoded with that, and each new
piece is priced by what its loss would cost:

    gain(piece) = times it stands in the encoded sample × (tokens it would fall into without it − 1)

For a character that is count × (UTF-8 bytes − 1); for a merge, count × 1 as a rule. The piece of least gain
goes first, its count moves to the tokens that it falls into, and so on. A piece that another one is built
from is protected: it may go only if everything built from it can still be built another way. After each
round the sample is encoded afresh, since what is left recombines.

The pay is that rare characters make room for frequent words. Source: the merge-and-prune idea is that of
vocabulary trimming in unigram models (Kudo, Subword regularization, ACL 2018), carried over to merges.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_manifests.kernels import kernel
from siku_tokenize.encode import cut_batches
from siku_tokenize.kernel import encode_documents
from siku_tokenize.merging import NO_RANK
from siku_tokenize.modelfile import Piece
from siku_tokenize.tables import Tables, build_tables, find_pair

LONGEST = 64


@kernel
def derive(
    segment: NDArray[np.int32],
    n: int,
    made: NDArray[np.int32],
    alive: NDArray[np.bool_],
    pairs: NDArray[np.uint64],
    ranks: NDArray[np.int32],
) -> int:
    """Merge characters with the pieces that are alive; give the number of symbols left.

    Args:
        segment: symbols of the characters; the first n count; merged in place.
        n: at most LONGEST.
        made: out, the symbol of each merge in order; n − (symbols left) of them.
        alive: which symbols merging may make.
        pairs: the pair table.
        ranks: the order of merges.
    """
    merges = 0
    while True:
        best, best_rank, best_symbol = -1, NO_RANK, -1
        for i in range(n - 1):
            merged = find_pair(pairs, segment[i], segment[i + 1])
            if merged >= 0 and alive[merged] and ranks[merged] < best_rank:
                best, best_rank, best_symbol = i, ranks[merged], merged
        if best < 0:
            return n
        segment[best] = best_symbol
        made[merges] = best_symbol
        merges += 1
        n -= 1
        for i in range(best + 1, n):
            segment[i] = segment[i + 1]


def count_pieces(texts: pa.Array, tables: Tables, *, threads: int = 2) -> NDArray[np.int64]:
    """Encode texts and count each piece; shape (vocabulary,)."""

    def count(run: tuple[NDArray[np.uint8], NDArray[np.int64]]) -> NDArray[np.int64]:
        data, offsets = run
        out = np.empty(int(offsets[-1] - offsets[0]) + len(offsets), np.int32)
        lengths = encode_documents(data, offsets, tables, out)
        return np.bincount(out[: int(lengths.sum())], minlength=tables.vocabulary)

    total = np.zeros(tables.vocabulary, np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for counts in pool.map(count, cut_batches(texts)):
            total += counts
    return total


class Pruning:
    """One round: a vocabulary, its counts, and the letting go of pieces one by one.

    Args:
        pieces: base pieces, then the new ones.
        first: id of the first new piece; only pieces from here on can go.
        tables: of the pieces.
        counts: of each piece in the encoded sample.
        guaranteed: characters that stay whatever their gain.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        first: int,
        tables: Tables,
        counts: NDArray[np.int64],
        *,
        guaranteed: Set[str] = frozenset(),
    ) -> None:
        self._pieces, self._tables = pieces, tables
        self._counts = counts.copy()
        self.alive = np.ones(len(tables.ranks), np.bool_)
        self._segment = np.empty(LONGEST, np.int32)
        self._made = np.empty(LONGEST, np.int32)
        self._users: dict[int, set[int]] = {piece: set() for piece in range(first, len(pieces))}
        self._first = first
        self._uses: dict[int, set[int]] = {}
        self._parked: set[int] = set()
        for piece in range(first, len(pieces)):
            if not self._link(piece):
                self._drop(piece)
        self._heap = [
            (self._gain(piece), piece)
            for piece in self._users
            if self.alive[piece] and pieces[piece].text not in guaranteed
        ]
        heapq.heapify(self._heap)

    def _fall_apart(self, piece: int, *, without: int) -> tuple[list[int], set[int]]:
        """Encode a piece's characters without `without`; give what is left and the pieces made on the way."""
        text = self._pieces[piece].text
        n = len(text)
        for i, character in enumerate(text):
            self._segment[i] = self._tables.symbols[ord(character)]
        saved = self.alive[without]
        self.alive[without] = False
        left = derive(self._segment, n, self._made, self.alive, self._tables.pairs, self._tables.ranks)
        self.alive[without] = saved
        return self._segment[:left].tolist(), set(self._made[: n - left].tolist())

    def _link(self, piece: int) -> bool:
        """Note which new pieces this one is built from; False if it cannot be built."""
        text = self._pieces[piece].text
        if len(text) == 1:
            self._uses[piece] = set()
            return True
        left, made = self._fall_apart(piece, without=0)
        uses = {symbol for symbol in made if symbol != piece}
        uses |= {int(self._tables.symbols[ord(character)]) for character in text}
        self._uses[piece] = {symbol for symbol in uses if symbol >= self._first}
        for symbol in self._uses[piece]:
            self._users[symbol].add(piece)
        return left == [piece]

    def _unlink(self, piece: int) -> None:
        for symbol in self._uses.pop(piece):
            self._users[symbol].discard(piece)
            if symbol in self._parked:
                self._parked.remove(symbol)
                heapq.heappush(self._heap, (self._gain(symbol), symbol))

    def _parts(self, piece: int) -> tuple[list[int], int]:
        """Give the tokens that a piece falls into without it, and how many they are."""
        text = self._pieces[piece].text
        if len(text) == 1:
            return [], len(text.encode())
        parts, _ = self._fall_apart(piece, without=piece)
        return parts, len(parts)

    def _gain(self, piece: int) -> int:
        return int(self._counts[piece]) * (self._parts(piece)[1] - 1)

    def _drop(self, piece: int) -> None:
        self.alive[piece] = False

    def _can_go(self, piece: int) -> bool:
        users = self._users[piece]
        if users and len(self._pieces[piece].text) == 1:
            return False
        return all(self._fall_apart(user, without=piece)[0] == [user] for user in sorted(users))

    def let_go(self, count: int) -> int:
        """Drop up to `count` pieces, the least gain first; give how many went."""
        gone = 0
        while gone < count and self._heap:
            gain, piece = heapq.heappop(self._heap)
            if not self.alive[piece]:
                continue
            now = self._gain(piece)
            if now > gain:
                heapq.heappush(self._heap, (now, piece))
            elif self._can_go(piece):
                self._remove(piece)
                gone += 1
            else:
                self._parked.add(piece)
        return gone

    def _remove(self, piece: int) -> None:
        parts, _ = self._parts(piece)
        for part in parts:
            if part < len(self._counts):
                self._counts[part] += self._counts[piece]
        self._drop(piece)
        users = sorted(self._users[piece])
        self._unlink(piece)
        for user in users:
            self._unlink(user)
            self._link(user)


def prune_pieces(
    base: Sequence[Piece],
    new: Sequence[Piece],
    texts: pa.Array,
    *,
    keep: int,
    guaranteed: Set[str] = frozenset(),
    rounds: int = 6,
) -> list[Piece]:
    """Choose `keep` of the new pieces, those without which the sample would need most more tokens.

    Args:
        base: pieces that stay.
        new: candidates with their scores: characters and merges.
        texts: the sample.
        keep: how many to choose.
        guaranteed: at most `keep` characters that are chosen whatever their gain.
        rounds: how often the sample is encoded; the excess goes in as many parts.

    Returns:
        `keep` pieces in the order of `new`, fewer if there are not as many that can be built.
    """
    for left in range(rounds, 0, -1):
        pieces = [*base, *new]
        tables = build_tables(pieces, dummy_prefix=True)
        pruning = Pruning(pieces, len(base), tables, count_pieces(texts, tables), guaranteed=guaranteed)
        built = int(pruning.alive[len(base) : len(pieces)].sum())
        excess = built - keep
        if excess > 0:
            pruning.let_go(excess if left == 1 else -(-excess // 2))
        new = [piece for piece, alive in zip(new, pruning.alive[len(base) :], strict=False) if alive]
    return list(new)
