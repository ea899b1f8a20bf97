"""The order in which training reads windows: a pure function of (seed, epoch, position).

Nothing is stored and nothing is shuffled: `WindowOrder.at(epoch, position)` computes which window of which
source comes there, in a few microseconds, whatever the size of the corpus. A run that stopped needs one
integer to go on, and any worker can compute any part of the order.

How it is made:

    position --π(seed, epoch)--> slot                 slots of one source lie side by side, `draws` of them
    slot -> source, draw k    draw k + epoch × draws  counts a source's draws through all epochs
    draw -> pass, place       pass = draw // windows  a source starts over only when it is used up
    place --π(seed, source, pass)--> window

π is a keyed permutation of 0 … n - 1: a Feistel network over the next even number of bits, applied again
while the result is ≥ n ("cycle walking": the domain is < 4 n, so under four rounds on average).

Source: Black, Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from siku_manifests.errors import RecipeError

ROUNDS = 6
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Share:
    """What one source contributes to an epoch of the mixture.

    Attributes:
        source: its name.
        windows: windows that it has.
        draws: windows drawn from it in an epoch.
        asked: share of the windows that weights and temperature ask for, 0 … 1.
        realised: share that it gets after the cap, 0 … 1.
    """

    source: str
    windows: int
    draws: int
    asked: float
    realised: float

    @property
    def epochs(self) -> float:
        """How often an epoch of the mixture reads the source."""
        return self.draws / self.windows


class Permutation:
    """A keyed permutation of 0 … size - 1, computed one value at a time.

    Args:
        size: number of values, at least 1.
        key: 64 bits; another key, another permutation.
    """

    def __init__(self, size: int, *, key: int) -> None:
        self.size = size
        self._half = np.uint64(max(1, (max(1, size - 1).bit_length() + 1) // 2))
        self._mask = np.uint64((1 << int(self._half)) - 1)
        self._keys = np.array(
            [xxhash.xxh3_64_intdigest(key.to_bytes(8, "little"), seed=i) for i in range(ROUNDS)], np.uint64
        )

    def _walk(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values >> self._half, values & self._mask
        for key in self._keys:
            mixed = (right + key) * _MIX
            mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(32))) & self._mask)
        return (left << self._half) | right

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Map values of 0 … size - 1; same shape, and every result comes from one value only."""
        out = self._walk(values.astype(np.uint64))
        outside = np.flatnonzero(out >= self.size)
        while len(outside):
            out[outside] = self._walk(out[outside])
            outside = outside[out[outside] >= self.size]
        return out.astype(np.int64)


def _key(seed: int, *parts: object) -> int:
    return xxhash.xxh3_64_intdigest("\0".join(map(str, (seed, *parts))).encode())


def mixture_shares(
    windows: Mapping[str, int],
    weights: Mapping[str, float],
    *,
    temperature: float = 1.0,
    epoch_cap: float | None = None,
    draws: int | None = None,
) -> tuple[Share, ...]:
    """Decide how many windows of each source an epoch of the mixture draws.

    A source's asked share is proportional to weight × windows ** (1 / temperature): at temperature 1 and
    equal weights, its share of the text; a higher temperature evens sources out. A source is read at most
    `epoch_cap` times in an epoch of the mixture; what the cap takes goes to the others.

    Args:
        windows: windows of each source; sources without one are left out.
        weights: factor of each source, ≥ 0; 1 where a source is not named.
        temperature: > 0.
        epoch_cap: most passes over one source, > 0.
        draws: windows in an epoch of the mixture; as many as there are by default.

    Raises:
        RecipeError: no window at all, or no source has weight.

    Example: mixture_shares({"a": 30, "b": 10}, {"b": 3.0}) -> a: 20 draws, b: 20 draws (2 epochs)
    """
    names = [name for name, count in windows.items() if count > 0]
    counts = np.array([windows[name] for name in names], np.float64)
    mass = np.array([weights.get(name, 1.0) for name in names]) * counts ** (1.0 / temperature)
    if not names or mass.sum() <= 0:
        msg = "No source has a window and a weight above 0; give more text, a shorter length or weights."
        raise RecipeError(msg)
    total = int(counts.sum()) if draws is None else draws
    ceiling = np.full(len(names), np.inf) if epoch_cap is None else np.floor(counts * epoch_cap)
    wanted = np.zeros(len(names))
    open_ = mass > 0
    while open_.any():  # at most once per source: each round closes the sources that reach their ceiling
        wanted[open_] = (total - wanted[~open_].sum()) * mass[open_] / mass[open_].sum()
        over = open_ & (wanted > ceiling)
        if not over.any():
            break
        wanted[over] = ceiling[over]
        open_ &= ~over
    drawn = _round_to_sum(wanted)
    asked = mass / mass.sum()
    return tuple(
        Share(name, int(counts[i]), int(drawn[i]), float(asked[i]), float(drawn[i] / max(1, drawn.sum())))
        for i, name in enumerate(names)
    )


def _round_to_sum(wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round to whole numbers with the same sum: floors, then one more for the largest remainders."""
    floors = np.floor(wanted).astype(np.int64)
    missing = round(float(wanted.sum())) - int(floors.sum())
    floors[np.argsort(floors - wanted, kind="stable")[:missing]] += 1
    return floors


class WindowOrder:
    """Which window comes where, for every epoch.

    Args:
        shares: draws of each source, from `mixture_shares`.
        seed: from the recipe.
    """

    def __init__(self, shares: tuple[Share, ...], *, seed: int) -> None:
        self.shares = shares
        self.seed = seed
        self._ends = np.cumsum([share.draws for share in shares])
        self._passes: dict[tuple[int, int], Permutation] = {}

    def __len__(self) -> int:
        """Windows in one epoch of the mixture."""
        return int(self._ends[-1])

    def at(self, epoch: int, position: int) -> tuple[str, int]:
        """Give (source, window) at `position` of `epoch`.

        Example: at(0, 0) -> ("poetry", 1174)
        """
        sources, windows = self.span(epoch, np.array([position]))
        return self.shares[int(sources[0])].source, int(windows[0])

    def span(self, epoch: int, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the source number (place in `shares`) and the window of each position of `epoch`.

        Args:
            epoch: from 0.
            positions: shape (n,), 0 ≤ position < len(self).

        Returns:
            Two arrays of shape (n,), int64.
        """
        slots = Permutation(len(self), key=_key(self.seed, "epoch", epoch))(positions)
        sources = np.searchsorted(self._ends, slots, side="right")
        windows = np.empty_like(slots)
        for number in np.unique(sources):
            share = self.shares[number]
            mine = np.flatnonzero(sources == number)
            draws = slots[mine] - (self._ends[number] - share.draws) + epoch * share.draws
            for turn in np.unique(draws // share.windows):
                places = np.flatnonzero(draws // share.windows == turn)
                shuffle = self._pass(int(number), int(turn))
                windows[mine[places]] = shuffle(draws[places] % share.windows)
        return sources.astype(np.int64), windows

    def _pass(self, number: int, turn: int) -> Permutation:
        known = self._passes.get((number, turn))
        if known is None:
            share = self.shares[number]
            known = Permutation(share.windows, key=_key(self.seed, "pass", share.source, turn))
            self._passes[number, turn] = known
        return known
