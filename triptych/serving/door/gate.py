"""The gate: gRPC calls of clients -> calls of Triton, as bytes.

ModelInfer is taken as a *stream* of requests, which on the wire a single request is: so a clip is refused before its
bytes are read. What came is looked at, and only what was understood goes on: see `parcel`. What was handed to Triton is
never cancelled there, whatever the caller does: see `tickets`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

import grpc
from grpc import StatusCode
from grpc.aio import AioRpcError, ServicerContext

from triptych.serving import metrics
from triptych.serving.door import tickets, wire
from triptych.serving.door.admission import Admission, Refusal, Stay
from triptych.serving.door.calls import LOG, Call, Record
from triptych.serving.door.losses import is_lost
from triptych.serving.door.parcel import Parcel, opened
from triptych.serving.door.readiness import Readiness
from triptych.serving.door.shared import SharedClips
from triptych.serving.door.slots import Slots
from triptych.serving.door.tickets import Tickets
from triptych.serving.door.tracing import Headers, Spans
from triptych.serving.supervision.state import State
from triptych_client.protocol import CLIP_LIMIT, REQUEST_ID, RETRY_AFTER_MS, SECONDS_LIMIT, SERVICE, SHARED_MEMORY

PASSED = ("ModelMetadata", "ModelConfig", "ModelStatistics")
"""What clients may ask besides: nothing that changes the server, or lets it open files or memory."""
BODY_SECONDS = 30.0
"""A clip must be here within so long after it was let in: a slow sender keeps others out."""
ASK_SECONDS = 10.0
MEND_SECONDS = 2.0
"""The hint when to try again while something is mended: to load a step anew takes about so long."""
HOLD_SECONDS = 5.0
"""So long a clip that comes while a step is loaded anew waits for it, before it is refused."""
EXCHANGE_SECONDS = 60.0
"""So long it waits for a model that is exchanged by order: the largest take most of it to load."""
RECOVERY_SECONDS = 30.0
"""So long a clip waits that was lost with a process: all of Triton is back in less."""
CONNECT_SECONDS = 2.0
"""So long it takes at most to reach a Triton that is ready: the line to the one before is tried every half second."""
NEVER = -1.0
"""The hint not to try again: a negative time, as gRPC's retries read it."""

Method = Callable[[bytes, ServicerContext], Awaitable[bytes]]


class _Lost(Exception):  # noqa: N818  (it is a fate)
    """A clip is lost in Triton with a process that ended."""


