"""How Triton, or gRPC in its place, says that a step or the whole of it is gone."""

from __future__ import annotations

import re

from grpc import StatusCode
from grpc.aio import AioRpcError

_BROKEN = re.compile(
    r"Stub process|is not healthy|is not ready|has no available versions|Socket closed|failed to connect"
)


def is_lost(error: AioRpcError) -> bool:
    """Tell whether an error of Triton's says that a process of it was or is gone."""
    status, words = error.code(), error.details() or ""
    return status is StatusCode.UNAVAILABLE or (status is StatusCode.INTERNAL and bool(_BROKEN.search(words)))
