"""Shared memory on both sides of the door: to Triton, where large clips lie, and from clients on this host."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc import StatusCode
from tritonclient.grpc import service_pb2, service_pb2_grpc

from samples.toy_door import WITHOUT_PROXY, ask, refusal, request, served, size_of, until
from samples.toy_graph import ToyGraph
from triptych.serving.door.admission import Bounds
from triptych.serving.private import SHARED_MEMORY
from triptych.serving.run import Serving
from triptych.serving.service import Service
from triptych.serving.shared_memory import SLOTS
from triptych_client import Client, contract
from triptych_client.shared_memory import SharedClip
from triptych_client.wire import infer_request

MIB = 1 << 20
LARGE = b"a large film" + bytes(8 * MIB)
CALLER = """
import sys, time
import grpc
from triptych_client import contract
from triptych_client.shared_memory import SharedClip
from triptych_client.wire import infer_request

clip = SharedClip([b"wait" + bytes(8 << 20)])
body = infer_request("emotion", "7", {}, contract.VIDEO, clip, ["SIZE"])
grpc.insecure_channel(sys.argv[1]).unary_unary("/inference.GRPCInferenceService/ModelInfer")(body, timeout=60)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def serving(graph: ToyGraph, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    work = tmp_path_factory.mktemp("work")
    async with served(graph, work, bounds=Bounds(in_flight=4, waiting=1), client_shared_memory=True) as running:
        yield running


def regions(serving: Serving) -> list[os.stat_result]:
    return [path.stat() for path in SHARED_MEMORY.glob(f"{serving.server.regions}clip-*")]


def by_reference(clip: SharedClip) -> service_pb2.ModelInferRequest:
    body = infer_request("emotion", "7", {}, contract.VIDEO, clip, ["SIZE"])
    return service_pb2.ModelInferRequest.FromString(body)


def infer(channel: grpc.aio.Channel, message: service_pb2.ModelInferRequest) -> grpc.aio.UnaryUnaryCall:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(message)


async def test_large_clips_come_whole_through_regions_that_are_empty_again_afterwards(
    channel, serving: Serving, graph: ToyGraph
):
    sizes = [size_of(answer) for answer in await asyncio.gather(*(ask(channel, LARGE) for _ in range(4)))]
    assert sizes == [len(LARGE)] * 4
    assert graph.began()[-4:] == ["a large film" + "\0" * 28] * 4
    assert 1 <= len(regions(serving)) <= SLOTS
    await until(lambda: all(region.st_blocks == 0 for region in regions(serving)))
    assert {region.st_mode & 0o777 for region in regions(serving)} == {0o600}


async def test_they_come_through_after_triton_was_started_anew(channel, serving: Serving):
    starts = serving.server.starts
    os.kill(serving.server.pid, signal.SIGKILL)
    await until(lambda: serving.server.starts > starts and serving.gate.state.ready)
    assert size_of(await ask(channel, LARGE)) == len(LARGE)
    assert len(regions(serving)) == 1


async def test_a_caller_cannot_name_a_region_of_triton_s(channel, serving: Serving):
    assert size_of(await ask(channel, LARGE)) == len(LARGE)
    (name,) = (path.name for path in SHARED_MEMORY.glob(f"{serving.server.regions}clip-*"))
    asked, answered = request(b"film"), request(b"film")
    del asked.raw_input_contents[:]
    answered.outputs.add(name="SIZE")
    for place in (asked.inputs[0].parameters, answered.outputs[0].parameters):
        place["shared_memory_region"].string_param = name
        place["shared_memory_byte_size"].int64_param = 4
    for message in (asked, answered):
        code, words, _ = await refusal(infer(channel, message))
        assert code is StatusCode.INVALID_ARGUMENT
        assert "shared memory" in words


async def test_a_clip_in_memory_of_the_client_is_read_from_there(channel, graph: ToyGraph):
    for clip in (b"a film of mine" + bytes(2 * MIB), b"a short one"):
        memory = SharedClip([clip])
        assert size_of(await infer(channel, by_reference(memory))) == len(clip)
        memory.close()
    assert graph.began()[-1] == "a short one"


async def test_a_client_that_is_killed_leaves_nothing(channel, serving: Serving, graph: ToyGraph):
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("memfd:triptych-clip")

    graph.hold()
    with subprocess.Popen([sys.executable, "-c", CALLER, str(serving.settings.door)]) as caller:
        await until(lambda: serving.admission.in_flight == 1 and graph.began()[-1].startswith("wait"))
        assert mapped() == 1
        caller.kill()
    await until(lambda: 1 in serving.gate._tickets._board[:])
    graph.go()
    await until(lambda: serving.admission.in_flight == 0 and mapped() == 0)
    await until(lambda: all(region.st_blocks == 0 for region in regions(serving)))


async def test_a_server_that_was_not_told_to_take_it_asks_for_the_clip(graph: ToyGraph, tmp_path: Path):
    memory = SharedClip([LARGE])
    async with (
        served(graph, tmp_path / "work") as serving,
        grpc.aio.insecure_channel(str(serving.settings.door), WITHOUT_PROXY) as channel,
    ):
        code, words, _ = await refusal(infer(channel, by_reference(memory)))
    assert (code, "--client-shared-memory" in words) == (StatusCode.FAILED_PRECONDITION, True)


def test_the_client_hands_a_clip_over_and_gets_the_same_answer(
    server: Service, client: Client, demo_clip: Path, caplog: pytest.LogCaptureFixture
):
    before = shared(server)
    with Client(server.grpc_url, shared_memory=True) as sharing:
        answer = sharing.analyze(demo_clip)
    assert shared(server) == before + 1
    assert not caplog.records
    assert answer.emotion == client.analyze(demo_clip).emotion


def shared(server: Service) -> float:
    """Return how many clips the server has taken from memory of clients."""
    lines = dict(line.rsplit(" ", 1) for line in server.metrics().splitlines() if not line.startswith("#"))
    return float(lines["triptych_clips_shared_total"])
