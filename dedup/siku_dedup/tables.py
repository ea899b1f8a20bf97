"""What was decided, as tables: who is a duplicate of whom, and how similar the compared pairs are."""

import numpy as np
import pyarrow as pa

from siku_dedup.clusters import Clusters
from siku_dedup.jaccard import jaccard
from siku_dedup.parts import SignedParts
from siku_dedup.survivors import EXACT, NEAR, Verdicts


def duplicates_table(signed: SignedParts, verdicts: Verdicts) -> pa.Table:
    """Every duplicate by row, with the survivor and the similarity of the two."""
    rows = np.flatnonzero((verdicts.fate == EXACT) | (verdicts.fate == NEAR))
    survivors = verdicts.survivor[rows]
    similarity = np.ones(len(rows))
    near = np.flatnonzero(verdicts.fate[rows] == NEAR)
    for low in range(0, len(near), 4096):
        part = near[low : low + 4096]
        needed, places = np.unique(np.concatenate([survivors[part], rows[part]]), return_inverse=True)
        similarity[part] = jaccard(
            signed.points(needed), places[: len(part)], places[len(part) :], n=signed.n[rows[part]]
        )
    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "duplicate_of": signed.id_column(survivors),
            "similarity": pa.array(similarity, pa.float64()),
        }
    )


def pairs_table(signed: SignedParts, found: Clusters) -> pa.Table:
    """Every pair that passed the gate, with both similarities."""
    verified = found.verified
    return pa.table(
        {
            "left": signed.id_column(verified.left),
            "right": signed.id_column(verified.right),
            "left_row": pa.array(verified.left, pa.int64()),
            "right_row": pa.array(verified.right, pa.int64()),
            "estimate": pa.array(verified.estimate.astype(np.float64), pa.float64()),
            "exact": pa.array(verified.exact.astype(np.float64), pa.float64()),
        }
    )
