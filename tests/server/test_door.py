"""The door in front of a real Triton with a toy ensemble: who gets through, who waits, who is refused, who has left."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aiohttp
import grpc
import psutil
import pytest
import pytest_asyncio
import tritonclient.grpc.aio as triton
import trustme
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from samples.toy_door import WITHOUT_PROXY, ask, refusal, served, size_of, until
from samples.toy_graph import ToyGraph
from triptych.serving import metrics
from triptych.serving.door import gate
from triptych.serving.door.admission import Bounds
from triptych.serving.door.credentials import Security
from triptych.serving.host import Address, free_port, why_not_listen
from triptych.serving.run import Serving, Settings, running
from triptych.serving.supervision import State
from triptych.serving.supervision.processes import step_of

TOKEN = "0123456789abcdef0123456789abcdef"
FORBIDDEN = (
    *("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload", "TraceSetting", "LogSettings"),
    *("SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister"),
    *("CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def serving(graph: ToyGraph, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    work = tmp_path_factory.mktemp("work")
    async with served(graph, work, bounds=Bounds(in_flight=2, waiting=1)) as running:
        yield running


@pytest.fixture
def held(graph: ToyGraph):
    """The graph, whose clips of `wait...` wait until the end of the test."""
    graph.hold()
    yield graph
    graph.go()


async def test_a_clip_gets_through_with_the_caller_s_request_id(channel, graph: ToyGraph):
    call = ask(channel, b"film", metadata=(("x-request-id", "call-7"),))
    assert size_of(await call) == 4
    assert dict(await call.trailing_metadata())["x-request-id"] == "call-7"
    assert ["computed", "4", "call-7", "False"] in graph.noted()


async def test_a_call_without_an_id_gets_one(channel, graph: ToyGraph):
    call = ask(channel, b"12345")
    await call
    name = dict(await call.trailing_metadata())["x-request-id"]
    assert len(name) == 32
    assert ["computed", "5", name, "False"] in graph.noted()


async def test_the_first_step_s_refusal_comes_as_it_is(channel):
    code, words, _ = await refusal(ask(channel, b"fail"))
    assert (code, words) == (StatusCode.INVALID_ARGUMENT, "in ensemble 'emotion', no film")


async def test_who_leaves_stops_costing_compute_and_triton_is_not_told(channel, serving: Serving, held: ToyGraph):
    call = ask(channel, b"wait for me", metadata=(("x-request-id", "leaver"),))
    await until(lambda: "wait for me" in held.began())
    call.cancel()
    await until(lambda: 1 in serving.gate._tickets._board[:])
    held.go()
    await until(lambda: ["left", "11", "leaver", "False"] in held.noted())
    await until(lambda: serving.admission.in_flight == 0)


async def test_who_leaves_is_counted_as_one_who_left_in_triton_and_in_the_queue_and_not_as_refused(
    channel, serving: Serving, held: ToyGraph
):
    before = counted()
    calls = [ask(channel, b"wait") for _ in range(3)]
    await until(lambda: (serving.admission.in_flight, serving.admission.waiting) == (2, 1))
    await refusal(ask(channel, b"one too many"))
    for call in calls:
        call.cancel()
    await until(lambda: counted()["left"] == before["left"] + 3)
    assert counted()["refused"] == {**before["refused"], "queue": before["refused"].get("queue", 0) + 1}
    held.go()
    await until(lambda: serving.admission.in_flight == 0)


def counted() -> dict:
    """Return how many callers have left, and how many clips were refused, by reason."""
    samples = [sample for family in metrics.REGISTRY.collect() for sample in family.samples]
    refused = {one.labels["reason"]: one.value for one in samples if one.name == "triptych_refusals_total"}
    return {"left": metrics.REGISTRY.get_sample_value("triptych_callers_left_total"), "refused": refused}


async def test_a_deadline_that_passes_is_a_caller_who_leaves(channel, serving: Serving, held: ToyGraph):
    code, _, _ = await refusal(ask(channel, b"wait 12 letters", timeout=0.5, metadata=(("x-request-id", "late"),)))
    assert code is StatusCode.DEADLINE_EXCEEDED
    held.go()
    await until(lambda: ["left", "15", "late", "False"] in held.noted())
    await until(lambda: serving.admission.in_flight == 0)


async def test_when_the_queue_is_full_the_next_is_refused_at_once_with_a_hint(channel, serving, held: ToyGraph):
    calls = [ask(channel, b"wait %d" % number) for number in range(3)]
    await until(lambda: (serving.admission.in_flight, serving.admission.waiting) == (2, 1))
    code, words, trailing = await refusal(ask(channel, b"one too many"))
    assert (code, words) == (StatusCode.RESOURCE_EXHAUSTED, "3 clips are being worked on or wait already")
    assert int(trailing["grpc-retry-pushback-ms"]) > 0
    assert len(trailing["x-request-id"]) == 32
    held.go()
    assert [size_of(answer) for answer in await asyncio.gather(*calls)] == [6, 6, 6]


async def test_a_large_clip_is_refused_before_it_is_read(channel, serving: Serving, held: ToyGraph):
    calls = [ask(channel, b"wait %d" % number) for number in range(3)]
    await until(lambda: (serving.admission.in_flight, serving.admission.waiting) == (2, 1))
    code, _, _ = await refusal(ask(channel, bytes(60 << 20)))
    assert code is StatusCode.RESOURCE_EXHAUSTED
    held.go()
    await asyncio.gather(*calls)


async def test_a_message_over_the_limit_is_refused_and_the_next_clip_gets_through(channel):
    code, words, _ = await refusal(ask(channel, bytes(66 << 20)))
    assert code is StatusCode.RESOURCE_EXHAUSTED
    assert "larger than" in words
    assert size_of(await ask(channel, b"film")) == 4


@pytest.mark.parametrize("method", FORBIDDEN)
async def test_what_changes_the_server_is_not_let_through(channel, method: str):
    call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
    code, _, _ = await refusal(call(b""))
    assert code is StatusCode.UNIMPLEMENTED


async def test_triton_s_other_service_methods_and_services_are_not_let_through(channel):
    stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")(iter([b""]))
    assert await stream.code() is StatusCode.UNIMPLEMENTED
    code, _, _ = await refusal(channel.unary_unary("/other.Service/ModelInfer")(b""))
    assert code is StatusCode.UNIMPLEMENTED


async def test_the_limits_can_be_asked_for(serving: Serving):
    async with triton.InferenceServerClient(str(serving.settings.door), channel_args=WITHOUT_PROXY) as client:
        metadata = await client.get_server_metadata()
    assert {f"triptych:max_clip_bytes={64 << 20}", "triptych:max_seconds=60"} <= {*metadata.extensions}
    assert metadata.version == "2.51.0"


async def test_the_protocol_s_questions_are_answered(serving: Serving):
    async with triton.InferenceServerClient(str(serving.settings.door), channel_args=WITHOUT_PROXY) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("emotion")
        assert not await client.is_model_ready("no such model")
        assert (await client.get_model_metadata("emotion")).platform == "ensemble"
        assert (await client.get_model_config("emotion")).config.name == "emotion"
        assert (await client.get_inference_statistics("waits")).model_stats[0].name == "waits"


async def test_readiness_is_false_while_something_is_mended_and_callers_are_told_why(channel, serving: Serving):
    health, page = health_pb2_grpc.HealthStub(channel), f"http://{serving.settings.web}"
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

    async def told() -> tuple:
        check = await health.Check(health_pb2.HealthCheckRequest(service="emotion"))
        async with aiohttp.ClientSession() as session, session.get(f"{page}/v2/health/ready") as ready:
            http = ready.status
        server = await stub.ServerReady(service_pb2.ServerReadyRequest())
        model = await stub.ModelReady(service_pb2.ModelReadyRequest(name="emotion"))
        return check.status == health_pb2.HealthCheckResponse.SERVING, http, server.ready, model.ready

    assert await told() == (True, 200, True, True)
    serving.change(State(False, "step whisper is being loaded anew"))
    try:
        assert await told() == (False, 503, False, False)
        code, words, trailing = await refusal(ask(channel, b"film"))
        assert (code, words) == (StatusCode.UNAVAILABLE, "step whisper is being loaded anew")
        assert int(trailing["grpc-retry-pushback-ms"]) > 0
    finally:
        serving.change(State(True))
    assert await told() == (True, 200, True, True)


async def test_a_clip_that_comes_while_a_step_is_loaded_anew_waits_for_it(channel, serving: Serving):
    serving.change(State(False, "whisper died", soon=True))
    call = ask(channel, b"film")
    await until(lambda: serving.admission.waiting == 1)
    serving.change(State(True))
    assert size_of(await call) == 4


async def test_a_clip_does_not_wait_long_for_a_step(channel, serving: Serving, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "HOLD_SECONDS", 0.1)
    serving.change(State(False, "whisper died", soon=True))
    code, words, _ = await refusal(ask(channel, b"film"))
    serving.change(State(True))
    assert (code, words, serving.admission.waiting) == (StatusCode.UNAVAILABLE, "whisper died", 0)


async def test_a_clip_that_is_lost_with_a_process_is_asked_again(channel, serving: Serving, held: ToyGraph):
    before = len(held.began())
    call = ask(channel, b"wait for the second time")
    await until(lambda: len(held.began()) == before + 1)
    kill_step(serving, "waits")
    held.go()
    assert size_of(await call) == 24
    assert held.began()[before:] == 2 * ["wait for the second time"]


async def test_a_clip_that_is_inside_when_a_step_dies_need_not_come_to_it(channel, serving: Serving, held: ToyGraph):
    before, asked_again = len(held.began()), metrics.ASKED_AGAIN._value.get()
    call = ask(channel, b"wait before the next step")
    await until(lambda: len(held.began()) == before + 1)
    kill_step(serving, "notes")
    await until(lambda: metrics.ASKED_AGAIN._value.get() == asked_again + 1)
    held.go()
    assert size_of(await call) == 25


async def test_what_clients_ask_first_waits_for_a_triton_that_is_started_anew(channel, serving: Serving):
    psutil.Process(serving.server.pid).kill()
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
    assert (await stub.ServerMetadata(service_pb2.ServerMetadataRequest())).version
    assert size_of(await ask(channel, b"film")) == 4


async def test_a_clip_that_ends_its_process_is_asked_twice_and_no_more(channel, serving: Serving, graph: ToyGraph):
    before = len(graph.began())
    code, words, trailing = await refusal(ask(channel, b"kill"))
    assert (code, words) == (
        StatusCode.UNAVAILABLE,
        "the server lost this clip twice, each time with a process that ended",
    )
    assert int(trailing["grpc-retry-pushback-ms"]) < 0
    assert graph.began()[before:] == 2 * ["kill"]
    await until(lambda: not serving.gate.state.ready)
    await until(lambda: serving.gate.state.ready)
    assert size_of(await ask(channel, b"film")) == 4


def kill_step(serving: Serving, step: str) -> None:
    (stub,) = [child for child in psutil.Process(serving.server.pid).children() if step_of(child) == step]
    stub.kill()


async def test_metrics_are_the_door_s_and_triton_s(channel, serving: Serving):
    await ask(channel, b"film")
    await refusal(ask(channel, b"fail"))
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{serving.settings.web}/metrics") as response:
            text = await response.text()
        async with session.get(f"http://{serving.settings.web}/v2/health/live") as response:
            assert response.status == 200
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['triptych_requests_total{status="OK"}']) >= 1
    assert float(lines['triptych_requests_total{status="INVALID_ARGUMENT"}']) >= 1
    assert lines["triptych_ready"] == "1.0"
    assert float(lines['nv_inference_count{model="waits",version="1"}']) >= 1


async def test_whoever_comes_before_triton_has_started_is_told_so(graph: ToyGraph, tmp_path: Path):
    door, page = Address("127.0.0.1", free_port()), Address("127.0.0.1", free_port())
    server = running(Settings(door=door, web=page, repository=graph.root, work=tmp_path / "work"))
    starting = asyncio.create_task(server.__aenter__())
    await until(lambda: why_not_listen(door.port) != "")
    async with grpc.aio.insecure_channel(str(door), WITHOUT_PROXY) as channel:
        code, words, trailing = await refusal(ask(channel, b"film"))
        health = health_pb2_grpc.HealthStub(channel)
        assert (
            await health.Check(health_pb2.HealthCheckRequest())
        ).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await starting
        assert size_of(await ask(channel, b"film")) == 4
    assert (code, words) == (StatusCode.UNAVAILABLE, "Triton is starting")
    assert "grpc-retry-pushback-ms" in trailing
    await server.__aexit__(None, None, None)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def security(authority: trustme.CA, tmp_path: Path) -> Security:
    """TLS for 127.0.0.1, which asks clients for certificates of the same authority, and for a token."""
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "token").write_text(TOKEN)
    return Security(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem", tmp_path / "token")


def credentials(trusted: trustme.CA, own: trustme.LeafCert | None) -> grpc.ChannelCredentials:
    """Return a client's credentials: whom it trusts, and its own certificate."""
    key, chain = (own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()) if own else (None, None)
    return grpc.ssl_channel_credentials(trusted.cert_pem.bytes(), key, chain)


