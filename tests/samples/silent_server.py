"""A peer that speaks Triton's protocol as far as to say its version, and never answers a clip."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc


class SilentServer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Listens while it is entered. `asked` is set by the first clip; `remaining_s` has what each request is given."""

    delay_s = 0.2
    """How long it takes to say the version."""

    def __init__(self) -> None:
        self.asked = Event()
        self.remaining_s: list[float] = []
        self._ended = Event()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
        self.url = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)

    def __enter__(self) -> SilentServer:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.stop(None).wait()

    def ServerMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.remaining_s.append(context.time_remaining())
        self._ended.wait(self.delay_s)
        return service_pb2.ServerMetadataResponse(name="silent", version="0")

    def ModelInfer(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.remaining_s.append(context.time_remaining())
        self.asked.set()
        self._ended.wait()
        return service_pb2.ModelInferResponse()
