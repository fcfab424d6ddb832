"""Calls that go wrong, one and many: what is whose fault, how long it takes, and how far the clips are read ahead."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Condition
from typing import Any

import pytest

from samples.scripted_server import UNAVAILABLE, Refusal, ScriptedServer
from samples.silent_server import SilentServer
from triptych_client import (
    AsyncClient,
    Cancelled,
    Client,
    DeadlineExceeded,
    InvalidClip,
    InvalidRequest,
    Outcome,
    TriptychClientError,
    Unavailable,
)
from triptych_client.connection import LOOK_AHEAD

NO_SERVER = "127.0.0.1:1"
CLIP = b"\x00\x01\x02\xff"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP)
    return path


@pytest.fixture
def deaf() -> Iterator[str]:
    """The address of a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "{}:{}".format(*listener.getsockname())


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    with SilentServer() as server:
        yield server


@pytest.fixture
def refusing() -> Iterator[ScriptedServer]:
    """A server that says what it takes, and then takes nothing."""
    with ScriptedServer([Refusal(UNAVAILABLE, "Server is stopping")] * 99) as server:
        yield server


class Broken(io.RawIOBase):
    """A file object that fails as those of other libraries do."""

    name = "broken.mp4"

    def __init__(self, what: object) -> None:
        self.what = what

    def read(self, size: int = -1) -> Any:
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


def unreadable(clip: Path) -> dict[str, Any]:
    """Clips that cannot be read, by what the failure says of them."""
    closed, text = clip.open("rb"), clip.open(encoding="latin-1")
    closed.close()
    return {
        f"{clip}: cannot be read: read of closed file": closed,
        f"{clip}: cannot be read: read() gave str, not bytes; open the file with mode 'rb'": text,
        "a\0b.mp4: cannot be read: embedded null byte": "a\0b.mp4",
        "broken.mp4: cannot be read: the connection was reset": Broken(RuntimeError("the connection was reset")),
        "broken.mp4: cannot be read: KeyError": Broken(KeyError()),
        "broken.mp4: cannot be read: read() gave NoneType": Broken(None),
        "cannot be read: a clip is a path, bytes or a binary file object, and this is of type int": 7,
    }


def check_failures(outcomes: list[Outcome], said: list[str]) -> None:
    assert [outcome.index for outcome in outcomes] == list(range(len(said) + 1))
    for outcome, words in zip(outcomes, said):
        assert type(outcome.error) is InvalidClip, words
        assert str(outcome.error).startswith(words)
    assert type(outcomes[-1].error) is Unavailable, "the clips behind them go on"


def test_a_clip_that_cannot_be_read_yields_its_error(clip: Path, refusing: ScriptedServer):
    clips = unreadable(clip)
    with Client(refusing.url) as client:
        check_failures(list(client.map([*clips.values(), CLIP])), list(clips))


async def test_a_clip_that_cannot_be_read_yields_its_error_in_the_async_client(clip: Path, refusing: ScriptedServer):
    clips = unreadable(clip)
    async with AsyncClient(refusing.url) as client:
        check_failures([outcome async for outcome in client.map([*clips.values(), CLIP])], list(clips))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "summarise"}, "task is 'summarise'; it can be transcribe or translate"),
        ({"language": 7}, "language is 7; it is a code such as 'en'"),
        ({"timeout_s": 0}, "timeout_s is 0; it must be a positive number"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"concurrency": 0}, "concurrency is 0; it must be at least 1"),
    ],
)
async def test_a_wrong_argument_is_not_the_clips_fault(options: dict[str, Any], words: str):
    with Client(NO_SERVER) as client, pytest.raises(InvalidRequest, match=words) as caught:
        list(client.map([CLIP, CLIP], **options))
    assert isinstance(caught.value, ValueError)
    assert caught.value.path is None
    async with AsyncClient(NO_SERVER) as client:
        with pytest.raises(InvalidRequest, match=words):
            [outcome async for outcome in client.stream([CLIP], **options)]


def test_a_deadline_holds_on_the_first_call(deaf: str):
    with Client(deaf, timeout_s=5) as client, pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s"):
        client.analyze(CLIP, timeout_s=0.2)


async def test_a_deadline_holds_on_the_first_call_of_the_async_client(deaf: str):
    async with AsyncClient(deaf, timeout_s=5) as client:
        with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.2 s"):
            await client.analyze(CLIP, timeout_s=0.2)