async def test_certificates_and_a_token_are_asked_for_where_they_are_set(
    graph: ToyGraph, tmp_path: Path, authority: trustme.CA, security: Security
):
    stranger, long_ago = trustme.CA(), datetime(2020, 1, 1, tzinfo=timezone.utc)
    own = authority.issue_cert("me@example.org")
    expired = authority.issue_cert("me@example.org", not_before=long_ago, not_after=long_ago + timedelta(days=1))
    bearer = (("authorization", f"Bearer {TOKEN}"),)
    async with served(graph, tmp_path / "work", security=security) as serving:

        async def outcome(given: grpc.ChannelCredentials | None, metadata: tuple = bearer) -> StatusCode:
            address = str(serving.settings.door)
            secure, options = grpc.aio.secure_channel, WITHOUT_PROXY
            channel = secure(address, given, options) if given else grpc.aio.insecure_channel(address, options)
            async with channel:
                call = ask(channel, b"film", metadata=metadata, timeout=20)
                return await call.code()

        assert await outcome(credentials(authority, own)) is StatusCode.OK
        assert await outcome(credentials(authority, own), ()) is StatusCode.UNAUTHENTICATED
        for wrong in ("Bearer wrong", TOKEN, f"Bearer {TOKEN}x"):
            answer = await outcome(credentials(authority, own), (("authorization", wrong),))
            assert answer is StatusCode.UNAUTHENTICATED
        assert await outcome(credentials(authority, None)) is StatusCode.UNAVAILABLE
        assert await outcome(credentials(authority, stranger.issue_cert("me@example.org"))) is StatusCode.UNAVAILABLE
        assert await outcome(credentials(authority, expired)) is StatusCode.UNAVAILABLE
        assert await outcome(credentials(stranger, own)) is StatusCode.UNAVAILABLE
        assert await outcome(None) is StatusCode.UNAVAILABLE
        async with grpc.aio.secure_channel(
            str(serving.settings.door), credentials(authority, own), WITHOUT_PROXY
        ) as channel:
            metadata = channel.unary_unary("/inference.GRPCInferenceService/ServerMetadata")
            assert (await refusal(metadata(b"")))[0] is StatusCode.UNAUTHENTICATED
            health = health_pb2_grpc.HealthStub(channel)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1


