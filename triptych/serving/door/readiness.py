"""Readiness: whether clips can be answered now, and the wait until they can again."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from triptych.serving.supervision.state import State

NOTICE_SECONDS = 1.0
"""By then the supervision has seen that a process is gone: it looks every 0.2 s."""


class Readiness:
    """What the supervision last said; to be used within one event loop."""

    def __init__(self) -> None:
        self.state = State(False, "Triton is starting")
        self._is = {True: asyncio.Event(), False: asyncio.Event()}
        self._fault = asyncio.Event()
        self.change(self.state)

    def change(self, state: State) -> None:
        """Take what the supervision says now, and wake who waits for it."""
        if self.state.ready and state.loses:
            self._fault.set()
            self._fault = asyncio.Event()
        self.state = state
        self._is[state.ready].set()
        self._is[not state.ready].clear()

    async def fault(self) -> None:
        """Return when something breaks, from now on, that loses what is inside."""
        await self._fault.wait()

    async def within(self, seconds: float) -> bool:
        """Return as soon as clips can be answered, or after so many seconds; tell whether they can."""
        await self._until(True, seconds)
        return self.state.ready

    async def again(self, seconds: float) -> bool:
        """Do the same for whoever found a process gone, perhaps before the supervision did."""
        await self._until(False, NOTICE_SECONDS)
        return await self.within(seconds)

    async def _until(self, ready: bool, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._is[ready].wait(), seconds)
