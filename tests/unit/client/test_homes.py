"""Where a client may be used, and which servers it finds."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from samples.scripted_server import ScriptedServer
from triptych.paths import ROOT
from triptych_client import AsyncClient, Client, ForeignClient, InvalidRequest
from triptych_client.connection import COME_BACK, Limits, ServerFacts, _options
from triptych_client.peer import Peer, several
from triptych_client.protocol import CLIP_LIMIT, SECONDS_LIMIT

CLIP = b"\x00\x01\x02\xff"

FORKED = """
import os, sys
from triptych_client import Client, ForeignClient
client = Client(sys.argv[1])
client.analyze(b"clip")
if os.fork() == 0:
    try:
        client.analyze(b"clip")
    except ForeignClient as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
print(client.analyze(b"clip").emotion.label)
"""


def test_a_client_of_before_a_fork_says_so_in_the_child_and_works_in_the_parent():
    with ScriptedServer() as server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "client"), "GRPC_VERBOSITY": "NONE"}
        command = [sys.executable, "-c", FORKED, server.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    told, label = done.stdout.splitlines()
    assert "a fork of it" in told
    assert "make a client in each process" in told
    assert label == "sadness"


def test_a_client_of_another_event_loop_says_so():
    made: list[AsyncClient] = []

    async def first(url: str) -> None:
        made.append(AsyncClient(url))
        await made[0].analyze(CLIP)

    async def second() -> None:
        with pytest.raises(ForeignClient, match="made in another event loop"):
            await made[0].analyze(CLIP)

    with ScriptedServer() as server:
        asyncio.run(first(server.url))
        asyncio.run(second())


def test_metadata_go_with_every_call():
    with ScriptedServer() as server, Client(server.url, metadata={"x-tenant": "lab 7"}) as client:
        client.analyze(CLIP)
    assert server.metadata[0]["x-tenant"] == server.greetings[0]["x-tenant"] == "lab 7"


@pytest.mark.parametrize(
    "metadata", [{"X-Tenant": "7"}, {"authorization": "Bearer x"}, {"grpc-timeout": "1"}, {"a-bin": "x"}, {"a": "п"}]
)
def test_metadata_that_cannot_be_sent_are_refused(metadata: Mapping[str, str]):
    with pytest.raises(InvalidRequest, match="metadata"):
        Client("localhost:1", metadata=metadata)


def test_several_servers_take_turns():
    with (
        ScriptedServer() as one,
        ScriptedServer() as other,
        Client(f"localhost:{one.port}, 127.0.0.1:{other.port}") as client,
    ):
        for _ in range(1000):  # one connection may come later than the other
            client.analyze(CLIP)
            if one.requests and other.requests:
                return
    pytest.fail("one of the two was never asked")


def test_names_become_addresses():
    assert several("localhost:8001", secure=False) == "localhost:8001"
    assert several("ipv4:1.2.3.4:1,1.2.3.5:1", secure=True) == "ipv4:1.2.3.4:1,1.2.3.5:1"
    assert several("127.0.0.1:1,127.0.0.2:2", secure=False) == "ipv4:127.0.0.1:1,127.0.0.2:2"
    assert several("[::1]:1,[::1]:2", secure=False) == "ipv6:[::1]:1,[::1]:2"


@pytest.mark.parametrize(
    ("url", "secure", "told"),
    [
        ("a.example:1,b.example:1", True, "with TLS several servers need one name"),
        ("127.0.0.1:1,no port", False, "'no port' is no server's host:port"),
        ("127.0.0.1:1,[::1]:1", False, "some of .* have IPv4 addresses and others IPv6"),
    ],
)
def test_servers_that_cannot_take_turns_are_refused(url: str, secure: bool, told: str):
    with pytest.raises(InvalidRequest, match=told):
        several(url, secure)


def test_a_server_that_is_back_is_looked_for_every_few_seconds():
    options = dict(_options(Peer("localhost:8001")))
    assert options["grpc.max_reconnect_backoff_ms"] * 1.2 < 5000  # gRPC waits up to a fifth longer, by chance
    assert options["grpc.min_reconnect_backoff_ms"] < 5000
    assert dict(COME_BACK).items() <= options.items()


@pytest.mark.parametrize(
    ("extensions", "limits"),
    [
        ((f"{CLIP_LIMIT}10", f"{SECONDS_LIMIT}60"), Limits(10, 60.0)),
        ((f"{SECONDS_LIMIT}7.5",), Limits(None, 7.5)),
        ((f"{CLIP_LIMIT}1e9", f"{SECONDS_LIMIT}long"), Limits(None, None)),
    ],
)
def test_what_a_server_says_it_takes(extensions: tuple[str, ...], limits: Limits):
    class Told:
        version = "2.51.0"

    Told.extensions = extensions
    assert ServerFacts.of(Told).limits == limits
