"""Tokens and certificates: what is sent to whom, and what is said when a server does not take it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from samples.scripted_server import ScriptedServer
from triptych_client import AsyncClient, Client, InvalidRequest, TriptychClientError, Unauthenticated, Unavailable

TOKEN = "s3cret.token_of-a/customer+1="
CLIP = b"\x00\x01\x02\xff"
ELSEWHERE = "server.example:8001"
BEFORE, LONG_AGO = datetime.datetime(2020, 1, 1), datetime.datetime(2019, 1, 1)


async def test_a_token_goes_with_every_request():
    with ScriptedServer(token=TOKEN) as server:
        with Client(server.url, token=TOKEN) as client:
            assert client.analyze(CLIP).emotion.label
        async with AsyncClient(server.url, token=TOKEN) as other:
            assert (await other.analyze(CLIP)).emotion.label
    assert [each["authorization"] for each in server.greetings + server.metadata] == [f"Bearer {TOKEN}"] * 4


@pytest.mark.parametrize(("token", "says"), [(None, "wants a token; give it as"), (f"{TOKEN}x", "does not accept")])
async def test_a_server_that_wants_another_token_is_told(token: str | None, says: str):
    with ScriptedServer(token=TOKEN) as server:
        with Client(server.url, token=token) as client, pytest.raises(Unauthenticated, match=says) as told:
            client.analyze(CLIP)
        async with AsyncClient(server.url, token=token) as other:
            with pytest.raises(Unauthenticated, match=says):
                await other.analyze(CLIP)
    assert TOKEN not in str(told.value)
    assert server.requests == []


def test_a_token_does_not_travel_in_plain_text():
    with pytest.raises(InvalidRequest, match=r"would travel in plain text.*--tls") as told:
        Client(ELSEWHERE, token=TOKEN)
    assert TOKEN not in str(told.value)
    for allowed in ({"ssl": True}, {"allow_plaintext_token": True}):
        Client(ELSEWHERE, token=TOKEN, **allowed).close()
    for nearby in ("localhost:8001", "[::1]:8001", "unix:/run/t"):
        Client(nearby, token=TOKEN).close()


@pytest.mark.parametrize("token", ["", "two words", "line\n", "ключ"])
def test_a_token_that_no_header_holds_is_refused_unseen(token: str):
    with pytest.raises(InvalidRequest, match="the token is empty, or has characters other") as told:
        Client(token=token)
    assert not token or token not in str(told.value)


def test_a_token_is_in_no_text_about_the_client():
    with Client(token=TOKEN) as client:
        assert TOKEN not in f"{client!r} {client._peer!r}"


@dataclass
class Authority:
    """Throw-away certificates of two authorities, of which the server's users know one."""

    folder: Path

    def __post_init__(self) -> None:
        self.ca, self.other = trustme.CA(), trustme.CA()

    def file(self, name: str, *blobs: Any) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return path

    def served(self, *names: str, mutual: bool = False, **dates: Any) -> grpc.ServerCredentials:
        certificate = self.ca.issue_cert(*names or ("localhost", "127.0.0.1"), **dates)
        pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
        return grpc.ssl_server_credentials([pair], self.ca.cert_pem.bytes() if mutual else None, mutual)

    def trust(self, authority: trustme.CA | None = None) -> dict[str, Path]:
        return {"root_certificates": self.file("ca.pem", (authority or self.ca).cert_pem)}

    def own(self, authority: trustme.CA, **dates: Any) -> dict[str, Path]:
        certificate = authority.issue_cert("client", **dates)
        key = self.file("key.pem", certificate.private_key_pem)
        return {"private_key": key, "certificate_chain": self.file("cert.pem", *certificate.cert_chain_pems)}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


async def version(credentials: grpc.ServerCredentials | None, **options: Any) -> str:
    """Return what both clients agree on: the server's version, or what is wrong with the connection."""
    told: list[str] = []
    with ScriptedServer(credentials=credentials, token=TOKEN) as server:
        url = f"localhost:{server.port}"
        try:
            with Client(url, token=TOKEN, **options) as client:
                told.append(client.triton_version())
        except Unavailable as error:
            told.append(str(error).replace(url, "SERVER"))
        try:
            async with AsyncClient(url, token=TOKEN, **options) as other:
                told.append(await other.triton_version())
        except Unavailable as error:
            told.append(str(error).replace(url, "SERVER"))
    assert told[0] == told[1]
    return told[0]


async def test_tls_and_mutual_tls_connect(authority: Authority):
    assert await version(authority.served(), **authority.trust()) == "2.51.0"
    assert await version(authority.served(mutual=True), **authority.trust(), **authority.own(authority.ca)) == "2.51.0"


async def test_a_server_that_cannot_be_trusted_is_told(authority: Authority):
    said = await version(authority.served(), **authority.trust(authority.other))
    assert "is of an authority that is not trusted here; give the authority's PEM file as root_certificates" in said
    said = await version(authority.served(), ssl=True)
    assert "is of an authority that is not trusted here" in said
    said = await version(authority.served(not_before=LONG_AGO, not_after=BEFORE), **authority.trust())
    assert "the certificate of the server at SERVER is out of date" in said
    said = await version(authority.served("server.example"), **authority.trust())
    assert "the certificate of the server at SERVER is for another name" in said


async def test_a_server_that_does_not_trust_the_client_is_told(authority: Authority):
    mutual = authority.served(mutual=True)
    said = await version(mutual, **authority.trust())
    assert "see whether it wants a certificate of the client" in said
    said = await version(mutual, **authority.trust(), **authority.own(authority.other))
    assert "see whether it trusts the client's certificate" in said
    said = await version(
        mutual, **authority.trust(), **authority.own(authority.ca, not_before=LONG_AGO, not_after=BEFORE)
    )
    assert "see whether it trusts the client's certificate, and whether that has expired" in said


async def test_tls_on_one_side_only_is_told(authority: Authority):
    assert "the server at SERVER speaks no TLS" in await version(None, **authority.trust())
    assert "see whether it wants TLS (ssl=True, --tls)" in await version(authority.served())


async def test_files_that_are_no_certificates_are_told(authority: Authority, tmp_path: Path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("no certificate")
    assert "the PEM files are not what TLS needs" in await version(authority.served(), root_certificates=nonsense)
    with pytest.raises(TriptychClientError, match=r"gone\.pem: cannot be read"):
        Client(root_certificates=tmp_path / "gone.pem")
