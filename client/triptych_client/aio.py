"""The client for asyncio. See `client.Client`: it does the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from itertools import islice, takewhile
from typing import Any

import grpc
import grpc.aio

from triptych_client.call import MOST_WAITS, Call
from triptych_client.connection import LOOK_AHEAD, Connection, Limits, Options, ServerFacts, of_one
from triptych_client.errors import (
    ForeignClient,
    InvalidRequest,
    ServerBusy,
    SharedMemoryRefused,
    TriptychClientError,
    Unavailable,
)
from triptych_client.request import Ask, ClipSource, Request, check, path_of, prepare
from triptych_client.results import Analysis, Outcome

Task = asyncio.Task[Outcome]


class AsyncClient(Connection):
    """A connection to a Triptych server, made and used inside one event loop; the arguments are `Connection`'s.

    >>> import asyncio
    >>> from triptych_client import AsyncClient
    >>> async def channels():
    ...     async with AsyncClient("localhost:8001") as client:
    ...         return (await client.analyze("clip.mp4")).channels
    >>> list(asyncio.run(channels()))
    ['face', 'sound', 'voice', 'words']
    """

    def _connect(self, credentials: grpc.ChannelCredentials | None, options: Options) -> grpc.aio.Channel:
        self._loop = _running_loop()
        if credentials is None:
            return grpc.aio.insecure_channel(self._target, options)
        return grpc.aio.secure_channel(self._target, credentials, options)

    def _check_home(self) -> None:
        """Raise ForeignClient in another process or event loop than the client was made in."""
        super()._check_home()
        self._loop = self._loop or _running_loop()
        if _running_loop() is not self._loop:
            raise ForeignClient(
                "this client was made in another event loop, and cannot be used in this one: make a client in each "
                "(`async with AsyncClient(...)` inside the coroutine that asyncio.run is given)"
            )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def triton_version(self) -> str:
        """Return the version of Triton, asked for once. Unavailable when no server answers."""
        return (await self._known_server(self._call())).triton_version

    async def limits(self) -> Limits:
        """Ask the server what it accepts. Clips above it are refused before they are read."""
        return (await self._ask_server(self._call())).limits

    async def _known_server(self, call: Call) -> ServerFacts:
        return self._server or await self._ask_server(call)

    async def _ask_server(self, call: Call) -> ServerFacts:
        self._server = ServerFacts.of(await self._answer(self._server_metadata, b"", call))
        return self._server

    async def _answer(self, method: Callable[..., Awaitable[Any]], message: bytes, call: Call) -> Any:
        """Return a method's answer, asked again as long as the call waits for a server that is busy."""
        while True:
            try:
                with self._errors(call):
                    return await method(message, metadata=call.metadata, timeout=call.deadline.left_s)
            except (ServerBusy, Unavailable) as error:
                wait_s = call.wait_s(error)
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)

    async def analyze(
        self,
        clip: ClipSource,
        *,
        task: str = "transcribe",
        language: str | None = None,
        embeddings: bool = False,
        timeout_s: float | None = None,
        request_id: str | None = None,
    ) -> Analysis:
        """Return the emotion that a clip expresses; see `Client.analyze`. The clip is read in another thread."""
        asked = {"task": task, "language": language, "embeddings": embeddings}
        return await self._analyze(clip, 0, timeout_s=timeout_s, request_id=request_id, **asked)

    async def _analyze(
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
        await asyncio.to_thread(check, clip)
        server = await self._known_server(call)
        limit, shared = server.limits.max_clip_bytes, self._shares_memory(server)
        with closing(await asyncio.to_thread(prepare, clip, ask, limit, call.request_id, shared=shared)) as request:
            return request.analysis(await self._asked(request, call), server.triton_version)

    async def _asked(self, request: Request, call: Call) -> Any:
        """Return the server's answer to a request; where it takes no clip in memory, to one that holds the clip."""
        try:
            return await self._answer(self._model_infer, request.message, call)
        except SharedMemoryRefused as refusal:
            message = await asyncio.to_thread(self._in_full, request, refusal)
            return await self._answer(self._model_infer, message, call)

    def stream(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> AsyncIterator[Outcome]:
        """Analyse many clips, at most `concurrency` at a time; see `Client.stream`.

        Closing the iterator (`aclose`) cancels the calls in flight.
        """
        return self._outcomes(clips, concurrency, concurrency, _any_done, options)

    def map(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> AsyncIterator[Outcome]:
        """Do as `stream` does, with the outcomes in the order of the clips; see `Client.map`."""
        return self._outcomes(clips, concurrency, LOOK_AHEAD * concurrency, _leading_done, options)

    async def _outcomes(
        self,
        clips: Iterable[ClipSource],
        concurrency: int,
        most: int,
        done: Callable[[list[Task]], Awaitable[list[Task]]],
        options: dict[str, Any],
    ) -> AsyncIterator[Outcome]:
        """Yield outcomes as `done` picks them, with at most so many clips taken whose outcome is not yielded yet."""
        if concurrency < 1:
            raise InvalidRequest(f"concurrency is {concurrency}; it must be at least 1")
        numbered, turn = enumerate(clips), asyncio.Semaphore(concurrency)
        pending: list[Task] = []
        try:
            while True:
                for index, clip in islice(numbered, most - len(pending)):
                    pending.append(asyncio.create_task(self._outcome(index, clip, turn, options)))
                if not pending:
                    return
                for task in await done(pending):
                    pending.remove(task)
                    yield task.result()
        finally:
            for task in pending:
                task.cancel()

    async def _outcome(self, index: int, clip: ClipSource, turn: asyncio.Semaphore, options: dict[str, Any]) -> Outcome:
        try:
            async with turn:
                return Outcome(
                    index, path_of(clip), analysis=await self._analyze(clip, MOST_WAITS, **of_one(options, index))
                )
        except InvalidRequest:
            raise
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _any_done(pending: list[Task]) -> list[Task]:
    return list((await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED))[0])


async def _leading_done(pending: list[Task]) -> list[Task]:
    await asyncio.wait(pending[:1])
    return list(takewhile(asyncio.Task.done, pending))
