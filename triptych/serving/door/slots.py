"""Shared memory where Triton reads large clips: the door writes each there once, in the place of a message to Triton.

By Triton's own protocol for it, which nobody but the door reaches. The regions are named as all of this Triton's, so
that they go with it (`triptych.serving.private`), and are made anew when it was started anew. What a clip leaves in one
is given back to the kernel as soon as it is answered.
"""

from __future__ import annotations

import asyncio
import io
import mmap
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

import structlog
from grpc.aio import AioRpcError
from tritonclient.grpc import service_pb2

from triptych.serving.door.losses import is_lost
from triptych.serving.private import SHARED_MEMORY
from triptych.serving.shared_memory import SLOTS

LARGE_BYTES = 1 << 20
"""What is smaller is as quick in a message."""

LOG = structlog.get_logger("triptych.door")

_MESSAGES: Any = service_pb2  # its classes are made when it is imported

Register = Callable[[bytes], Awaitable[bytes]]


class Triton(Protocol):
    """What is asked of the server: what the names of its regions begin with, and how often it was started."""

    @property
    def regions(self) -> str: ...  # noqa: D102

    @property
    def starts(self) -> int: ...  # noqa: D102


@dataclass
class Region:
    """One region: the file, and the mapping by which its pages are given back."""

    name: str
    file: io.FileIO
    mapping: mmap.mmap

    @classmethod
    def made(cls, name: str, size: int) -> Region:
        """Make one of this user alone; it takes pages as they are written."""
        path = SHARED_MEMORY / name
        file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "r+b")
        file.truncate(size)
        return cls(name, file, mmap.mmap(file.fileno(), size))

    def write(self, clip: memoryview) -> None:
        """Copy a clip to the beginning; OSError when memory is short."""
        done = 0
        while done < len(clip):
            done += os.pwrite(self.file.fileno(), clip[done:], done)

    def empty(self) -> None:
        """Give all pages back: what is read from now on is zeros."""
        self.mapping.madvise(mmap.MADV_REMOVE)

    def close(self) -> None:
        """Remove it; whoever has mapped it keeps it."""
        self.mapping.close()
        self.file.close()
        (SHARED_MEMORY / self.name).unlink(missing_ok=True)


@dataclass
class Slot:
    """The place of a region, and which start of Triton knows it."""

    region: Region | None = None
    start: int = 0


class Slots:
    """Regions of `size` bytes, one a clip, `shared_memory.SLOTS` of them; to be used within one event loop."""

    def __init__(self, triton: Triton, size: int) -> None:
        self._triton = triton
        self._size = size
        self._free = [Slot() for _ in range(SLOTS)]
        self._numbers = count()
        self._usable = True

    @asynccontextmanager
    async def holding(self, clip: memoryview | None, register: Register) -> AsyncIterator[str | None]:
        """Give the name of the region that a clip begins, as long as the block; None: send it, which always works.

        `register` asks Triton's SystemSharedMemoryRegister. AioRpcError when Triton is gone.
        """
        if clip is None or not LARGE_BYTES <= len(clip) <= self._size or not self._free or not self._usable:
            yield None
            return
        slot = self._free.pop()
        try:
            yield await self._filled(slot, clip, register)
        finally:
            asyncio.get_running_loop().run_in_executor(None, self._emptied, slot)

    def close(self) -> None:
        """Let all regions go, when no clip is in one."""
        for slot in self._free:
            if slot.region:
                slot.region.close()
        self._free.clear()

    async def _filled(self, slot: Slot, clip: memoryview, register: Register) -> str | None:
        """Copy a clip into a slot, and return the name by which Triton finds it; None when it will not."""
        try:
            region = await self._known(slot, register)
            await asyncio.to_thread(region.write, clip)
        except AioRpcError as error:
            if is_lost(error):
                raise
            self._usable = False
            LOG.warning("Triton takes no shared memory: large clips are sent to it", words=error.details())
            return None
        except OSError as error:
            LOG.warning("shared memory is short: a large clip is sent to Triton", words=error.strerror)
            return None
        return region.name

    async def _known(self, slot: Slot, register: Register) -> Region:
        """Return the slot's region; a new one when Triton was started anew since."""
        if slot.region and slot.start == self._triton.starts:
            return slot.region
        if slot.region:
            slot.region.close()
        start, slot.region = self._triton.starts, None
        region = Region.made(f"{self._triton.regions}clip-{next(self._numbers)}", self._size)
        message = _MESSAGES.SystemSharedMemoryRegisterRequest(
            name=region.name, key=f"/{region.name}", byte_size=self._size
        )
        try:
            await register(message.SerializeToString())
        except AioRpcError:
            region.close()
            raise
        slot.region, slot.start = region, start
        return region

    def _emptied(self, slot: Slot) -> None:
        """Empty a slot for the next clip."""
        if slot.region:
            slot.region.empty()
        self._free.append(slot)
