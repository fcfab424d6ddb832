"""Errors of a server and of gRPC, as a user reads them. The messages are those of Triton 2.51 and gRPC."""

from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from triptych_client.call import Call, Deadline
from triptych_client.errors import (
    DeadlineExceeded,
    InvalidClip,
    InvalidRequest,
    ServerBusy,
    ServerError,
    TriptychClientError,
    Unauthenticated,
    Unavailable,
    from_rpc,
)
from triptych_client.peer import Peer

URL = "localhost:8001"
NO_WAY = "failed to connect to all addresses; last error: "
REFUSED = f"{NO_WAY}UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused"


def translate(status: str, message: str, peer: Peer = Peer(URL), **trailing: str) -> TriptychClientError:  # noqa: B008
    behind = Metadata(*((key.replace("_", "-"), value) for key, value in trailing.items()))
    error = AioRpcError(grpc.StatusCode[status], Metadata(), behind, message)
    return from_rpc(error, peer, Call(Deadline.after(300), "af01", "clip.mp4"))


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
        ("UNAVAILABLE", "Server is stopping", Unavailable, "see whether it is ready (request id af01)"),
        ("UNAVAILABLE", f"{NO_WAY}UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", Unavailable, "whether it wants TLS"),
        ("UNAVAILABLE", f"{NO_WAY}UNKNOWN: Tls handshake failed", Unavailable, "Tls handshake failed"),
        (
            "RESOURCE_EXHAUSTED",
            "SERVER: Received message larger than max (104857673 vs. 67174400)",
            InvalidClip,
            "clip.mp4: the clip is a message of 100 MiB; the server at localhost:8001 takes at most 64.06 MiB",
        ),
        ("UNAUTHENTICATED", "no", Unauthenticated, "wants a token; give it as token=, by --token-file"),
        ("UNIMPLEMENTED", "the parameter language is 'xx'", InvalidRequest, "the parameter language is 'xx'"),
        ("UNIMPLEMENTED", "Method not found!", ServerError, "is no Triptych"),
        ("UNIMPLEMENTED", "ModelStreamInfer is not passed on", ServerError, "is no Triptych"),
        ("UNIMPLEMENTED", "", ServerError, "is no Triptych"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceeded, "clip.mp4: no answer within 300 s"),
        (
            "INTERNAL",
            "[request id: <id_unknown>] in ensemble 'emotion', fusion: KeyError: 'x'",
            ServerError,
            "clip.mp4: the server at localhost:8001 failed: fusion: KeyError: 'x' (request id af01)",
        ),
        ("NOT_FOUND", "Request for unknown model: 'emotion' is not found", ServerError, "is no Triptych"),
        ("INVALID_ARGUMENT", "unexpected inference output 'X' for model 'emotion'", ServerError, "is no Triptych"),
        ("UNKNOWN", "", ServerError, "no reason given"),
    ],
)
def test_errors_say_what_to_do(status: str, message: str, kind: type[Exception], says: str):
    error = translate(status, message)
    assert type(error) is kind
    assert says in str(error)
    assert "ensemble" not in str(error)
    assert error.request_id == "af01"


def test_reason_leaves_the_path_out():
    error = translate("INVALID_ARGUMENT", "in ensemble 'emotion', no video and no sound")
    assert error.path == "clip.mp4"
    assert error.reason == "no video and no sound"


@pytest.mark.parametrize(
    ("hint", "retry_after_s", "says"),
    [
        ("2500", 2.5, "try again in 2.5 s"),
        ("-1", None, "a few seconds"),
        ("soon", None, "a few"),
        (None, None, "a few"),
    ],
)
def test_a_hint_when_to_ask_again_is_kept(hint: str | None, retry_after_s: float | None, says: str):
    trailing = {} if hint is None else {"grpc_retry_pushback_ms": hint}
    busy = translate("RESOURCE_EXHAUSTED", "12 waiting", **trailing)
    assert isinstance(busy, ServerBusy)
    assert busy.retry_after_s == retry_after_s
    assert says in str(busy)


def test_a_server_that_will_be_ready_says_when():
    error = translate("UNAVAILABLE", "being mended", grpc_retry_pushback_ms="15000")
    assert isinstance(error, Unavailable)
    assert error.retry_after_s == 15
    assert str(error) == "the server at localhost:8001 is not ready (being mended); try again in 15 s"


def test_a_token_that_was_sent_is_not_asked_for():
    assert "does not accept the token" in str(translate("UNAUTHENTICATED", "no", Peer(URL, has_token=True)))
