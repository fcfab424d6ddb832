"""Messages of Triton's protocol that the door writes, or adds to.

A serialised protobuf message may be followed by another of its type: a reader merges the two, and joins repeated fields
(https://protobuf.dev/programming-guides/encoding/#last-one-wins). So a list gets one more entry, and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tritonclient.grpc import service_pb2

_MESSAGES: Any = service_pb2  # its classes are made when it is imported


def with_extensions(metadata: bytes, extensions: Iterable[str]) -> bytes:
    """Return a serialised ServerMetadataResponse with further extensions."""
    return metadata + _MESSAGES.ServerMetadataResponse(extensions=[*extensions]).SerializeToString()


def ready(is_ready: bool) -> bytes:
    """Return a serialised ServerReadyResponse."""
    return _MESSAGES.ServerReadyResponse(ready=is_ready).SerializeToString()


def live() -> bytes:
    """Return a serialised ServerLiveResponse: whoever answers is alive."""
    return _MESSAGES.ServerLiveResponse(live=True).SerializeToString()


def model_not_ready() -> bytes:
    """Return a serialised ModelReadyResponse."""
    return _MESSAGES.ModelReadyResponse(ready=False).SerializeToString()
