"""Servers that are measured: started as child processes, asked in turn, ended with all that they started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
import numpy as np
from tritonclient.utils import deserialize_bytes_tensor

from benchmarks import load
from benchmarks.load import OK
from benchmarks.peers import environment
from benchmarks.peers.answers import unpacked
from triptych.errors import TriptychError
from triptych.paths import BUILD
from triptych.serving.host import free_port

START_S = 240.0
STOP_S = 30.0
NOT_YET = (404, 503)
"""Said of the clip's address before it is there; afterwards asking without a clip is an error of another kind."""
PATIENCE_S = 600.0
LOGS = BUILD / "benchmarks" / "peers-logs"
MODULES = {"LitServe": "lit_server", "Ray Serve": "ray_server"}

Answer = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Burst:
    """Clips asked for by callers who take turns: how long it took in all, and how long each was waited for."""

    seconds: float
    waits_s: tuple[float, ...]

    @property
    def a_second(self) -> float:
        """Clips a second."""
        return len(self.waits_s) / self.seconds


class Peer(Protocol):
    """What answers clips."""

    name: str

    def answer(self, clip: bytes) -> Answer:
        """Return the tensors of the answer for a clip."""
        ...

    def burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        """Have a clip answered so often, by so many callers."""
        ...


Ask = Callable[[], Awaitable[object]]


async def take_turns(ask: Ask, clips: int, callers: int) -> Burst:
    """Let callers ask one after another until so many clips are answered."""
    left, waits = iter(range(clips)), []

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await ask()
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Burst(time.perf_counter() - began, tuple(waits))


@dataclass(frozen=True)
class Triptych:
    """The service, over gRPC."""

    url: str
    name: str = "Triptych"

    def answer(self, clip: bytes) -> Answer:
        """Return the tensors of the answer for a clip."""
        raw = load.tensors(asyncio.run(self._ask_once(load.message(clip))))
        texts = deserialize_bytes_tensor(raw["TEXTS"])
        return {"PROBABILITIES": np.frombuffer(raw["PROBABILITIES"], np.float32), "TEXTS": texts}

    async def _ask_once(self, body: bytes) -> bytes:
        async with load.channel(self.url) as opened:
            reply = await load.call(opened, body, PATIENCE_S)
        if reply.status != OK:
            raise TriptychError(f"{self.name} did not answer: {reply.status}: {reply.words}")
        return reply.answer

    def burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        """Have a clip answered so often, by so many callers."""
        body = load.message(clip)
        return asyncio.run(take_turns(lambda: self._ask_once(body), clips, callers))


@dataclass(frozen=True)
class OverHttp:
    """A peer behind HTTP: the clip is what is posted, the answer a file of tensors."""

    name: str
    url: str

    def answer(self, clip: bytes) -> Answer:
        """Return the tensors of the answer for a clip."""
        return unpacked(asyncio.run(self._once(clip)))

    def burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        """Have a clip answered so often, by so many callers."""
        return asyncio.run(self._burst(clip, clips, callers))

    async def _once(self, clip: bytes) -> bytes:
        async with _session() as session:
            return await self._post(session, clip)

    async def _burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        async with _session() as session:
            return await take_turns(lambda: self._post(session, clip), clips, callers)

    async def _post(self, session: aiohttp.ClientSession, clip: bytes) -> bytes:
        async with session.post(self.url, data=clip) as reply:
            if reply.status != 200:
                raise TriptychError(f"{self.name} did not answer: {reply.status}: {(await reply.text())[:500]}")
            return await reply.read()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))


@contextmanager
def serving(peer: str, python: Path, workers: int, threads: int) -> Iterator[OverHttp]:
    """Serve the graph behind a peer's server, until the end of the block; it is ready when the block begins."""
    port = free_port()
    module = f"benchmarks.peers.{MODULES[peer]}"
    command = [str(python), "-m", module, f"--port={port}", f"--workers={workers}", f"--threads={threads}"]
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{MODULES[peer]}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, env=environment.variables(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        name = f"{peer}, {workers} x {threads} thread{'s' if threads > 1 else ''}"
        found = OverHttp(name, f"http://127.0.0.1:{port}/predict")
        _wait(process, found.url, path)
        yield found
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when the server knows its address; what it loads after that, the first answer waits for."""
    deadline = time.monotonic() + START_S
    while not asyncio.run(_listens(url)):
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(encoding="utf-8", errors="replace")[-1000:]
            raise TriptychError(f"{' '.join(process.args[:3])} did not start: {words}")  # type: ignore[index]
        time.sleep(0.2)


async def _listens(url: str) -> bool:
    try:
        async with _session() as session, session.get(url) as reply:
            return reply.status not in NOT_YET
    except aiohttp.ClientError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that is of its session."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(STOP_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
