"""What other thresholds would remove, from similarities that were computed anyway."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from siku_dedup.unionfind import roots, singletons, unite


def removed_at(
    left: NDArray[np.int64], right: NDArray[np.int64], exact: NDArray[np.float64], *, thresholds: Sequence[float]
) -> list[tuple[float, int]]:
    """(threshold, documents removed) in ascending order, for P verified pairs.

    Args:
        left: shape (P,), row of the one document.
        right: shape (P,), row of the other.
        exact: shape (P,), their similarity.
        thresholds: those to try. Below the one for which bands were laid out the number is a lower bound.
    """
    order = np.argsort(-exact, kind="stable")
    used, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    first, second = place[: len(order)][order].astype(np.int32), place[len(order) :][order].astype(np.int32)
    parent = singletons(len(used))
    curve = []
    done = 0
    for threshold in sorted(thresholds, reverse=True):
        until = int(np.searchsorted(-exact[order], -threshold, side="right"))
        unite(parent, first[done:until], second[done:until])
        done = until
        curve.append((threshold, len(used) - len(np.unique(roots(parent)))))
    return curve[::-1]
