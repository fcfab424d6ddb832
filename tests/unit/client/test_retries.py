"""Servers that are lost in the middle of a call, busy, or being mended."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest

from samples.scripted_server import BUSY, UNAVAILABLE, Refusal, ScriptedServer
from samples.severed import SeveredLine
from triptych_client import AsyncClient, Client, ServerBusy, Unavailable
from triptych_client.call import MOST_WAITS, Call, Deadline

CLIP = b"\x00\x01\x02\xff"
LARGE_CLIP = bytes(3 << 20)
"""Larger than what gRPC keeps for a second try unless it is told to."""
SOON_MS = 1


def previous_attempts(server: ScriptedServer) -> list[str | None]:
    return [metadata.get("grpc-previous-rpc-attempts") for metadata in server.metadata]


def test_a_request_that_lost_its_server_is_made_once_more():
    with ScriptedServer() as server, SeveredLine(server.port, len(LARGE_CLIP) // 2) as line, Client(line.url) as client:
        assert client.analyze(LARGE_CLIP).emotion.label
    assert line.connections == 2
    assert previous_attempts(server) == ["1"]
    assert server.requests[0].raw_input_contents[0] == LARGE_CLIP


async def test_a_request_that_lost_its_server_is_made_once_more_by_the_async_client():
    with ScriptedServer() as server, SeveredLine(server.port, len(LARGE_CLIP) // 2) as line:
        async with AsyncClient(line.url) as client:
            assert (await client.analyze(LARGE_CLIP)).emotion.label
    assert previous_attempts(server) == ["1"]
    assert server.requests[0].raw_input_contents[0] == LARGE_CLIP


@pytest.mark.parametrize(("hint_ms", "requests"), [(None, 2), (SOON_MS, 2), (-1, 1)])
async def test_a_server_that_stays_away_is_asked_twice_or_as_it_hints(hint_ms: int | None, requests: int):
    refusals = [Refusal(UNAVAILABLE, "being mended", hint_ms)] * 9
    with ScriptedServer(refusals) as server, Client(server.url) as client:
        with pytest.raises(Unavailable, match="being mended") as told:
            client.analyze(CLIP)
        assert len(server.requests) == requests
    assert told.value.retry_after_s == (SOON_MS / 1000 if hint_ms == SOON_MS else None)
    with ScriptedServer(refusals) as server:
        async with AsyncClient(server.url) as client:
            with pytest.raises(Unavailable, match="being mended"):
                await client.analyze(CLIP)
        assert len(server.requests) == requests


async def test_who_asks_about_one_clip_is_told_when_to_ask_again():
    refusals = [Refusal(BUSY, retry_after_ms=1500)] * 2
    with ScriptedServer(refusals) as server, Client(server.url) as client:
        with pytest.raises(ServerBusy, match=r"busy \(3 in flight, 12 waiting\); try again in 1\.5 s") as told:
            client.analyze(CLIP)
        async with AsyncClient(server.url) as other:
            with pytest.raises(ServerBusy) as told_too:
                await other.analyze(CLIP)
        assert len(server.requests) == 2
    assert (told.value.retry_after_s, told_too.value.retry_after_s) == (1.5, 1.5)


def test_many_clips_wait_for_a_busy_server_and_are_read_once():
    refusals = [Refusal(BUSY, retry_after_ms=SOON_MS)] * 3 + [Refusal(UNAVAILABLE, "mending", SOON_MS)] * 3
    with ScriptedServer(refusals) as server, Client(server.url) as client:
        outcomes = list(client.map([io.BytesIO(CLIP), io.BytesIO(CLIP)], concurrency=1))
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert [request.raw_input_contents[0] for request in server.requests] == [CLIP] * 8
        assert len({request.id for request in server.requests}) == 2


async def test_many_clips_wait_for_a_busy_server_in_the_async_client():
    with ScriptedServer([Refusal(BUSY, retry_after_ms=SOON_MS)] * 5) as server:
        async with AsyncClient(server.url) as client:
            outcomes = [outcome async for outcome in client.stream([io.BytesIO(CLIP)] * 1)]
        assert [outcome.error for outcome in outcomes] == [None]
        assert len(server.requests) == 6


def test_without_a_hint_nobody_waits():
    with ScriptedServer([Refusal(BUSY)] * 2) as server, Client(server.url) as client:
        (outcome,) = client.map([CLIP])
        assert type(outcome.error) is ServerBusy
        assert outcome.error.retry_after_s is None
        assert len(server.requests) == 1


def test_a_wait_ends_with_the_client():
    with ScriptedServer([Refusal(BUSY, retry_after_ms=200_000)]) as server, ThreadPoolExecutor() as pool:
        client = Client(server.url)
        outcome = pool.submit(next, client.map([CLIP], timeout_s=1000))
        assert server.asked.wait(20)
        client.close()
        assert type(outcome.result(60).error).__name__ in ("ServerBusy", "Cancelled")


def test_waits_are_bounded_in_number_and_by_the_deadline():
    busy = ServerBusy("busy", retry_after_s=2.0)
    call = Call(Deadline.after(1000), "id", waits=2)
    waits = [call.wait_s(busy) for _ in range(3)]
    assert all(wait is not None and 2 <= wait <= 3 for wait in waits[:2])
    assert waits[2] is None
    assert Call(Deadline.after(1.9), "id", waits=MOST_WAITS).wait_s(busy) is None
    assert Call(Deadline.after(1000), "id", waits=MOST_WAITS).wait_s(ServerBusy("busy")) is None


def test_servers_behind_one_name_take_turns_and_one_that_is_gone_is_passed_over():
    with ScriptedServer() as one:
        with ScriptedServer() as other, Client(f"ipv4:{one.url},{other.url}") as client:
            for _ in range(1000):  # one connection may come later than the other
                client.analyze(CLIP)
                if one.requests and other.requests:
                    break
            met = len(one.requests), len(other.requests)
            for _ in range(6):
                client.analyze(CLIP)
            assert (len(one.requests) - met[0], len(other.requests) - met[1]) == (3, 3)
        with Client(f"ipv4:{one.url},{other.url}") as client:
            assert client.analyze(CLIP).emotion.label