@asynccontextmanager
async def collector(spans: list) -> AsyncIterator[str]:
    """Collect spans as an OpenTelemetry collector does, by OTLP over HTTP: as protobuf, or as JSON like Triton."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        if request.content_type == "application/json":
            traces = json.loads(body)
        else:
            traces = MessageToDict(ExportTraceServiceRequest.FromString(body))
        spans.extend(
            span for group in traces["resourceSpans"] for part in group["scopeSpans"] for span in part["spans"]
        )
        return web.Response()

    app, port = web.Application(client_max_size=1 << 24), free_port()
    app.add_routes([web.post("/v1/traces", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/v1/traces"
    await runner.cleanup()


async def test_the_spans_of_the_door_and_of_every_step_are_in_the_caller_s_trace(graph: ToyGraph, tmp_path: Path):
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    spans: list = []
    async with (
        collector(spans) as url,
        served(graph, tmp_path / "work", otlp_endpoint=url) as serving,
        grpc.aio.insecure_channel(str(serving.settings.door), WITHOUT_PROXY) as channel,
    ):
        await ask(channel, b"film", metadata=(("traceparent", f"00-{trace}-{parent}-01"),))
    mine = {span["name"]: span for span in spans if identity(span["traceId"]) == trace}
    parents = {name: identity(span["parentSpanId"]) for name, span in mine.items()}
    numbers = {name: identity(span["spanId"]) for name, span in mine.items()}
    assert parents["triptych.door"] == parent
    assert parents["InferRequest"] == numbers["triptych.door"]
    assert parents["emotion"] == numbers["InferRequest"]
    assert parents["waits"] == parents["notes"] == numbers["emotion"]


def identity(text: str) -> str:
    """Return the number of a span or a trace in hexadecimal: Triton sends that, protobuf gives base64."""
    return text if len(text) in (16, 32) and not text.endswith("=") else b64decode(text).hex()


async def test_what_was_let_in_is_answered_before_the_end(graph: ToyGraph, tmp_path: Path):
    graph.hold()
    async with served(graph, tmp_path / "work", bounds=Bounds(in_flight=1, waiting=1)) as serving:
        channel = grpc.aio.insecure_channel(str(serving.settings.door), WITHOUT_PROXY)
        calls = [ask(channel, b"wait %d" % number) for number in (81, 82)]
        await until(lambda: (serving.admission.in_flight, serving.admission.waiting) == (1, 1))
        asyncio.get_running_loop().call_later(0.5, graph.go)
    assert [size_of(answer) for answer in await asyncio.gather(*calls)] == [7, 7]
    await channel.close()
