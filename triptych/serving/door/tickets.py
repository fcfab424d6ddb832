"""Tickets: how a step learns that a caller has left, without Triton being told.

Triton 2.51 does not survive cancellations under load: its ensemble scheduler ends in a mutex that is held for ever. So
the door cancels nothing. It gives each clip a ticket, a request parameter that Triton hands to every step, and keeps a
board: a small file that the door writes and each step has mapped into memory, one byte a ticket. Before a step computes
it looks there.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

PARAMETER = "triptych_ticket"
REQUEST_ID = "request_id"
"""A second request parameter of the door's: the id by which logs name the call."""
VARIABLE = "TRIPTYCH_TICKETS"
"""Environment variable with the path of the board; without it nobody ever leaves."""
COUNT = 4096
"""More than are ever in flight at once."""
HERE, LEFT = 0, 1


class Tickets:
    """The door's side of the board at `path`."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(COUNT))
        self._board = _mapped(path, writable=True)
        self._free = list(range(COUNT))

    def take(self) -> int:
        """Return a free ticket, for a caller who is here; IndexError when all are taken."""
        ticket = self._free.pop()
        self._board[ticket] = HERE
        return ticket

    def leave(self, ticket: int) -> None:
        """Write down that a caller has left."""
        self._board[ticket] = LEFT

    def give_back(self, ticket: int) -> None:
        """Make a ticket free for another: only after Triton has answered, when no step can look for it any more."""
        self._free.append(ticket)


def has_left(parameters: Mapping[str, Any]) -> bool:
    """Tell whether the caller of a request with these parameters has left; False without a ticket of the door."""
    board, ticket = _board(), parameters.get(PARAMETER)
    return board is not None and isinstance(ticket, int) and 0 <= ticket < COUNT and board[ticket] == LEFT


@cache
def _board() -> mmap.mmap | None:
    path = os.environ.get(VARIABLE)
    return _mapped(Path(path), writable=False) if path else None


def _mapped(path: Path, writable: bool) -> mmap.mmap:
    with path.open("r+b" if writable else "rb") as file:
        return mmap.mmap(file.fileno(), COUNT, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