class Gate(grpc.GenericRpcHandler):
    """Answers the calls of clients, most of them by asking Triton, once it is connected."""

    def __init__(
        self,
        admission: Admission,
        tickets: Tickets,
        clips: SharedClips,
        slots: Slots,
        max_seconds: float,
        spans: Spans,
        token: str | None = None,
    ) -> None:
        self.readiness = Readiness()
        self._channel: grpc.aio.Channel | None = None
        self._admission = admission
        self._tickets = tickets
        self._clips = clips
        self._slots = slots
        limits = (f"{CLIP_LIMIT}{clips.max_bytes}", f"{SECONDS_LIMIT}{max_seconds:g}")
        self._extensions = (*limits, *((SHARED_MEMORY,) if clips.allowed else ()))
        self._spans = spans
        self._token = token
        self._work: set[asyncio.Task[bytes]] = set()

    @property
    def state(self) -> State:
        """Whether clips are answered, and why not."""
        return self.readiness.state

    @property
    def connected(self) -> bool:
        """Whether there is a Triton to ask."""
        return self._channel is not None

    def connect(self, channel: grpc.aio.Channel) -> None:
        """Ask Triton over this channel from now on."""
        self._channel = channel

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return what answers a method; None for one that is not let through."""
        service, _, method = handler_call_details.method.lstrip("/").partition("/")
        if service != SERVICE:
            return None
        if method == "ModelInfer":
            return grpc.stream_unary_rpc_method_handler(self.infer)
        own: dict[str, Method] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            **{name: partial(self.ask, name) for name in PASSED},
        }
        return grpc.unary_unary_rpc_method_handler(own[method]) if method in own else None

    async def server_live(self, request: bytes, context: ServicerContext) -> bytes:
        """Answer ServerLive."""
        return wire.live()

    async def server_ready(self, request: bytes, context: ServicerContext) -> bytes:
        """Answer ServerReady: whether clips are answered."""
        return wire.ready(self.state.ready)

    async def server_metadata(self, request: bytes, context: ServicerContext) -> bytes:
        """Answer ServerMetadata, the limits among the extensions."""
        return wire.with_extensions(await self.ask("ServerMetadata", request, context), self._extensions)

    async def model_ready(self, request: bytes, context: ServicerContext) -> bytes:
        """Answer ModelReady: no model is ready while something is mended."""
        return await self.ask("ModelReady", request, context) if self.state.ready else wire.model_not_ready()

    async def ask(self, method: str, request: bytes, context: ServicerContext) -> bytes:
        """Pass a small request on."""
        try:
            self._check_token(Call.of(context))
            return await self._ask(method, request)
        except Refusal as refusal:
            await _abort(context, refusal)
        except AioRpcError as error:
            await _abort(context, failure(error))

    async def _ask(self, method: str, request: bytes) -> bytes:
        """Ask Triton something small; once more if it is lost with a process, as soon as that is back."""
        try:
            return await self._triton(method)(request, timeout=ASK_SECONDS)
        except AioRpcError as error:
            if not is_lost(error) or not await self.readiness.again(RECOVERY_SECONDS):
                raise
        await self._reach()
        return await self._triton(method)(request, timeout=ASK_SECONDS)

    async def infer(self, bodies: AsyncIterator[bytes], context: ServicerContext) -> bytes:
        """Pass a clip on, when it is its turn."""
        call, record = Call.of(context), Record()
        context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
        try:
            with self._spans.span(call.metadata, call.request_id) as headers:
                return await self._infer(bodies, call, record, headers)
        except Refusal as refusal:
            metrics.REFUSALS.labels(refusal.reason).inc()
            await self._end(call, record, refusal)
        except AioRpcError as error:
            await self._end(call, record, failure(error))
        except asyncio.CancelledError:
            metrics.LEFT.inc()
            record.status, record.reason = StatusCode.CANCELLED, "left"
            raise
        finally:
            record.close(call.request_id)

    async def _end(self, call: Call, record: Record, refusal: Refusal) -> NoReturn:
        record.status, record.reason = refusal.status, refusal.reason
        await _abort(call.context, refusal, (REQUEST_ID, call.request_id))

    async def _infer(self, bodies: AsyncIterator[bytes], call: Call, record: Record, headers: Headers) -> bytes:
        self._check_token(call)
        if not (self.state.ready or self.state.soon):
            raise self._mending()
        self._admission.check(call.remaining_s())
        with self._admission.place() as place:
            if not await self.readiness.within(EXCHANGE_SECONDS if self.state.planned else HOLD_SECONDS):
                raise self._mending()
            parcel = self._clips.fetched(opened(await _first(bodies)), call.context.peer())
            record.bytes = parcel.size
            stay = await place.turn(call.remaining_s)
        record.begin()
        answer = await self._answer(parcel, stay, call, headers)
        record.status = StatusCode.OK
        return answer

    async def _answer(self, parcel: Parcel, stay: Stay, call: Call, headers: Headers) -> bytes:
        """Hand a clip to Triton; once more if it is lost there with a process, as soon as that is back.

        No third time, and the client is told to ask no more: it may be this clip that ends the process.
        """
        try:
            return await self._hand_over(parcel, stay, call, headers)
        except _Lost:
            metrics.ASKED_AGAIN.inc()
        LOG.warning("a clip was lost with a process of Triton, and is asked again", request_id=call.request_id)
        with self._admission.place() as place:
            if not await self.readiness.again(RECOVERY_SECONDS):
                raise self._mending()
            stay = await place.turn(call.remaining_s)
        try:
            return await self._hand_over(parcel, stay, call, headers)
        except _Lost as error:
            words = "the server lost this clip twice, each time with a process that ended"
            raise Refusal(StatusCode.UNAVAILABLE, "lost", words, NEVER) from error

    async def _hand_over(self, parcel: Parcel, stay: Stay, call: Call, headers: Headers) -> bytes:
        """Ask Triton, and wait for its answer. That the caller has left is written on the board, and no more.

        _Lost when it comes to nothing, and as soon as a process ends that clips inside are likely to need yet: the clip
        may be far from it, so its work is left as if its caller had gone.
        """
        ticket = self._tickets.take()
        work = asyncio.create_task(self._ask_triton(parcel, stay, ticket, call, headers))
        self._work.add(work)
        work.add_done_callback(self._done)
        fault = asyncio.create_task(self.readiness.fault())
        try:
            await asyncio.wait({work, fault}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _Lost
            return work.result()
        except AioRpcError as error:
            if is_lost(error):
                raise _Lost from error
            raise
        finally:
            fault.cancel()
            if not work.done():
                self._tickets.leave(ticket)

    async def _reach(self) -> None:
        """Wait until there is a line to Triton: after it was started anew, the one to the Triton before is broken."""
        if self._channel is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._channel.channel_ready(), CONNECT_SECONDS)

    async def _ask_triton(self, parcel: Parcel, stay: Stay, ticket: int, call: Call, headers: Headers) -> bytes:
        parameters = {tickets.PARAMETER: ticket, tickets.REQUEST_ID: call.request_id}
        try:
            await self._reach()
            async with self._slots.holding(parcel.clip, self._triton("SystemSharedMemoryRegister")) as region:
                message = parcel.message(parameters, region)
                answer = await self._triton("ModelInfer")(message, metadata=headers)
            stay.answered = True
            return answer
        finally:
            self._admission.end(stay)
            self._tickets.give_back(ticket)

    def _done(self, work: asyncio.Task[bytes]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()  # whoever left does not ask for it

    async def drain(self) -> None:
        """Wait until Triton has answered all that it was handed."""
        while self._work:
            await asyncio.wait([*self._work])

    def _mending(self) -> Refusal:
        return Refusal(StatusCode.UNAVAILABLE, "mending", self.state.reason, MEND_SECONDS)

    def _triton(self, method: str) -> grpc.aio.UnaryUnaryMultiCallable:
        if self._channel is None:
            raise self._mending()
        return self._channel.unary_unary(f"/{SERVICE}/{method}")

    def _check_token(self, call: Call) -> None:
        if self._token is None:
            return
        given = call.metadata.get("authorization", "")
        given_bytes = given.encode() if isinstance(given, str) else given
        if not hmac.compare_digest(given_bytes, f"Bearer {self._token}".encode()):
            raise Refusal(StatusCode.UNAUTHENTICATED, "token", "the token is missing, or is not the server's")


def failure(error: AioRpcError) -> Refusal:
    """Return what a client is told of Triton's error: as it is, unless a step, or all of Triton, is gone."""
    if is_lost(error):
        words = "the server lost this call with a process that ended; it is being brought back"
        return Refusal(StatusCode.UNAVAILABLE, "lost", words, MEND_SECONDS)
    return Refusal(error.code(), "", error.details() or "")


async def _first(bodies: AsyncIterator[bytes]) -> bytes:
    """Return the body of the one request that a call has."""
    try:
        return await asyncio.wait_for(anext(aiter(bodies)), BODY_SECONDS)
    except StopAsyncIteration:
        words = "the call ended before its request was there"
        raise Refusal(StatusCode.INVALID_ARGUMENT, "no_body", words) from None
    except asyncio.TimeoutError:
        words = f"the clip was not here within {BODY_SECONDS:.0f} s: send a smaller one, or over a faster line"
        raise Refusal(StatusCode.RESOURCE_EXHAUSTED, "slow_body", words) from None


async def _abort(context: ServicerContext, refusal: Refusal, *trailing: tuple[str, str]) -> NoReturn:
    if refusal.retry_after_s is not None:
        trailing = (*trailing, (RETRY_AFTER_MS, str(round(1000 * refusal.retry_after_s))))
    await context.abort(refusal.status, refusal.words, trailing)
    raise AssertionError("gRPC's abort raises")
