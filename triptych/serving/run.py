"""`triptych serve`: the door, Triton behind it, and who watches over it, in one event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import grpc
import structlog
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer  # what `health.aio` is, by a name that type checkers see

from triptych.errors import TriptychError
from triptych.media.limits import Limits, longest_s
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving import control, metrics
from triptych.serving.door import tracing
from triptych.serving.door.admission import Admission, Bounds
from triptych.serving.door.credentials import Security
from triptych.serving.door.gate import Gate
from triptych.serving.door.shared import SharedClips
from triptych.serving.door.slots import Slots
from triptych.serving.door.tickets import VARIABLE, Tickets
from triptych.serving.door.web import application
from triptych.serving.embedded import EmbeddedServer
from triptych.serving.host import Address
from triptych.serving.supervision import State, Supervisor
from triptych_client.contract import ENSEMBLE

MESSAGE_SLACK_BYTES = 1 << 20
"""What a request has around its clip, at most."""
DRAIN_SECONDS = 60.0
"""SIGTERM waits so long for the clips that were let in."""
DOOR_OPTIONS = [
    ("grpc.keepalive_time_ms", 20_000),  # who vanished without a word is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.max_concurrent_streams", 128),
    # Then the client connects anew, after its calls under way: it looks the name up, and finds servers that came since.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.so_reuseport", 0),  # a second server must not share the port
]

RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500)]
"""Triton is back within seconds."""

LOG = structlog.get_logger("triptych.serve")


@dataclass(frozen=True)
class Settings:
    """What `triptych serve` is told."""

    door: Address
    web: Address
    repository: Path = MODEL_REPOSITORY
    work: Path = BUILD / "server"
    bounds: Bounds = field(default_factory=Bounds)
    security: Security = field(default_factory=Security)
    otlp_endpoint: str | None = None
    client_shared_memory: bool = False
    """Clients on this host may hand clips over in memory."""
    options: Sequence[str] = ()
    """Further flags of tritonserver."""


class Serving:
    """Triton behind the door, within one event loop."""

    def __init__(self, settings: Settings, server: EmbeddedServer, tickets: Tickets) -> None:
        self.settings = settings
        self.server = server
        self.admission = Admission(settings.bounds)
        metrics.IN_FLIGHT.set_function(lambda: self.admission.in_flight)
        metrics.WAITING.set_function(lambda: self.admission.waiting)
        limits = Limits.from_environment()
        self.max_clip_bytes = round(limits.mebibytes * (1 << 20))
        self.message_options = [
            ("grpc.max_receive_message_length", self.max_clip_bytes + MESSAGE_SLACK_BYTES),
            ("grpc.max_send_message_length", self.max_clip_bytes + MESSAGE_SLACK_BYTES),
            ("grpc.enable_http_proxy", 0),
        ]
        token = settings.security.token()
        self.spans = tracing.Spans(settings.otlp_endpoint)
        self.slots = Slots(server, self.max_clip_bytes)
        clips = SharedClips(settings.client_shared_memory, self.max_clip_bytes)
        longest = min(limits.seconds, longest_s())
        self.gate = Gate(self.admission, tickets, clips, self.slots, longest, self.spans, token)
        self.health = HealthServicer()
        self._telling: set[asyncio.Task[None]] = set()

    async def open_door(self) -> grpc.aio.Server:
        """Listen for gRPC; whoever comes before Triton is ready is told so."""
        door = grpc.aio.server(options=[*self.message_options, *DOOR_OPTIONS])
        door.add_generic_rpc_handlers([self.gate])
        health_pb2_grpc.add_HealthServicer_to_server(self.health, door)
        credentials, address = self.settings.security.credentials(), str(self.settings.door)
        if credentials:
            door.add_secure_port(address, credentials)
        else:
            door.add_insecure_port(address)
        await door.start()
        return door

    async def open_web(self) -> web.AppRunner:
        """Listen for Prometheus and for probes over HTTP."""
        runner = web.AppRunner(application(lambda: self.gate.state, self.triton_metrics), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self.settings.web.host, self.settings.web.port).start()
        return runner

    def change(self, state: State) -> None:
        """Let clips in, or tell them why not."""
        if state.ready and not self.gate.connected:  # Triton's address stays the same when it is started anew
            options = [*self.message_options, *RECONNECT]
            self.gate.connect(grpc.aio.insecure_channel(self.server.grpc_url, options=options))
        if state != self.gate.state:
            LOG.info("state", ready=state.ready, reason=state.reason)
        self.gate.readiness.change(state)
        serving = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", ENSEMBLE):
            told = self.health.set(name, serving.SERVING if state.ready else serving.NOT_SERVING)
            self._telling.add(task := asyncio.ensure_future(told))
            task.add_done_callback(self._telling.discard)

    async def triton_metrics(self) -> bytes:
        """Return Triton's own metrics as text; nothing while it cannot be asked."""
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.server.metrics_socket))) as session,
                session.get("http://triton/metrics", timeout=aiohttp.ClientTimeout(5)) as response,
            ):
                return await response.read()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
            return b""


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Serving]:
    """Run Triton, the door and its watch as long as the block; what was let in is answered at its end."""
    with TemporaryDirectory(prefix="triptych-") as folder:
        board = Path(folder, "tickets")
        tickets = Tickets(board)
        options = [*settings.options]
        if settings.otlp_endpoint:
            options += tracing.triton_options(settings.otlp_endpoint)
        server = EmbeddedServer(
            settings.repository, work=settings.work, options=options, environment={VARIABLE: str(board)}
        )
        service = Serving(settings, server, tickets)
        service.change(service.gate.state)
        try:
            door, page = await service.open_door(), await service.open_web()
        except (RuntimeError, OSError) as error:  # who checked them a moment ago found them free
            raise TriptychError(f"cannot listen on {settings.door} and {settings.web}: {error}") from error
        watch = Supervisor(server, service.admission, service.change)
        orders = web.AppRunner(control.application(watch.swap), access_log=None)
        try:
            await watch.start()
            await orders.setup()
            await web.UnixSite(orders, str(server.control_socket)).start()
            yield service
            service.change(State(False, "the server is stopping"))
            await door.stop(DRAIN_SECONDS)
            await service.gate.drain()
        finally:
            await orders.cleanup()
            await door.stop(None)
            await page.cleanup()
            await watch.stop()
            service.slots.close()
            await asyncio.to_thread(service.spans.close)


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. TriptychError when it cannot be started."""
    settings.door.check("--grpc-port")
    settings.web.check("--metrics-port")
    stopping = asyncio.ensure_future(_told_to_stop())
    async with AsyncExitStack() as stack:
        starting = asyncio.ensure_future(stack.enter_async_context(running(settings)))
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            return 0
        service = starting.result()
        addresses = {"grpc": str(settings.door), "metrics": f"http://{settings.web}/metrics"}
        LOG.info("serving", **addresses, log=str(service.server.log))
        await stopping
        LOG.info("stopping", in_flight=service.admission.in_flight)
    return 0


async def _told_to_stop() -> None:
    """Return when a signal asks for the end."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
