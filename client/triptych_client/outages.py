"""Many clips through a server that may go away meanwhile, and come back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from triptych_client.errors import Unavailable
from triptych_client.results import Outcome

if TYPE_CHECKING:
    from triptych_client.client import Client
    from triptych_client.request import ClipSource

PATIENCE_S = 600.0
"""So long a run waits for a server that is gone: a host is started anew in less."""
PAUSE_S = 2.0

Numbered = tuple[int, "ClipSource"]


def stream(
    client: Client,
    clips: Iterable[ClipSource],
    *,
    concurrency: int,
    patience_s: float = PATIENCE_S,
    rest: Callable[[float], None] = time.sleep,
    **options: Any,
) -> Iterator[Outcome]:
    """Do as `Client.stream` does; clips that met no server are sent again when it is back.

    While it is away no further clip is taken. Unavailable when it stays away for `patience_s`; `rest` waits between two
    looks.
    """
    source = _Source(enumerate(clips))
    while True:
        for outcome in client.stream(source.until_lost(), concurrency=concurrency, **options):
            index, clip = source.sent.pop(outcome.index)
            if isinstance(outcome.error, Unavailable):
                source.lost.append((index, clip))
            else:
                yield replace(outcome, index=index)
        if not source.lost:
            return
        wait_for(client, patience_s, rest)


@dataclass
class _Source:
    """Where clips come from: those that were lost on the way first, then further ones."""

    coming: Iterator[Numbered]
    lost: list[Numbered] = field(default_factory=list)
    sent: dict[int, Numbered] = field(default_factory=dict)
    """Those on their way, by their number in this pass."""

    def until_lost(self) -> Iterator[ClipSource]:
        """Yield clips until one of them is lost."""
        again, self.lost, self.sent = deque(self.lost), [], {}
        for number in count():
            numbered = None if self.lost else again.popleft() if again else next(self.coming, None)
            if numbered is None:
                self.lost.extend(again)
                return
            self.sent[number] = numbered
            yield numbered[1]


def wait_for(client: Client, patience_s: float, rest: Callable[[float], None]) -> None:
    """Return when the server answers; Unavailable when it has not after `patience_s`."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            client.limits()
            return
        except Unavailable:
            if time.monotonic() >= end_s:
                raise
            rest(PAUSE_S)
