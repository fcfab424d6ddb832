"""Client of Triptych: the emotion that a video clip expresses, from one gRPC call to Triton.

Names are imported when they are first used: the steps of the server import `triptych_client.contract` from here, and
must not pay for gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triptych_client.aio import AsyncClient
    from triptych_client.client import Client
    from triptych_client.connection import Limits
    from triptych_client.errors import (
        Cancelled,
        DeadlineExceeded,
        FolderInUse,
        ForeignClient,
        InvalidClip,
        InvalidRequest,
        ServerBusy,
        ServerError,
        TriptychClientError,
        Unauthenticated,
        Unavailable,
    )
    from triptych_client.results import Analysis, Outcome

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "AsyncClient",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "FolderInUse",
    "ForeignClient",
    "InvalidClip",
    "InvalidRequest",
    "Limits",
    "Outcome",
    "ServerBusy",
    "ServerError",
    "TriptychClientError",
    "Unauthenticated",
    "Unavailable",
]


_HOMES = {
    "AsyncClient": "aio",
    "Client": "client",
    "Limits": "connection",
    "Analysis": "results",
    "Outcome": "results",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
