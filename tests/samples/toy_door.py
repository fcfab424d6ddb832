"""The door in front of a toy ensemble, and calls of it as gRPC sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as triton
from grpc import StatusCode
from tritonclient.grpc import service_pb2, service_pb2_grpc

from samples.toy_graph import ToyGraph
from triptych.serving.host import Address, free_port
from triptych.serving.run import Serving, Settings, running

WITHOUT_PROXY = [("grpc.enable_http_proxy", 0)]


@asynccontextmanager
async def served(graph: ToyGraph, work: Path, **settings: Any) -> AsyncIterator[Serving]:
    """Serve a toy graph on free ports; `settings` are those of `triptych serve`."""
    door, page = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    async with running(Settings(door=door, web=page, repository=graph.root, work=work, **settings)) as serving:
        yield serving


def request(clip: bytes) -> service_pb2.ModelInferRequest:
    """Return the request that Triton's own client makes."""
    video = triton.InferInput("VIDEO", [len(clip)], "UINT8")
    video.set_data_from_numpy(np.frombuffer(clip, np.uint8))
    message = service_pb2.ModelInferRequest(model_name="emotion", inputs=[video._get_tensor()])
    message.raw_input_contents.append(clip)
    return message


def size_of(answer: service_pb2.ModelInferResponse) -> int:
    """Return the toy graph's answer: how large the clip is."""
    return int(np.frombuffer(answer.raw_output_contents[0], np.int32)[0])


def ask(channel: grpc.aio.Channel, clip: bytes, **options: Any) -> grpc.aio.UnaryUnaryCall:
    """Send a clip."""
    return service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request(clip), **options)


async def until(true: Callable[[], bool]) -> None:
    """Return once something is so."""

    async def poll() -> None:
        while not true():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), 60)


async def refusal(call: grpc.aio.UnaryUnaryCall) -> tuple[StatusCode, str, dict[str, str]]:
    """Return the status, words and trailing metadata of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or "", dict(caught.value.trailing_metadata())