def test_one_deadline_is_over_all_requests_of_a_call(silent: SilentServer):
    with Client(silent.url, timeout_s=2) as client, ThreadPoolExecutor() as pool:
        call = pool.submit(client.analyze, CLIP, timeout_s=5)
        assert silent.asked.wait(20)
        client.close()
        assert isinstance(call.exception(), Cancelled)
    for_version, for_clip = silent.remaining_s
    assert 2 < for_clip < for_version - silent.delay_s / 2


def test_a_cancelled_call_is_no_failure_of_the_server(silent: SilentServer, clip: Path):
    with Client(silent.url) as client, ThreadPoolExecutor() as pool:
        call = pool.submit(client.analyze, clip)
        assert silent.asked.wait(20)
        client.close()
        with pytest.raises(Cancelled, match=r"clip\.mp4: the call was cancelled before its answer came"):
            call.result()


async def test_a_cancelled_task_is_cancelled(silent: SilentServer):
    async with AsyncClient(silent.url) as client:
        task = asyncio.create_task(client.analyze(CLIP))
        assert await asyncio.to_thread(silent.asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class Slow(io.RawIOBase):
    """The first of endless clips, slower than a hundred others, if so many are read. `taken` counts them all."""

    def __init__(self) -> None:
        self.taken = self.read_others = 0
        self.changed = Condition()

    def clips(self) -> Iterator[io.RawIOBase]:
        self.taken += 1
        yield self
        while True:
            self.taken += 1
            yield Quick(self)

    def read(self, size: int = -1) -> bytes:
        with self.changed:
            self.changed.wait_for(lambda: self.read_others >= 100, timeout=0.3)
        return b""


class Quick(io.RawIOBase):
    def __init__(self, slow: Slow) -> None:
        self.slow = slow

    def read(self, size: int = -1) -> bytes:
        with self.slow.changed:
            self.slow.read_others += 1
            self.slow.changed.notify_all()
        return b""


def test_endless_clips_are_not_read_far_ahead_of_a_slow_one(refusing: ScriptedServer):
    slow = Slow()
    with Client(refusing.url) as client:
        outcomes = client.map(slow.clips(), concurrency=2)
        assert next(outcomes).index == 0
        assert slow.taken == LOOK_AHEAD * 2
        outcomes.close()


async def test_endless_clips_are_not_read_far_ahead_of_a_slow_one_in_the_async_client(refusing: ScriptedServer):
    slow = Slow()
    async with AsyncClient(refusing.url) as client:
        outcomes = client.map(slow.clips(), concurrency=2)
        assert (await anext(outcomes)).index == 0
        assert slow.taken == LOOK_AHEAD * 2
        await outcomes.aclose()


def test_a_stream_takes_as_many_clips_as_it_works_on(refusing: ScriptedServer):
    slow = Slow()
    with Client(refusing.url) as client:
        outcomes = client.stream(slow.clips(), concurrency=3)
        for count in range(5):
            assert next(outcomes).index > 0, "those behind the slow one do not wait for it"
            assert slow.taken <= 3 + count
        outcomes.close()


def outcome_types(clips: list[Any], run: Callable[..., Iterator[Outcome]]) -> list[type | None]:
    return [type(outcome.error) for outcome in run(clips, concurrency=2)]


def test_each_failure_of_many_is_its_own(clip: Path):
    with Client(NO_SERVER) as client:
        assert outcome_types([clip, "gone.mp4", b""], client.map) == [Unavailable, InvalidClip, InvalidClip]
        assert set(outcome_types([clip, "gone.mp4", b""], client.stream)) == {Unavailable, InvalidClip}


async def test_each_failure_of_many_is_its_own_in_the_async_client(clip: Path):
    async with AsyncClient(NO_SERVER) as client:
        outcomes = [outcome async for outcome in client.map([clip, "gone.mp4", b""], concurrency=2)]
    assert [type(outcome.error) for outcome in outcomes] == [Unavailable, InvalidClip, InvalidClip]


def test_no_server_is_told(clip: Path):
    with Client(NO_SERVER) as client, pytest.raises(Unavailable, match="no server at"):
        client.analyze(clip)


async def test_no_server_is_told_by_the_async_client(clip: Path):
    async with AsyncClient(NO_SERVER) as client:
        with pytest.raises(Unavailable, match="triptych serve"):
            await client.analyze(clip)


def test_unreadable_certificate_is_told(tmp_path: Path):
    with pytest.raises(TriptychClientError, match=r"ca\.pem: cannot be read"):
        Client(NO_SERVER, root_certificates=tmp_path / "ca.pem")
