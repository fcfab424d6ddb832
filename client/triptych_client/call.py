"""One call of a user, whatever requests and waits it takes."""

from __future__ import annotations

import random
import re
import time
import uuid
from dataclasses import dataclass

from triptych_client.errors import InvalidRequest, ServerBusy, Unavailable
from triptych_client.protocol import LONGEST_ID

DEFAULT_TIMEOUT_S = 300.0

MOST_WAITS = 30
"""So often a clip of many waits for a busy server, if its deadline allows."""
SHORTEST_WAIT_S = 0.1

_ID = re.compile(r"[A-Za-z0-9._:/-]+")


@dataclass(frozen=True)
class Deadline:
    """Until when a call waits, over all the requests that it makes."""

    timeout_s: float
    end_s: float

    @classmethod
    def after(cls, timeout_s: float) -> Deadline:
        """Return the deadline of a call that begins now; InvalidRequest unless the time is positive."""
        if not timeout_s > 0:
            raise InvalidRequest(f"timeout_s is {timeout_s!r}; it must be a positive number of seconds")
        return cls(timeout_s, time.monotonic() + timeout_s)

    @property
    def left_s(self) -> float:
        """The seconds that are left, 0 when there are none."""
        return max(self.end_s - time.monotonic(), 0.0)


@dataclass
class Call:
    """What a user asked for once: all its requests are within one deadline, and have one id in the server's log."""

    deadline: Deadline
    request_id: str
    path: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    waits: int = 0
    """How often it may still wait for a server that is busy or being mended."""

    def wait_s(self, error: ServerBusy | Unavailable) -> float | None:
        """Return how long to wait before the same request is sent again; None when the error is the answer.

        That is the server's hint and up to half of it more, by chance: those refused together come back apart.
        """
        if error.retry_after_s is None or self.waits == 0:
            return None
        wait_s = max(error.retry_after_s, SHORTEST_WAIT_S) * random.uniform(1.0, 1.5)
        if wait_s >= self.deadline.left_s:
            return None
        self.waits -= 1
        return wait_s


def request_id(given: str | None) -> str:
    """Return the caller's id of a request, or a new one; InvalidRequest for what no log should hold."""
    if given is None:
        return uuid.uuid4().hex
    if not isinstance(given, str) or not _ID.fullmatch(given) or len(given) > LONGEST_ID:
        raise InvalidRequest(
            f"request_id is {given!r}; it has 1 to {LONGEST_ID} letters of ASCII, digits, and . _ : / - between them"
        )
    return given
