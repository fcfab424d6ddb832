"""Addresses of servers, and proxies that stand before them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples.scripted_server import ScriptedServer
from triptych_client import AsyncClient, Client, Unavailable
from triptych_client.peer import Peer

PROXY = "http://user:secret@proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address where nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*bound.getsockname())


@pytest.mark.parametrize(
    ("url", "host", "local"),
    [
        ("localhost:8001", "localhost", True),
        ("127.0.0.1:8001", "127.0.0.1", True),
        ("127.8.9.1", "127.8.9.1", True),
        ("[::1]:8001", "::1", True),
        ("dns:///localhost:8001", "localhost", True),
        ("ipv6:[::1]:8001", "::1", True),
        ("ipv4:10.0.0.7:8001", "10.0.0.7", False),
        ("unix:/run/triptych/t:8001", "", True),
        ("unix-abstract:triptych", "", True),
        ("server.example:8001", "server.example", False),
        ("localhost.example:8001", "localhost.example", False),
        ("[2001:db8::1]:8001", "2001:db8::1", False),
        ("", "", False),
    ],
)
def test_what_an_address_means(url: str, host: str, local: bool):
    assert (Peer(url).host, Peer(url).local) == (host, local)


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("server.example:8001", {}, None),
        ("server.example:8001", {"http_proxy": PROXY}, "proxy.example:3128"),
        ("server.example:8001", {"https_proxy": PROXY, "http_proxy": "http://other.example:1"}, "proxy.example:3128"),
        ("server.example:8001", {"grpc_proxy": PROXY, "https_proxy": "http://other:1"}, "proxy.example:3128"),
        ("server.example:8001", {"http_proxy": PROXY, "no_proxy": "localhost, .EXAMPLE"}, None),
        ("server.example:8001", {"http_proxy": PROXY, "no_proxy": "localhost,,10.0.0.0/8"}, "proxy.example:3128"),
        ("10.0.0.7:8001", {"http_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, None),
        ("server.example:8001", {"http_proxy": PROXY, "no_grpc_proxy": "x", "no_proxy": "server.example"}, PROXY[19:]),
        ("localhost:8001", {"http_proxy": PROXY}, None),
        ("server.example:8001", {"http_proxy": "socks5://proxy.example:1080"}, None),
        ("server.example:8001", {"all_proxy": PROXY}, None),
    ],
)
def test_the_proxy_that_grpc_takes(
    url: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Peer(url).proxy == proxy


@pytest.mark.parametrize("name", ["grpc_proxy", "http_proxy", "https_proxy", "all_proxy"])
async def test_a_proxy_is_not_asked_for_this_machine(name: str, closed_port: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, f"http://{closed_port}")
    with ScriptedServer() as server:
        for url in (server.url, f"localhost:{server.port}"):
            with Client(url) as client:
                assert client.triton_version() == "2.51.0"
            async with AsyncClient(url) as other:
                assert await other.triton_version() == "2.51.0"


def test_a_failure_by_way_of_a_proxy_names_it(closed_port: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"http://user:secret@{closed_port}")
    with Client("server.example:8001") as client, pytest.raises(Unavailable) as told:
        client.triton_version()
    assert f"no connection to server.example:8001 through the proxy {closed_port} of the environment" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_unix_socket_is_an_address(tmp_path: Path):
    address = f"unix:{tmp_path}/t"
    with Client(address) as client, pytest.raises(Unavailable, match="no server at unix:"):
        client.triton_version()
    with ScriptedServer(address=address), Client(address) as client:
        assert client.triton_version() == "2.51.0"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_an_ipv6_address_is_an_address(closed_port: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"http://{closed_port}")
    with ScriptedServer(address="[::1]:0") as server, Client(f"[::1]:{server.port}") as client:
        assert client.triton_version() == "2.51.0"
