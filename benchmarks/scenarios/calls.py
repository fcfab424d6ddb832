"""Calls over gRPC that do not wait: LoadGen's way of asking. Requests are made once, answers are not decoded."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from types import TracebackType

import grpc

from benchmarks.load import CHANNEL_OPTIONS, METHOD, OK
from benchmarks.scenarios.loadgen import Done

PATIENCE_S = 600.0


class Caller:
    """Asks one service for clips, whose requests it holds; a context manager.

    At most `at_once` are asked for at a time, the others wait here: who has many clips at once is not obliged to knock
    with all of them. None: all that come, whatever becomes of them at the door.
    """

    def __init__(self, url: str, bodies: Sequence[bytes], at_once: int | None = None) -> None:
        self.statuses: Counter[str] = Counter()
        self._bodies = bodies
        self._channel = grpc.insecure_channel(url, CHANNEL_OPTIONS)
        self._ask = self._channel.unary_unary(METHOD)
        self._free = at_once
        self._held: deque[tuple[int, Done]] = deque()
        self._lock = threading.Lock()

    @property
    def failed(self) -> int:
        """How many calls had no answer."""
        return self.statuses.total() - self.statuses[OK]

    def ask(self, clip: int, done: Done) -> None:
        """Ask for the clip of a number; `done` is called when there is an answer, or none will come."""
        with self._lock:
            if self._free == 0:
                self._held.append((clip, done))
                return
            if self._free is not None:
                self._free -= 1
        self._send(clip, done)

    def _send(self, clip: int, done: Done) -> None:
        call = self._ask.future(self._bodies[clip], timeout=PATIENCE_S)
        call.add_done_callback(lambda ended: self._ended(ended.code().name, done))

    def _ended(self, status: str, done: Done) -> None:
        with self._lock:
            self.statuses[status] += 1
            following = self._held.popleft() if self._held else None
            if following is None and self._free is not None:
                self._free += 1
        if following:
            self._send(*following)
        done()

    def __enter__(self) -> Caller:
        grpc.channel_ready_future(self._channel).result(timeout=PATIENCE_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
