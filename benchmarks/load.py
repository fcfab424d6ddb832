"""Callers of a served ensemble, as gRPC sees them: well-behaved, impatient, and those who vanish in the middle.

Requests are bytes that were made once, and answers are not decoded, so that the load costs little beside the server.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import av
import grpc
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse

from triptych.commands.demo import make_clip
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych_client import contract
from triptych_client.protocol import RETRY_AFTER_MS, SERVICE

METHOD = f"/{SERVICE}/ModelInfer"
OK, LEFT = "OK", "left"
REFUSED = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
LONGEST_MESSAGE = (1 << 31) - 1
CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # each channel is a connection of its own, as from another host
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_send_message_length", LONGEST_MESSAGE),
    ("grpc.max_receive_message_length", LONGEST_MESSAGE),
]


@dataclass(frozen=True)
class Reply:
    """What a call came to: gRPC's status, or `left` for one whose caller vanished; times by time.monotonic()."""

    began_s: float
    ended_s: float
    status: str
    words: str = ""
    hint_ms: int | None = None
    answer: bytes = b""

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return self.ended_s - self.began_s

    @property
    def refused(self) -> bool:
        """Whether the door did not let it in."""
        return self.status in REFUSED


def message(clip: bytes) -> bytes:
    """Return a request for everything that the answer holds of a clip."""
    tensor = contract.VIDEO
    request = ModelInferRequest(model_name=contract.ENSEMBLE, raw_input_contents=[clip])
    request.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=[len(clip)])
    for output in contract.ANSWER:
        request.outputs.add(name=output.name)
    return request.SerializeToString()


def tensors(answer: bytes) -> dict[str, bytes]:
    """Return the raw tensors of an answer by name."""
    response = ModelInferResponse.FromString(answer)
    return {output.name: raw for output, raw in zip(response.outputs, response.raw_output_contents)}


def short_clip(seconds: float = 3.0) -> bytes:
    """Return the first seconds of the demo clip: a face and speech, so that every step has work."""
    return part(make_clip(), {"video", "audio"}, seconds)


def part(path: Path, kinds: set[str], seconds: float = float("inf")) -> bytes:
    """Return the streams of these kinds, up to so many seconds, as a file of its own; nothing is encoded anew."""
    target = io.BytesIO()
    with av.open(str(path)) as source, av.open(target, "w", format="mp4") as sink:
        kept = [stream for stream in source.streams if stream.type in kinds]
        streams = {stream.index: sink.add_stream_from_template(stream) for stream in kept}
        for packet in source.demux(kept):
            if packet.dts is None or packet.dts * packet.time_base >= seconds:
                continue
            packet.stream = streams[packet.stream_index]
            sink.mux(packet)
    return target.getvalue()


@asynccontextmanager
async def channel(url: str) -> AsyncIterator[grpc.aio.Channel]:
    """Open a connection of its own."""
    async with grpc.aio.insecure_channel(url, CHANNEL_OPTIONS) as opened:
        yield opened


