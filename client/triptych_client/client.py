"""The client for ordinary code. `aio.AsyncClient` is the same for asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice, takewhile
from typing import Any

import grpc
from tritonclient.grpc import InferenceServerClient

from triptych_client.connection import LOOK_AHEAD, Connection, Deadline
from triptych_client.errors import InvalidRequest, TriptychClientError
from triptych_client.request import ClipSource, path_of, prepare
from triptych_client.results import Analysis, Outcome


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
        return self._triton_version(None, self._deadline())

    def _triton_version(self, path: str | None, deadline: Deadline) -> str:
        if self._version is None:
            with self._errors(path, deadline):
                metadata: Any = self._triton.get_server_metadata(client_timeout=deadline.left_s)
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
        models' own representations. `timeout_s` is how long to wait, instead of the client's. Raises the exceptions of
        `errors`.
        """
        request = prepare(clip, task=task, language=language, embeddings=embeddings)
        deadline = self._deadline(timeout_s)
        version = self._triton_version(request.path, deadline)
        with self._errors(request.path, deadline):
            result: Any = self._triton.infer(**request.arguments(deadline.left_s))
        return request.analysis(result, version)

    def stream(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Analyse many clips, at most `concurrency` at a time, and yield each outcome as soon as it is there.

        `clips` is read as it is needed, so it may be endless. `options` are those of `analyze`; InvalidRequest when one
        of them is wrong. A clip that fails yields its error, and the rest go on. After leaving the loop early, the
        calls in flight end with the client.
        """
        return self._outcomes(clips, concurrency, concurrency, _any_done, options)

    def map(self, clips: Iterable[ClipSource], *, concurrency: int = 4, **options: Any) -> Iterator[Outcome]:
        """Do as `stream` does, with the outcomes in the order of the clips; while one is slow, LOOK_AHEAD bounds."""
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
                    pending.append(pool.submit(self._outcome, index, clip, options))
                if not pending:
                    return
                for future in done(pending):
                    pending.remove(future)
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, index: int, clip: ClipSource, options: dict[str, Any]) -> Outcome:
        try:
            return Outcome(index, path_of(clip), analysis=self.analyze(clip, **options))
        except InvalidRequest:
            raise
        except TriptychClientError as error:
            return Outcome(index, path_of(clip), error=error)


def _any_done(pending: list[Future[Outcome]]) -> list[Future[Outcome]]:
    return list(wait(pending, return_when=FIRST_COMPLETED).done)


def _leading_done(pending: list[Future[Outcome]]) -> list[Future[Outcome]]:
    wait(pending[:1])
    return list(takewhile(Future.done, pending))
