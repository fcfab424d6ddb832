"""The client for asyncio. See `client.Client`: it does the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Any

import grpc
from tritonclient.grpc.aio import InferenceServerClient

from triptych_client.connection import Connection
from triptych_client.errors import TriptychClientError
from triptych_client.request import ClipSource, path_of, prepare
from triptych_client.results import Analysis, InOrder, Outcome


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
        if self._version is None:
            with self._errors(None, self.timeout_s):
                metadata: Any = await self._triton.get_server_metadata(client_timeout=self.timeout_s)
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
        version = await self.triton_version()
        deadline = self._deadline(timeout_s)
        with self._errors(request.path, deadline):
            result: Any = await self._triton.infer(**request.arguments(deadline))
        return request.analysis(result, version)

    async def stream(
        self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any
    ) -> AsyncIterator[Outcome]:
        """Analyse many clips, at most `concurrency` at a time; see `Client.stream`.

        Closing the iterator (`aclose`) cancels the calls in flight.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be at least 1")
        numbered = enumerate(clips)
        pending: set[asyncio.Task[Outcome]] = set()
        try:
            while True:
                for index, clip in islice(numbered, concurrency - len(pending)):
                    pending.add(asyncio.create_task(self._outcome(index, clip, options)))
                if not pending:
                    return
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in pending:
                task.cancel()

    async def map(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> AsyncIterator[Outcome]:
        """Do as `stream` does, with the outcomes in the order of the clips."""
        order = InOrder()
        async for outcome in self.stream(clips, concurrency=concurrency, **options):
            for ready in order.add(outcome):
                yield ready

    async def _outcome(self, index: int, clip: ClipSource, options: dict[str, Any]) -> Outcome:
        try:
            return Outcome(index, path_of(clip), analysis=await self.analyze(clip, **options))
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)
