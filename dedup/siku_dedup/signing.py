"""Texts to signatures: what is made of a batch, and in which form a corpus keeps it.

Two documents can be compared only if their n-grams are of one length and their sources of one scope (all, those
of one snapshot, or one): each such kind is a `realm`, a number that salts hashes and band keys, so that documents
of different realms never meet.
"""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from siku_dedup import affine32, fss1
from siku_dedup.bands import Bands, band_keys, choose_bands
from siku_dedup.exact import hash_keys
from siku_dedup.keytext import key_points
from siku_dedup.ngrams import hash_ngrams
from siku_dedup.points import Points, row_cuts
from siku_dedup.shingles import hash_shingles
from siku_manifests.sections import Dedup, Profile

CHARACTERS: dict[Profile, int] = {
    "modern": 5,
    "web": 5,
    "encyclopedia": 5,
    "classical": 3,
    "poetry": 3,
    "dialogue": 5,
    "bitext": 5,
    "english": 12,
}
"""Characters in a shingle. One changed character spoils n shingles, so short texts want short ones: in a poem of
40 characters one variant leaves a similarity of 0.85 at n = 3 and 0.76 at n = 5. English letters say less each."""

Scheme = Literal["fss1", "datasketch"]
_BATCH_BYTES = 1 << 20


class Signer(NamedTuple):
    """All that decides the bits of a signature; kept beside every set of signatures."""

    scheme: Scheme
    permutations: int
    bands: Bands
    n: int
    realm: int = 0

    @classmethod
    def of(cls, dedup: Dedup, profile: Profile, *, source: int) -> "Signer":
        """The signer for a source of this profile, `source` being the number of its scope (`inputs.scopes`)."""
        n = dedup.characters.get(profile, CHARACTERS[profile])
        realm = n + (0 if dedup.scope == "global" else 64 * (source + 1))
        bands = choose_bands(dedup.permutations, threshold=dedup.threshold)
        return cls(dedup.scheme, dedup.permutations, bands, n, realm)

    def record(self) -> dict[str, str | int]:
        """What must be equal for two sets of signatures to be comparable, but for the realm."""
        version = fss1.VERSION if self.scheme == "fss1" else affine32.VERSION
        return {
            "scheme": self.scheme,
            "version": version,
            "permutations": self.permutations,
            "bands": self.bands.number,
            "rows": self.bands.rows,
        }


class SignedBatch(NamedTuple):
    """D signed documents in memory."""

    points: Points
    """Key texts."""
    hashes: NDArray[np.uint64]
    """Of the keys, shape (D, 2)."""
    signatures: NDArray[np.uint32]
    """Shape (D, K)."""
    bands: NDArray[np.uint64]
    """Band keys, shape (N, D)."""
    han: NDArray[np.int64]
    """Han characters of each text, shape (D,)."""


def sign_points(points: Points, signer: Signer) -> NDArray[np.uint32]:
    """Signatures of D key texts, shape (D, K)."""
    if signer.scheme == "fss1":
        return fss1.sign(hash_shingles(points, n=signer.n), permutations=signer.permutations)
    return affine32.sign(hash_ngrams(points, n=signer.n, name="sha1"), permutations=signer.permutations)


def sign_texts(column: pa.StringArray | pa.LargeStringArray, signer: Signer) -> SignedBatch:
    """Key, hash and signature of each text of a column.

    Raises:
        InputError: the column has nulls or is not of strings.
    """
    keys = key_points(column)
    signatures = np.empty((len(column), signer.permutations), np.uint32)
    for low, high in row_cuts(keys.points.starts, _BATCH_BYTES // 4):
        starts = keys.points.starts[low : high + 1]
        part = Points(keys.points.values[starts[0] : starts[-1]], starts - starts[0])
        signatures[low:high] = sign_points(part, signer)
    return SignedBatch(
        points=keys.points,
        hashes=hash_keys(keys.points, salt=_scope(signer)),
        signatures=signatures,
        bands=band_keys(signatures, signer.bands, salt=signer.realm),
        han=keys.han,
    )


def _scope(signer: Signer) -> int:
    """Equal keys are equal whatever n is; only the source may separate them."""
    return signer.realm // 64