async def call(opened: grpc.aio.Channel, body: bytes, timeout_s: float) -> Reply:
    """Ask once."""
    began = time.monotonic()
    try:
        answer = await opened.unary_unary(METHOD)(body, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        hint = dict(error.trailing_metadata() or ()).get(RETRY_AFTER_MS)
        words = error.details() or ""
        return Reply(began, time.monotonic(), error.code().name, words, None if hint is None else int(hint))
    return Reply(began, time.monotonic(), OK, answer=answer)


async def vanish(url: str, body: bytes, timeout_s: float, after_s: float) -> Reply:
    """Ask, and close the connection in the middle."""
    began = time.monotonic()
    async with channel(url) as opened:
        asked = asyncio.ensure_future(call(opened, body, timeout_s))
        done, _ = await asyncio.wait([asked], timeout=after_s)
        if done:
            return asked.result()
        await opened.close()
        await asyncio.wait([asked])
    return Reply(began, time.monotonic(), LEFT)


@dataclass(frozen=True)
class Manners:
    """How callers behave: how long they wait for an answer, and how many of them close the connection before.

    After a refusal they wait about as long as the server hinted, between the shortest and the longest pause.
    """

    deadline_s: float
    vanishing: float = 0.0
    vanish_after_s: float = 2.0
    shortest_pause_s: float = 0.5
    longest_pause_s: float = 5.0

    def pause_s(self, reply: Reply, random: Random) -> float:
        """Return how long a refused caller waits."""
        hint_s = (reply.hint_ms or 0) / 1000
        return min(max(hint_s, self.shortest_pause_s), self.longest_pause_s) * random.uniform(0.5, 1.5)


async def closed_loop(
    url: str, body: bytes, callers: int, seconds: float, manners: Manners, arrival_s: float = 0.0
) -> list[Reply]:
    """Let so many callers ask again and again, each as soon as it has its answer.

    They come within `arrival_s` of each other, each over a connection of its own that its first call opens.
    """
    end = time.monotonic() + seconds
    replies: list[Reply] = []

    async def caller(number: int) -> None:
        random = Random(number)
        await asyncio.sleep(random.uniform(0, arrival_s))
        async with channel(url) as opened:
            while time.monotonic() < end:
                reply = await _one(url, opened, body, manners, random)
                replies.append(reply)
                if reply.refused:
                    await asyncio.sleep(manners.pause_s(reply, random))

    await asyncio.gather(*map(caller, range(callers)))
    return replies


async def open_loop(
    url: str, body: bytes, a_second: float, seconds: float, manners: Manners, connections: int = 64
) -> list[Reply]:
    """Let calls arrive at random, so many a second on average (Poisson), however many are still waiting."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(channel(url)) for _ in range(connections)]
        await asyncio.gather(*(opened.channel_ready() for opened in channels))
        random, next_at = Random(0), time.monotonic()
        end = next_at + seconds
        calls: list[asyncio.Task[Reply]] = []
        while next_at < end:
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            one = _one(url, random.choice(channels), body, manners, Random(len(calls)))
            calls.append(asyncio.create_task(one))
            next_at += random.expovariate(a_second)
        return list(await asyncio.gather(*calls))


async def _one(url: str, opened: grpc.aio.Channel, body: bytes, manners: Manners, random: Random) -> Reply:
    if random.random() < manners.vanishing:
        return await vanish(url, body, manners.deadline_s, random.uniform(0, manners.vanish_after_s))
    return await call(opened, body, manners.deadline_s)


async def until_answered(url: str, body: bytes, patience_s: float) -> float:
    """Return after how many seconds a call is answered, asked again at each refusal; TimeoutError if none is."""
    began = time.monotonic()
    async with channel(url) as opened:
        while (left_s := began + patience_s - time.monotonic()) > 0:
            reply = await call(opened, body, left_s)
            if reply.status == OK:
                return reply.ended_s - began
            await asyncio.sleep(0.1 if reply.hint_ms is None else min(reply.hint_ms / 1000, 1.0))
    raise TimeoutError(f"no answer within {patience_s:.0f} s")


def statuses(replies: Sequence[Reply]) -> Counter[str]:
    """Return how many calls came to which status."""
    return Counter(reply.status for reply in replies)


@dataclass(frozen=True)
class Target:
    """Where the service is, and the process that it is."""

    url: str
    pid: int


@contextmanager
def target(url: str = "", pid: int = 0, repository: Path = MODEL_REPOSITORY) -> Iterator[Target]:
    """Return the service at `url`, which is process `pid`; without an address, one that lives as long as the block."""
    if url:
        yield Target(url, pid)
        return
    with Service(repository, work=BUILD / "benchmarks" / "served") as service:
        assert service.process is not None
        yield Target(service.grpc_url, service.process.pid)
