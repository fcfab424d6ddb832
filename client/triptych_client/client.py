"""The client for ordinary code. `aio.AsyncClient` is the same for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any

import grpc
from tritonclient.grpc import InferenceServerClient

from triptych_client.connection import Connection
from triptych_client.errors import TriptychClientError
from triptych_client.request import ClipSource, path_of, prepare
from triptych_client.results import Analysis, InOrder, Outcome


class Client(Connection):
    """A connection to a Triptych server; threads may share it. The arguments are those of `Connection`."""

    def _connect(self, credentials: grpc.ChannelCredentials | None) -> InferenceServerClient:
        return InferenceServerClient(self.url, creds=credentials)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        self._triton.close()

    def triton_version(self) -> str:
        """Return the version of Triton, asked for once. Unavailable when no server answers."""
        if self._version is None:
            with self._errors(None, self.timeout_s):
                metadata: Any = self._triton.get_server_metadata(client_timeout=self.timeout_s)
            self._version = str(metadata.version)
        return self._version

    def analyze(
        self,
        clip: ClipSource,
        *,
        task: str = "transcribe",
        language: str | None = None,
        embeddings: bool = False,
        timeout_s: float | None = None,
    ) -> Analysis:
        """Return the emotion that a clip expresses.

        `clip` is a path, the bytes of a media file, or a binary file object. `task` is transcribe or translate (into
        English); `language` is an ISO 639-1 code, None to have it recognised. With `embeddings` the answer carries the
        models' own representations. Raises the exceptions of `errors`; ValueError for an unknown task.
        """
        request = prepare(clip, task=task, language=language, embeddings=embeddings)
        version = self.triton_version()
        deadline = self._deadline(timeout_s)
        with self._errors(request.path, deadline):
            result: Any = self._triton.infer(**request.arguments(deadline))
        return request.analysis(result, version)

    def stream(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Analyse many clips, at most `concurrency` at a time, and yield each outcome as soon as it is there.

        `clips` is read as it is needed, so it may be endless. `options` are those of `analyze`. A clip that fails
        yields its error, and the rest go on. After leaving the loop early, the calls in flight end with the client.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be at least 1")
        numbered = enumerate(clips)
        pending: set[Future[Outcome]] = set()
        pool = ThreadPoolExecutor(concurrency, "triptych")
        try:
            while True:
                for index, clip in islice(numbered, concurrency - len(pending)):
                    pending.add(pool.submit(self._outcome, index, clip, options))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def map(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Do as `stream` does, with the outcomes in the order of the clips."""
        order = InOrder()
        for outcome in self.stream(clips, concurrency=concurrency, **options):
            yield from order.add(outcome)

    def _outcome(self, index: int, clip: ClipSource, options: dict[str, Any]) -> Outcome:
        try:
            return Outcome(index, path_of(clip), analysis=self.analyze(clip, **options))
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)
