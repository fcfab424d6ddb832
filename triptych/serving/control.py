"""Orders to a running `triptych serve`, by HTTP over a Unix socket in the folder that only its user may enter.

No caller of the door reaches it: who may give an order could as well stop the service, or write what it serves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from triptych.errors import TriptychError
from triptych.serving import private
from triptych.serving.embedded import MODELS
from triptych.serving.private import CONTROL

SWAP = "/swap"
PATIENCE_S = 600.0
"""A service that mends something first takes its time."""

Swap = Callable[[Path, Sequence[str]], Awaitable[str]]


@dataclass(frozen=True)
class Swapped:
    """What became of an exchange: why it was taken back, "" when it holds, and for how long clips waited."""

    reason: str
    seconds: float


def application(swap: Swap) -> web.Application:
    """Return the application that takes the orders; `swap(repository, steps)` returns why it was taken back."""

    async def swapped(request: web.Request) -> web.Response:
        told = await request.json()
        begun = time.monotonic()
        reason = await swap(Path(told["repository"]), told["steps"])
        return web.json_response({"reason": reason, "seconds": time.monotonic() - begun})

    app = web.Application()
    app.add_routes([web.post(SWAP, swapped)])
    return app


def find(repository: Path) -> Path:
    """Return the socket of this user's service over a repository; TriptychError when there is not exactly one."""
    private.sweep()
    found = [folder / CONTROL for folder in private.folders() if _serves(folder, repository.resolve())]
    if len(found) == 1:
        return found[0]
    if found:
        raise TriptychError(
            f"{len(found)} servers of this user serve {repository}, and each would have to be told: give each a "
            "repository of its own, or exchange the model between two starts, by triptych export --set"
        )
    raise TriptychError(
        f"no `triptych serve` of this user serves {repository}: start it, or choose the model for the next start by "
        "triptych export --set"
    )


def _serves(folder: Path, repository: Path) -> bool:
    with suppress(OSError):  # another user's
        return (folder / CONTROL).is_socket() and (folder / MODELS).resolve() == repository
    return False


async def ask_to_swap(socket: Path, repository: Path, steps: Sequence[str]) -> Swapped:
    """Ask a service to serve steps of another repository; TriptychError when it does not answer."""
    order = {"repository": str(repository.absolute()), "steps": list(steps)}
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(socket)), timeout=aiohttp.ClientTimeout(PATIENCE_S)
            ) as session,
            session.post(f"http://triptych{SWAP}", json=order, raise_for_status=True) as response,
        ):
            return Swapped(**await response.json())
    except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
        raise TriptychError(
            f"the server did not carry it out: {str(error) or type(error).__name__}. Nothing was changed in the "
            "repository that it serves; its log says more"
        ) from error
