"""Documents -> vocabulary -> token files.

    from siku_tokenize import Encoder, TokenFile, WindowOrder

Names are imported when they are asked for, so that `siku tokens --help` needs neither numba nor pyarrow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siku_tokenize.encode import Encoder
    from siku_tokenize.order import WindowOrder, mixture_shares
    from siku_tokenize.tokenfile import TokenFile, write_token_file

__all__ = ["Encoder", "TokenFile", "WindowOrder", "mixture_shares", "write_token_file"]

_HOMES = {
    "Encoder": "siku_tokenize.encode",
    "TokenFile": "siku_tokenize.tokenfile",
    "WindowOrder": "siku_tokenize.order",
    "mixture_shares": "siku_tokenize.order",
    "write_token_file": "siku_tokenize.tokenfile",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
