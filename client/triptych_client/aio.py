"""The client for asyncio. See `client.Client`: it does the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice, takewhile
from typing import Any

import grpc
from tritonclient.grpc.aio import InferenceServerClient

from triptych_client.connection import LOOK_AHEAD, Connection, Deadline
from triptych_client.errors import InvalidRequest, TriptychClientError
from triptych_client.request import ClipSource, path_of, prepare
from triptych_client.results import Analysis, Outcome

Task = asyncio.Task[Outcome]


class AsyncClient(Connection):
    """A connection to a Triptych server, made and used inside one event loop; the arguments are `Connection`'s."""

    def _connect(self, credentials: grpc.ChannelCredentials | None) -> InferenceServerClient:
        return InferenceServerClient(self.url, creds=credentials)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._triton.close()

    async def triton_version(self) -> str:
        """Return the version of Triton, asked for once. Unavailable when no server answers."""
        return await self._triton_version(None, self._deadline())

    async def _triton_version(self, path: str | None, deadline: Deadline) -> str:
        if self._version is None:
            with self._errors(path, deadline):
                metadata: Any = await self._triton.get_server_metadata(client_timeout=deadline.left_s)
            self._version = str(metadata.version)
        return self._version

    async def analyze(
        self,
        clip: ClipSource,
        *,
        task: str = "transcribe",
        language: str | None = None,
        embeddings: bool = False,
        timeout_s: float | None = None,
    ) -> Analysis:
        """Return the emotion that a clip expresses; see `Client.analyze`. The clip is read in another thread."""
        request = await asyncio.to_thread(prepare, clip, task=task, language=language, embeddings=embeddings)
        deadline = self._deadline(timeout_s)
        version = await self._triton_version(request.path, deadline)
        with self._errors(request.path, deadline):
            result: Any = await self._triton.infer(**request.arguments(deadline.left_s))
        return request.analysis(result, version)

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
                return Outcome(index, path_of(clip), analysis=await self.analyze(clip, **options))
        except InvalidRequest:
            raise
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)


async def _any_done(pending: list[Task]) -> list[Task]:
    return list((await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED))[0])


async def _leading_done(pending: list[Task]) -> list[Task]:
    await asyncio.wait(pending[:1])
    return list(takewhile(asyncio.Task.done, pending))
