"""Callers as gRPC sees them, against a peer that speaks the protocol."""

from __future__ import annotations

from random import Random

import pytest
from tritonclient.grpc.service_pb2 import ModelInferRequest

from benchmarks import load
from benchmarks.load import LEFT, OK, Manners, Reply
from samples.scripted_server import BUSY, Refusal, ScriptedServer

CLIP = b"a clip"


def test_a_message_holds_the_clip_and_asks_for_the_answer() -> None:
    request = ModelInferRequest.FromString(load.message(CLIP))
    assert request.model_name == "emotion"
    assert request.raw_input_contents == [CLIP]
    assert "PROBABILITIES" in {output.name for output in request.outputs}


async def test_an_answer_has_the_tensors() -> None:
    with ScriptedServer() as server:
        async with load.channel(server.url) as channel:
            reply = await load.call(channel, load.message(CLIP), timeout_s=60)
    assert reply.status == OK
    assert "PROBABILITIES" in load.tensors(reply.answer)


async def test_a_refusal_keeps_its_hint() -> None:
    with ScriptedServer([Refusal(BUSY, retry_after_ms=1500)]) as server:
        async with load.channel(server.url) as channel:
            reply = await load.call(channel, load.message(CLIP), timeout_s=60)
    assert (reply.status, reply.hint_ms, reply.refused) == ("RESOURCE_EXHAUSTED", 1500, True)


async def test_a_call_is_made_again_until_it_is_answered() -> None:
    with ScriptedServer([Refusal(BUSY, retry_after_ms=1)] * 3) as server:
        assert await load.until_answered(server.url, load.message(CLIP), patience_s=60) > 0
        assert len(server.requests) == 4


async def test_whoever_vanishes_is_counted_as_such() -> None:
    with ScriptedServer() as server:
        reply = await load.vanish(server.url, load.message(CLIP), timeout_s=60, after_s=0)
    assert reply.status == LEFT


@pytest.mark.parametrize(("hint_ms", "least", "most"), [(None, 0.25, 0.75), (2_000, 1.0, 3.0), (90_000, 2.5, 7.5)])
def test_a_refused_caller_waits_about_as_long_as_the_hint(hint_ms: int | None, least: float, most: float) -> None:
    reply = Reply(0.0, 0.01, "RESOURCE_EXHAUSTED", hint_ms=hint_ms)
    pauses = [Manners(5).pause_s(reply, Random(number)) for number in range(50)]
    assert least <= min(pauses) < max(pauses) <= most


async def test_both_loops_make_calls_until_their_time_is_over() -> None:
    with ScriptedServer() as server:
        closed = await load.closed_loop(server.url, load.message(CLIP), callers=2, seconds=0.3, manners=Manners(60))
        opened = await load.open_loop(server.url, load.message(CLIP), 50, 0.3, Manners(60), connections=2)
    assert set(load.statuses([*closed, *opened])) == {OK}
    assert closed
    assert opened
