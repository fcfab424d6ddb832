"""Messages of Triton's protocol that are passed on as bytes: what is added, is added at their end.

A serialised protobuf message may be followed by another of its type: a reader merges the two, and joins repeated fields
and maps (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So a clip of 64 MiB gets a parameter, and a
list one more entry, without being taken apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tritonclient.grpc import service_pb2

_MESSAGES: Any = service_pb2  # its classes are made when it is imported


def with_parameters(request: bytes, parameters: Mapping[str, int | str]) -> bytes:
    """Return a serialised ModelInferRequest with further request parameters; these count before its own."""
    more = _MESSAGES.ModelInferRequest()
    for name, value in parameters.items():
        if isinstance(value, int):
            more.parameters[name].int64_param = value
        else:
            more.parameters[name].string_param = value
    return request + more.SerializeToString()


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
