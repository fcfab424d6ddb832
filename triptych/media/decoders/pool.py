"""The decoders of one step: one at work, the next one ready, and an end for each that does not answer.

A decoder is for several clips (`bounds.CLIPS`), as long as nothing is wrong with them: such a clip is its last.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias, TypeVar

import numpy as np

from triptych.errors import TriptychError
from triptych.media.container import Data
from triptych.media.decoders import memory
from triptych.media.decoders.bounds import CLIPS, Bounds
from triptych.media.decoders.handles import Caller, Decoder, DiedError, Nursery
from triptych.media.decoders.messages import AnyReply, HostileReplyError, Task

LOG = logging.getLogger(__name__)

NOBODY = Caller()

READY = 2
"""The one at work, and the one that takes its place at once."""

T = TypeVar("T")
Read: TypeAlias = Callable[[AnyReply, np.ndarray], T]
"""Makes a result of a reply and of the memory that came with it, UINT8 [bytes]; HostileReplyError when they lie."""


class Pool:
    """The decoders of the step `name`. `died(cause)` is told of each that ended before it had answered.

    Not for several threads at once. A context manager, which ends them all.
    """

    def __init__(
        self, name: str, bounds: Bounds, result_bytes: int, died: Callable[[str], None] = lambda cause: None
    ) -> None:
        self.name = name
        self.bounds = bounds
        self.result_bytes = result_bytes
        self.died = died
        self.nursery = Nursery(bounds, result_bytes)
        if self.nursery.unfiltered:
            LOG.warning("%s: decoders run without a filter of system calls: %s", name, self.nursery.unfiltered)
        self.ready: deque[Decoder] = deque()
        self._refill()

    def run(self, task: Task, clip: Data, read: Read[T], caller: Caller = NOBODY) -> T:
        """Let a decoder do a task; return what `read` makes of its reply and of the memory for results.

        What that memory holds is good until the next call. DiedError when the decoder ended before it had answered, or
        `read` raises a HostileReplyError. One that somebody else has killed is replaced once: that says nothing of the
        clip.
        """
        with memory.copied(clip) as source:
            try:
                return self._attempt(task, source, read, caller)
            except DiedError as death:
                if death.cause != "lost":
                    raise
            return self._attempt(task, source, read, caller)

    def retire(self) -> None:
        """End the decoder that was at work last; the next is ready."""
        self.ready.popleft().close()
        try:
            self._refill()
        except (OSError, TriptychError):  # too many files or processes: whoever needs one will say so
            LOG.exception("%s: there is no further decoder", self.name)

    def close(self) -> None:
        """End all decoders."""
        for decoder in self.ready:
            decoder.close()
        self.ready.clear()
        self.nursery.close()

    def _attempt(self, task: Task, source: int, read: Read[T], caller: Caller) -> T:
        while self.ready and not self.ready[0].lives():
            self.retire()
        if not self.ready:
            self._refill()
        decoder = self.ready[0]
        try:
            decoder.begin(task, source)
            result = read(decoder.answer(self.bounds.wall_s, caller), decoder.results)
        except DiedError as death:
            self._end(decoder, death, caller)
            raise
        except HostileReplyError as error:
            self._end(decoder, DiedError("reply", str(error)), caller)
            raise DiedError("reply", str(error)) from error
        if decoder.clips >= CLIPS:
            self.retire()
        return result

    def _refill(self) -> None:
        """Have READY decoders, of a new nursery when somebody has ended it."""
        if not self.nursery.lives():
            self.nursery.close()
            self.nursery = Nursery(self.bounds, self.result_bytes)
        while len(self.ready) < READY:
            self.ready.append(self.nursery.fork())

    def _end(self, decoder: Decoder, death: DiedError, caller: Caller) -> None:
        """Say why a decoder ended without an answer, and have another."""
        self.died(death.cause)
        request = caller.request_id or "without an id"
        words = decoder.last_words()
        LOG.warning("%s: a decoder ended without an answer (%s), request %s\n%s", self.name, str(death), request, words)
        self.retire()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
