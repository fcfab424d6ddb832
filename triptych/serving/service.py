"""`triptych serve` as a child process: what the demo, the tests and the benchmarks talk to is what users start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from triptych.errors import TriptychError
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.host import Address, free_port

COMMAND = (sys.executable, "-c", "from triptych_client.cli import main; main()", "serve")
START_SECONDS = 180.0
STOP_SECONDS = 120.0
POLL_SECONDS = 0.1
LAST_LINES = 10


class Service:
    """A served model repository on free ports of `host`; a context manager that stops it at the end.

    `arguments` are further flags of `triptych serve`, or of another `command` in its place; `environment` is what is
    changed in its environment.
    """

    def __init__(
        self,
        repository: Path = MODEL_REPOSITORY,
        *,
        work: Path = BUILD / "server",
        host: str = "127.0.0.1",
        command: Sequence[str] = COMMAND,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.grpc_port, self.metrics_port = free_port(), free_port()
        self.grpc_url = str(Address(host, self.grpc_port))
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}"
        self.log = work / f"serve-{self.grpc_port}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = {**os.environ, **(environment or {})}
        self._command = [
            *command,
            f"--repository={repository}",
            f"--work={work}",
            f"--host={host}",
            f"--grpc-port={self.grpc_port}",
            f"--metrics-port={self.metrics_port}",
            *arguments,
        ]

    def start(self) -> Service:
        """Start it, and return when clips are answered; TriptychError with its last words if it ends before."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            self.wait_until_ready(START_SECONDS)
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self, seconds: float) -> None:
        """Return when it says that clips are answered; TriptychError when it has ended, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.process is None or self.process.poll() is not None:
                raise TriptychError(f"`triptych serve` did not start:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise TriptychError(f"`triptych serve` was not ready after {seconds:.0f} s. Its log: {self.log}")
            time.sleep(POLL_SECONDS)

    def is_ready(self) -> bool:
        """Ask gRPC's health service."""
        with grpc.insecure_channel(self.grpc_url, [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                health: Any = health_pb2_grpc.HealthStub(channel)
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
            except grpc.RpcError:
                return False
            return answer.status == health_pb2.HealthCheckResponse.SERVING

    def metrics(self) -> str:
        """Return the page of metrics: the door's, the supervision's and Triton's."""
        with urllib.request.urlopen(f"{self.metrics_url}/metrics") as answer:
            return answer.read().decode()

    def stop(self) -> int | None:
        """Stop it as an operator does, clips that were let in are answered first; return its exit status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        return status

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def __enter__(self) -> Service:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
