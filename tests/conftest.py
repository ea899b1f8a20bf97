"""Fixtures of all rooms."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from siku_manifests.errors import InputError
from siku_manifests.packages import fetch_package

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch or numpy reads it: equal bytes, and no fight for cores

settings.register_profile("siku", deadline=None)  # a shared machine is slow now and then; speed is no test
settings.load_profile("siku")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def package() -> Callable[[str, str], Path]:
    """Fetch a package's archive by spec and sha256; only a registry out of reach is a reason to skip."""

    def fetched(spec: str, sha256: str) -> Path:
        try:
            return fetch_package(spec, sha256)
        except InputError as error:
            if "registry cannot be reached" not in str(error):
                raise
            pytest.skip(str(error))

    return fetched


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real raw samples that lie beside a founder's checkout and are never committed."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder of raw samples beside the repository, which a user's clone does not have")
    return folder


@pytest.fixture(scope="session")
def shared_tokenizers() -> Path:
    """SentencePiece models for comparison, kept beside a founder's checkout."""
    folder = REPOSITORY.parent / "shared" / "tokenizers"
    if not folder.is_dir():
        pytest.skip("needs the folder of tokenizers beside the repository, which a user's clone does not have")
    return folder
