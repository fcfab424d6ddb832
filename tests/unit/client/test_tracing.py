"""By what a call is found again on the server: its id, and the caller's trace."""

from __future__ import annotations

import re
import sys

import grpc
import pytest
from opentelemetry.sdk.trace import TracerProvider

from samples.scripted_server import Refusal, ScriptedServer
from triptych_client import AsyncClient, Client, InvalidRequest, ServerError

CLIP = b"\x00\x01\x02\xff"
TRACER = TracerProvider().get_tracer("tests")


async def test_every_call_has_an_id_of_its_own():
    with ScriptedServer() as server:
        with Client(server.url) as client:
            client.analyze(CLIP)
            list(client.map([CLIP, CLIP]))
        async with AsyncClient(server.url) as other:
            await other.analyze(CLIP)
    ids = [request.id for request in server.requests]
    assert all(re.fullmatch("[0-9a-f]{32}", id_) for id_ in ids)
    assert len(set(ids)) == 4
    assert [each["x-request-id"] for each in server.metadata] == ids
    assert server.greetings[0]["x-request-id"] == ids[0], "the question for the version belongs to the first call"


async def test_the_caller_may_give_the_id():
    with ScriptedServer() as server:
        with Client(server.url) as client:
            client.analyze(CLIP, request_id="order-7")
            list(client.map([CLIP, CLIP], concurrency=1, request_id="batch"))
        async with AsyncClient(server.url) as other:
            await other.analyze(CLIP, request_id="order-8")
    assert [request.id for request in server.requests] == ["order-7", "batch-0", "batch-1", "order-8"]
    assert [each["x-request-id"] for each in server.metadata] == ["order-7", "batch-0", "batch-1", "order-8"]


@pytest.mark.parametrize("given", ["", "two words", "line\n", "ид", "[7]", "x" * 129, 7])
def test_an_id_that_no_log_should_hold_is_refused(given: object):
    with Client() as client, pytest.raises(InvalidRequest, match="request_id is"):
        client.analyze(CLIP, request_id=given)  # type: ignore[arg-type]


def test_a_failure_of_the_server_names_the_request():
    with (
        ScriptedServer([Refusal(grpc.StatusCode.INTERNAL, "fusion: KeyError")]) as server,
        Client(server.url) as client,
        pytest.raises(ServerError, match=r"fusion: KeyError \(request id order-7\)$") as told,
    ):
        client.analyze(CLIP, request_id="order-7")
    assert told.value.request_id == "order-7"


async def test_calls_belong_to_the_callers_trace():
    with ScriptedServer() as server, TRACER.start_as_current_span("work") as span:
        with Client(server.url) as client:
            client.analyze(CLIP)
            list(client.map([CLIP, CLIP]))
        async with AsyncClient(server.url) as other:
            await other.analyze(CLIP)
            assert [outcome.error async for outcome in other.stream([CLIP])] == [None]
    trace = f"{span.get_span_context().trace_id:032x}"
    parents = [each["traceparent"].split("-")[1] for each in server.greetings + server.metadata]
    assert set(parents) == {trace}
    assert len(server.metadata) == 5


def test_without_a_trace_nothing_is_said_of_one(monkeypatch: pytest.MonkeyPatch):
    with ScriptedServer() as server, Client(server.url) as client:
        client.analyze(CLIP)
        with TRACER.start_as_current_span("work"), monkeypatch.context() as patch:
            patch.setitem(sys.modules, "opentelemetry", None)  # as if it were not installed
            client.analyze(CLIP)
    assert len(server.metadata) == 2
    assert not any("traceparent" in each for each in server.metadata)
