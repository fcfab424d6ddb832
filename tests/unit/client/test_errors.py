"""Triton's errors, as a user reads them. The messages are those of Triton 2.51 and gRPC."""

from __future__ import annotations

import pytest
from tritonclient.utils import InferenceServerException

from triptych_client.errors import (
    DeadlineExceeded,
    InvalidClip,
    ServerBusy,
    ServerError,
    TriptychClientError,
    Unavailable,
    from_triton,
)

URL = "localhost:8001"
NO_WAY = "failed to connect to all addresses; last error: "
REFUSED = f"{NO_WAY}UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused"


def translate(status: str | None, message: str) -> TriptychClientError:
    error = InferenceServerException(message, status=status and f"StatusCode.{status}")
    return from_triton(error, URL, "clip.mp4", 300)


@pytest.mark.parametrize(
    ("status", "message", "kind", "says"),
    [
        (
            "INVALID_ARGUMENT",
            "in ensemble 'emotion', the clip is 93.2 s long; the limit is 60 s",
            InvalidClip,
            "clip.mp4: the clip is 93.2 s long; the limit is 60 s",
        ),
        (
            "UNAVAILABLE",
            "in ensemble 'emotion', [request id: 7] Exceeds maximum queue size",
            ServerBusy,
            "clip.mp4: the server is busy (Exceeds maximum queue size); try again in a few seconds, "
            "or send fewer clips at once",
        ),
        ("RESOURCE_EXHAUSTED", "out of memory", ServerBusy, "try again"),
        ("UNAVAILABLE", "Request timeout expired", ServerBusy, "try again"),
        ("UNAVAILABLE", REFUSED, Unavailable, "no server at localhost:8001; start one with `triptych serve`"),
        ("UNAVAILABLE", "errors resolving nowhere:1: Domain name not found", Unavailable, "no server at"),
        ("UNAVAILABLE", "Server is stopping", Unavailable, "the server at localhost:8001 cannot answer (Server is"),
        ("UNAVAILABLE", f"{NO_WAY}UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", Unavailable, "whether it wants TLS"),
        ("UNAVAILABLE", f"{NO_WAY}UNKNOWN: Tls handshake failed", Unavailable, "Tls handshake failed"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceeded, "clip.mp4: no answer within 300 s"),
        (
            "INTERNAL",
            "[request id: <id_unknown>] in ensemble 'emotion', fusion: KeyError: 'x'",
            ServerError,
            "clip.mp4: the server at localhost:8001 failed: fusion: KeyError: 'x'",
        ),
        ("NOT_FOUND", "Request for unknown model: 'emotion' is not found", ServerError, "is no Triptych"),
        ("INVALID_ARGUMENT", "unexpected inference output 'X' for model 'emotion'", ServerError, "is no Triptych"),
        (None, "", ServerError, "no reason given"),
    ],
)
def test_errors_say_what_to_do(status: str | None, message: str, kind: type[Exception], says: str):
    error = translate(status, message)
    assert type(error) is kind
    assert says in str(error)
    assert "ensemble" not in str(error)


def test_reason_leaves_the_path_out():
    error = translate("INVALID_ARGUMENT", "in ensemble 'emotion', no video and no sound")
    assert error.path == "clip.mp4"
    assert error.reason == "no video and no sound"
