"""What can go wrong with a call, as exceptions whose message says what to do about it."""

# ruff: noqa: N818  (the names are those of the conditions, as in gRPC)

from __future__ import annotations

import re

from tritonclient.utils import InferenceServerException

_WRAPPING = re.compile(r"^(\[request id: [^\]]*\] |in ensemble '[^']*', )+")
_QUEUE = re.compile(r"queue size|timeout expired|max_inflight", re.IGNORECASE)
_NO_CONNECTION = re.compile(
    r"Failed to connect to remote host|Connection refused|errors resolving|DNS resolution failed"
)
_OTHER_SERVER = re.compile(r"unknown model|unexpected inference (input|output)|unknown service|Method not found")


class TriptychClientError(Exception):
    """A call failed. `reason` says why in words; `path` is the clip's, where one clip is the cause."""

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path


class InvalidClip(TriptychClientError):
    """The clip cannot be analysed: missing, unreadable, without any stream, or over a limit of the server."""


class InvalidRequest(TriptychClientError, ValueError):
    """What was asked for cannot be done, whatever the clip: an argument of the call is wrong."""


class ServerBusy(TriptychClientError):
    """The server's queues are full; the same call may succeed a little later."""


class Unavailable(TriptychClientError):
    """No server answers at this address, or it is not ready."""


class DeadlineExceeded(TriptychClientError):
    """The answer did not come in time."""


class Cancelled(TriptychClientError):
    """The call was given up before its answer came, as when the client is closed meanwhile.

    With asyncio, whoever cancels a task or closes its client sees asyncio.CancelledError instead.
    """


class ServerError(TriptychClientError):
    """The server failed at something that is not the caller's fault."""


def from_triton(error: InferenceServerException, url: str, path: str | None, timeout_s: float) -> TriptychClientError:
    """Return the exception that stands for Triton's: by gRPC status, and for UNAVAILABLE by its words.

    Triton answers UNAVAILABLE both when a queue is full and when it cannot serve; gRPC also when nobody listens.
    """
    status = str(error.status() or "").removeprefix("StatusCode.")
    words = unwrapped(error.message() or "no reason given")
    if _OTHER_SERVER.search(words):
        return ServerError(f"the server at {url} is no Triptych of this client's version: {words}")
    if status == "INVALID_ARGUMENT":
        return InvalidClip(words, path)
    if status == "UNIMPLEMENTED" and error.message():
        return InvalidRequest(words)
    if status == "CANCELLED":
        return Cancelled("the call was cancelled before its answer came", path)
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"no answer within {timeout_s:g} s; allow more time or send fewer clips at once", path)
    if status == "RESOURCE_EXHAUSTED" or (status == "UNAVAILABLE" and _QUEUE.search(words)):
        return ServerBusy(
            f"the server is busy ({words}); try again in a few seconds, or send fewer clips at once", path
        )
    if status == "UNAVAILABLE":
        return _unavailable(words, url)
    return ServerError(f"the server at {url} failed: {words}", path)


def unwrapped(message: str) -> str:
    """Return a message of Triton without the request id and the names of the ensembles that it came through."""
    return _WRAPPING.sub("", message).strip()


def _unavailable(words: str, url: str) -> Unavailable:
    if _NO_CONNECTION.search(words):
        return Unavailable(f"no server at {url}; start one with `triptych serve`")
    return Unavailable(
        f"the server at {url} cannot answer ({words}); see whether it is ready, and whether it wants TLS"
    )
