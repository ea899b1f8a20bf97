"""Which documents hang together: union-find over edges, whose result does not depend on their order.

The root of a component is its smallest member. Source: Tarjan, van Leeuwen, Worst-case analysis of set union
algorithms, 1984 (path halving).
"""

import numpy as np
from numpy.typing import NDArray

from siku_manifests.kernels import kernel


def singletons(count: int) -> NDArray[np.int32]:
    """The parents of `count` documents that are each alone."""
    return np.arange(count, dtype=np.int32)


@kernel
def find(parent: NDArray[np.int32], row: int) -> int:  # pragma: no cover
    """The root of a document's component; shortens the path to it."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def unite(  # pragma: no cover
    parent: NDArray[np.int32], left: NDArray[np.int32], right: NDArray[np.int32]
) -> None:
    """Join the components of each pair."""
    for i in range(len(left)):
        a, b = find(parent, left[i]), find(parent, right[i])
        if a < b:
            parent[b] = a
        else:
            parent[a] = b


@kernel
def roots(parent: NDArray[np.int32]) -> NDArray[np.int32]:  # pragma: no cover
    """The root of each document; shape that of `parent`."""
    out = np.empty(len(parent), np.int32)
    for row in range(len(parent)):
        out[row] = find(parent, row)
    return out


@kernel
def all_pairs(  # pragma: no cover
    members: NDArray[np.int32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Every pair of two members of one group, smaller first."""
    count = 0
    for g in range(len(starts) - 1):
        size = starts[g + 1] - starts[g]
        count += size * (size - 1) // 2
    left, right = np.empty(count, np.int32), np.empty(count, np.int32)
    out = 0
    for g in range(len(starts) - 1):
        for i in range(starts[g], starts[g + 1]):
            for j in range(i + 1, starts[g + 1]):
                left[out] = min(members[i], members[j])
                right[out] = max(members[i], members[j])
                out += 1
    return left, right


@kernel
def leader_pairs(  # pragma: no cover
    members: NDArray[np.int32], position: int, parent: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The pairs of the member at `position` with all later ones that are not in its component yet."""
    leader = members[position]
    root = find(parent, leader)
    left = np.empty(len(members) - position, np.int32)
    right = np.empty(len(members) - position, np.int32)
    out = 0
    for j in range(position + 1, len(members)):
        if find(parent, members[j]) != root:
            left[out] = min(leader, members[j])
            right[out] = max(leader, members[j])
            out += 1
    return left[:out], right[:out]
