"""A peer that speaks Triton's protocol, and refuses what it is told to refuse before it answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from samples import client as samples

UNAVAILABLE, BUSY = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED


@dataclass(frozen=True)
class Refusal:
    """An error instead of an answer; `retry_after_ms` is the hint behind it."""

    status: grpc.StatusCode
    words: str = "3 in flight, 12 waiting"
    retry_after_ms: int | None = None


class ScriptedServer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Listens while it is entered; refuses clips as `refusals` say, one after the other, then answers each.

    `changes` are tensors of the answer that are others. `token` is asked for where it is given. `requests` are the
    clips' requests that came whole, `metadata` what came with each of them and `greetings` with each question for the
    server's metadata; `asked` is set by the first clip.
    """

    def __init__(
        self,
        refusals: Iterable[Refusal] = (),
        *,
        extensions: Sequence[str] = (),
        token: str | None = None,
        credentials: grpc.ServerCredentials | None = None,
        address: str = "127.0.0.1:0",
        max_message_bytes: int = -1,
        changes: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.greetings: list[dict[str, Any]] = []
        self.asked = Event()
        self._refusals = iter(refusals)
        self._extensions = extensions
        self._token = token
        self._changes = changes or {}
        options = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        bind = self._server.add_secure_port if credentials else self._server.add_insecure_port
        self.port = bind(*((address, credentials) if credentials else (address,)))
        self.url = f"127.0.0.1:{self.port}"

    def __enter__(self) -> ScriptedServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def ServerMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.greetings.append(dict(context.invocation_metadata()))
        self._admit(context)
        return service_pb2.ServerMetadataResponse(name="scripted", version="2.51.0", extensions=self._extensions)

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.asked.set()
        self._admit(context)
        refusal = next(self._refusals, None)
        if refusal is None:
            return _answer([output.name for output in request.outputs], self._changes)
        if refusal.retry_after_ms is not None:
            context.set_trailing_metadata((("grpc-retry-pushback-ms", str(refusal.retry_after_ms)),))
        return context.abort(refusal.status, refusal.words)

    def _admit(self, context: grpc.ServicerContext) -> None:
        given = dict(context.invocation_metadata()).get("authorization")
        if self._token is not None and given != f"Bearer {self._token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token, or a wrong one")


def _answer(names: Sequence[str], changes: Mapping[str, np.ndarray]) -> Any:
    """Return the sample's answer, with some tensors exchanged, as Triton sends it."""
    arrays = {**samples.tensors(), **samples.looks(), **changes}
    message = service_pb2.ModelInferResponse
    return message(
        model_name="emotion",
        outputs=[
            message.InferOutputTensor(name=name, datatype=_dtype(arrays[name]), shape=arrays[name].shape)
            for name in names
        ],
        raw_output_contents=[_bytes(arrays[name]) for name in names],
    )


def _dtype(array: np.ndarray) -> str:
    return "BYTES" if array.dtype == object else np_to_triton_dtype(array.dtype)


def _bytes(array: np.ndarray) -> bytes:
    return serialize_byte_tensor(array).item() if array.dtype == object else array.tobytes()
