"""The client for ordinary code. `aio.AsyncClient` is the same for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from itertools import islice, takewhile
from threading import Event
from typing import Any

import grpc

from triptych_client.call import MOST_WAITS, Call
from triptych_client.connection import LOOK_AHEAD, Connection, Limits, Options, ServerFacts, of_one
from triptych_client.errors import InvalidRequest, ServerBusy, SharedMemoryRefused, TriptychClientError, Unavailable
from triptych_client.request import Ask, ClipSource, Request, check, path_of, prepare
from triptych_client.results import Analysis, Outcome

UNNOTICED_S = 0.5
"""A signal that comes just before the main thread begins to wait does not end the wait: so long it goes unnoticed."""


class Client(Connection):
    """A connection to a Triptych server; threads may share it. The arguments are those of `Connection`.

    >>> from triptych_client import Client
    >>> with Client("localhost:8001") as client:
    ...     answer = client.analyze("clip.mp4")
    >>> answer.emotion.label in answer.emotion.probabilities
    True
    """

    def _connect(self, credentials: grpc.ChannelCredentials | None, options: Options) -> grpc.Channel:
        self._closed = Event()
        if credentials is None:
            return grpc.insecure_channel(self._target, options)
        return grpc.secure_channel(self._target, credentials, options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._closed.set()
        self._channel.close()

    def triton_version(self) -> str:
        """Return the version of Triton, asked for once. Unavailable when no server answers."""
        return self._known_server(self._call()).triton_version

    def limits(self) -> Limits:
        """Ask the server what it accepts. Clips above it are refused before they are read.

        >>> from triptych_client import Client
        >>> with Client("localhost:8001") as client:
        ...     client.limits()
        Limits(max_clip_bytes=67108864, max_seconds=60.0)
        """
        return self._ask_server(self._call()).limits

    def known_limits(self) -> Limits:
        """Return what the server accepts, asked for once."""
        return self._known_server(self._call()).limits

    def _known_server(self, call: Call) -> ServerFacts:
        return self._server or self._ask_server(call)

    def _ask_server(self, call: Call) -> ServerFacts:
        self._server = ServerFacts.of(self._answer(self._server_metadata, b"", call))
        return self._server

    def _answer(self, method: Callable[..., Any], message: bytes, call: Call) -> Any:
        """Return a method's answer, asked again as long as the call waits for a server that is busy."""
        while True:
            try:
                with self._errors(call):
                    return method(message, metadata=call.metadata, timeout=call.deadline.left_s)
            except (ServerBusy, Unavailable) as error:
                wait_s = call.wait_s(error)
                if wait_s is None or self._closed.wait(wait_s):
                    raise

    def analyze(
        self,
        clip: ClipSource,
        *,
        task: str = "transcribe",
        language: str | None = None,
        embeddings: bool = False,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Analysis:
        """Return the emotion that a clip expresses.

        `clip` is a path, the bytes of a media file, or a binary file object. `task` is transcribe or translate (into
        English); `language` is an ISO 639-1 code, None to have it recognised. With `embeddings` the answer carries the
        models' own representations. `timeout_s` is how long to wait, instead of the client's. `request_id` is what the
        server's log calls this request, instead of an id made here. Raises the exceptions of `errors`.
        """
        asked = {"task": task, "language": language, "embeddings": embeddings}
        return self._analyze(clip, 0, timeout_s=timeout_s, request_id=request_id, **asked)

    def _analyze(
        self,
        clip: ClipSource,
        waits: int,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
        **asked: Any,
    ) -> Analysis:
        """Do as `analyze` does, waiting so many times for a server that is busy and hints when it is not."""
        ask = Ask(**asked)
        call = self._call(path_of(clip), timeout_s, request_id, waits)
        check(clip)
        server = self._known_server(call)
        limit, shared = server.limits.max_clip_bytes, self._shares_memory(server)
        with closing(prepare(clip, ask, limit, call.request_id, shared=shared)) as request:
            return request.analysis(self._asked(request, call), server.triton_version)

    def _asked(self, request: Request, call: Call) -> Any:
        """Return the server's answer to a request; where it takes no clip in memory, to one that holds the clip."""
        try:
            return self._answer(self._model_infer, request.message, call)
        except SharedMemoryRefused as refusal:
            return self._answer(self._model_infer, self._in_full(request, refusal), call)

    def stream(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Analyse many clips, at most `concurrency` at a time, and yield each outcome as soon as it is there.

        `clips` is read as it is needed, so it may be endless. `options` are those of `analyze`; InvalidRequest when one
        of them is wrong; a `request_id` gets the clip's number behind it. A clip that fails yields its error, and the
        rest go on. Where a busy server hints when to come back, a clip waits and is sent again, within its own
        `timeout_s`. After leaving the loop early, the calls in flight end with the client.
        """
        return self._outcomes(clips, concurrency, concurrency, _any_done, options)

    def map(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Do as `stream` does, with the outcomes in the order of the clips; while one is slow, LOOK_AHEAD bounds.

        >>> from triptych_client import Client
        >>> with Client("localhost:8001") as client:
        ...     for outcome in client.map(["clip.mp4", "gone.mp4"], concurrency=2):
        ...         print(outcome.path, outcome.error.reason if outcome.error else "answered")
        clip.mp4 answered
        gone.mp4 cannot be read: No such file or directory
        """
        return self._outcomes(clips, concurrency, LOOK_AHEAD * concurrency, _leading_done, options)

    def _outcomes(
        self,
        clips: Iterable[ClipSource],
        concurrency: int,
        most: int,
        done: Callable[[list[Future[Outcome]]], list[Future[Outcome]]],
        options: dict[str, Any],
    ) -> Iterator[Outcome]:
        """Yield outcomes as `done` picks them, with at most so many clips taken whose outcome is not yielded yet."""
        if concurrency < 1:
            raise InvalidRequest(f"concurrency is {concurrency}; it must be at least 1")
        numbered = enumerate(clips)
        pending: list[Future[Outcome]] = []
        pool = ThreadPoolExecutor(concurrency, "triptych")
        try:
            while True:
                for index, clip in islice(numbered, most - len(pending)):
                    # The caller's context goes along, and with it the trace that the call belongs to.
                    pending.append(pool.submit(copy_context().run, self._outcome, index, clip, options))
                if not pending:
                    return
                for future in done(pending):
                    pending.remove(future)
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, index: int, clip: ClipSource, options: dict[str, Any]) -> Outcome:
        try:
            return Outcome(index, path_of(clip), analysis=self._analyze(clip, MOST_WAITS, **of_one(options, index)))
        except InvalidRequest:
            raise
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)


def _any_done(pending: list[Future[Outcome]]) -> list[Future[Outcome]]:
    """Return those that are done, once one is; Ctrl-C ends the wait."""
    while not (done := wait(pending, UNNOTICED_S, FIRST_COMPLETED).done):
        pass
    return list(done)


def _leading_done(pending: list[Future[Outcome]]) -> list[Future[Outcome]]:
    """Return those that are done before the first that is not, once there are any; Ctrl-C ends the wait."""
    _any_done(pending[:1])
    return list(takewhile(Future.done, pending))
