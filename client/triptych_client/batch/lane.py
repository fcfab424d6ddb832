"""One piece at a server: asked again where that may help, with the reason, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from triptych_client import outages
from triptych_client.batch.pieces import Piece, packed
from triptych_client.errors import (
    Cancelled,
    DeadlineExceeded,
    InvalidClip,
    ServerBusy,
    ServerError,
    TriptychClientError,
    Unavailable,
)

if TYPE_CHECKING:
    from triptych_client.client import Client

MOST_ATTEMPTS = 5
"""A clip that ends the server each time must not end it for ever."""

PASSING = (Cancelled, DeadlineExceeded, ServerBusy, ServerError, Unavailable)
"""What may go better another time. Any other error but InvalidClip is that of every clip, and ends the job."""


@dataclass(frozen=True)
class Asked:
    """What is asked about each clip, as by `Client.analyze`."""

    task: str = "transcribe"
    language: str | None = None


@dataclass(frozen=True)
class Lane:
    """Asks `client`, one piece at a time; a server that goes away is waited for, `patience_s` long."""

    client: Client
    asked: Asked = Asked()
    patience_s: float = outages.PATIENCE_S
    rest: Callable[[float], None] = field(default=time.sleep, compare=False)

    def ask(self, piece: Piece) -> Piece:
        """Return a piece with its answer, or with why it has none; Unavailable when the server stays away."""
        if piece.error:
            return piece
        retries = list(piece.retries)
        without = replace(piece, data=b"")
        for attempt in range(1, MOST_ATTEMPTS + 1):
            error = self._once(piece)
            if isinstance(error, dict):
                return replace(without, retries=tuple(retries), **error)
            if not isinstance(error, PASSING) or attempt == MOST_ATTEMPTS:
                return replace(without, retries=tuple(retries), kind=type(error).__name__, error=error.reason)
            retries.append(f"{type(error).__name__}: {error.reason}")
            if isinstance(error, Unavailable):
                outages.wait_for(self.client, self.patience_s, self.rest)
        raise AssertionError("the last attempt returns")

    def _once(self, piece: Piece) -> dict[str, bytes] | TriptychClientError:
        looks = piece.is_film and self.client.known_limits().max_seconds is not None
        options = {"task": self.asked.task, "language": self.asked.language, "looks": looks}
        (outcome,) = self.client.stream([piece.data], concurrency=1, **options)
        if outcome.analysis is not None:
            return packed(outcome.analysis)
        error = outcome.error or ServerError("no answer and no error")
        if isinstance(error, (InvalidClip, *PASSING)):
            return error
        raise error
