"""What several tests of the door share: the toy graph, and a connection to the `serving` of the module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from samples.toy_door import WITHOUT_PROXY
from samples.toy_graph import ToyGraph
from triptych.serving.run import Serving


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ToyGraph:
    return ToyGraph(tmp_path_factory.mktemp("models"))


@pytest_asyncio.fixture(loop_scope="session")
async def channel(serving: Serving) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(serving.settings.door), WITHOUT_PROXY) as channel:
        yield channel
