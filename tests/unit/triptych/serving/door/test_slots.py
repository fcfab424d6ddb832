"""Regions of shared memory for large clips: when there is one, what is done without, and what is left in it."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata
from tritonclient.grpc import service_pb2

from triptych.serving.door.slots import LARGE_BYTES, Slots
from triptych.serving.private import SHARED_MEMORY
from triptych.serving.shared_memory import SLOTS

CLIP = memoryview(b"\x01film" * LARGE_BYTES)


@dataclass
class Host:
    """What is asked of the server, and what it was told of regions; `error` is how it answers."""

    regions: str = field(default_factory=lambda: f"triptych-{secrets.token_hex(4)}_")
    starts: int = 1
    error: AioRpcError | None = None
    known: list[str] = field(default_factory=list)

    async def register(self, message: bytes) -> bytes:
        told = service_pb2.SystemSharedMemoryRegisterRequest.FromString(message)
        assert (told.key, told.byte_size) == (f"/{told.name}", len(CLIP))
        self.known.append(told.name)
        if self.error:
            raise self.error
        return b""

    def files(self) -> list[Path]:
        return sorted(SHARED_MEMORY.glob(f"{self.regions}*"))


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    for path in host.files():
        path.unlink()


def failing(code: grpc.StatusCode, words: str) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), words)


async def emptied(host: Host) -> None:
    while any(path.stat().st_blocks for path in host.files()):
        await asyncio.sleep(0.001)


async def test_a_clip_lies_at_the_beginning_of_a_region_and_is_gone_afterwards(host: Host):
    slots = Slots(host, len(CLIP))
    async with slots.holding(CLIP, host.register) as name:
        assert [name] == host.known
        (file,) = host.files()
        assert file.read_bytes() == CLIP
        assert file.stat().st_mode & 0o777 == 0o600
    await asyncio.wait_for(emptied(host), 20)
    async with slots.holding(CLIP[:LARGE_BYTES], host.register) as name:
        assert host.known[0] == name or len(host.known) == 2
    slots.close()


async def test_small_clips_and_more_than_there_are_regions_are_sent(host: Host):
    slots = Slots(host, len(CLIP))
    for sent in (None, CLIP[: LARGE_BYTES - 1], memoryview(bytes(CLIP) + b"x")):
        async with slots.holding(sent, host.register) as name:
            assert name is None
    async with AsyncExitStack() as stack:
        names = [await stack.enter_async_context(slots.holding(CLIP, host.register)) for _ in range(SLOTS + 1)]
    assert names == [*host.known, None]
    assert len(set(names)) == SLOTS + 1


async def test_a_triton_that_was_started_anew_gets_new_regions(host: Host):
    slots = Slots(host, len(CLIP))
    for start in (1, 2):
        host.starts = start
        async with AsyncExitStack() as stack:
            for _ in range(SLOTS):
                await stack.enter_async_context(slots.holding(CLIP, host.register))
        await asyncio.wait_for(all_free(slots), 20)
    assert len(set(host.known)) == len(host.known) == 2 * SLOTS


async def all_free(slots: Slots) -> None:
    while len(slots._free) < SLOTS:
        await asyncio.sleep(0.001)


async def test_a_triton_that_takes_none_is_asked_once(host: Host):
    slots = Slots(host, len(CLIP))
    host.error = failing(grpc.StatusCode.UNIMPLEMENTED, "client shared memory is off")
    for _ in range(2):
        async with slots.holding(CLIP, host.register) as name:
            assert name is None
    assert len(host.known) == 1


async def test_a_triton_that_is_gone_is_told_to_the_caller_and_asked_again(host: Host):
    slots = Slots(host, len(CLIP))
    host.error = failing(grpc.StatusCode.UNAVAILABLE, "failed to connect")
    with pytest.raises(AioRpcError):
        async with slots.holding(CLIP, host.register):
            pytest.fail("there is no Triton")
    host.error = None
    async with slots.holding(CLIP, host.register) as name:
        assert [name] == host.known[1:]
        assert [file.name for file in host.files()] == [name], "the one that Triton does not know is removed"


async def test_without_room_a_clip_is_sent(host: Host, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    slots = Slots(host, len(CLIP))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        async with slots.holding(CLIP, host.register) as name:
            assert name is None
    await asyncio.wait_for(all_free(slots), 20)
    async with slots.holding(CLIP, host.register) as name:
        assert name is not None
