"""The genuine Triton server of the `nvidia-pytriton` wheel, as a child process on a CPU host, without Docker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import tritonclient.grpc as triton

from triptych.errors import TriptychError
from triptych.generations import link
from triptych.paths import BACKENDS, BUILD, MODEL_REPOSITORY
from triptych.serving.host import (
    LIBPYTHON,
    PYTHON,
    check_path,
    free_port,
    package_folder,
    python_library,
    triton_home,
    why_not_listen,
)
from triptych.serving.sources import copy_whole

# glibc gives the pages of a freed tensor back at once and takes them anew for the next: with these settings it keeps
# them, which makes a step with tensors of 44 MB three to five times as fast.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
PACKAGES = ("triptych", "triptych_client")
"""What the steps' code is built on."""
START_SECONDS = 180.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1


def lay_out_backends(target: Path) -> Path:
    """Write Triton's backend folder: its Python backend and ours, as real copies, and return it.

    A Python-based backend whose library is a symlink is refused ("escapes backend directory").
    """
    home = triton_home()
    stub = home / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.is_file():
        raise TriptychError(f"the embedded Triton has no stub for Python {PYTHON}; use Python 3.10 to 3.12")
    python = target / "python"
    python.mkdir(parents=True, exist_ok=True)
    native = home / "backends" / "python"
    for source in (native / "libtriton_python.so", native / "triton_python_backend_utils.py", stub):
        copy_whole(source, python / source.name)
    for source in BACKENDS.glob("*/model.py"):
        (target / source.parent.name).mkdir(exist_ok=True)
        copy_whole(source, target / source.parent.name / source.name)
    return target


def lay_out_packages(target: Path) -> Path:
    """Make a folder in which a step finds the packages that this process runs, and return it.

    The stubs take no PYTHONPATH, and import from the folder that they are started in before all others: in that of the
    user, any numpy.py would do.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        link(target / name, str(package_folder(name, f"the package {name} is missing: install it anew").resolve()))
    return target


def environment() -> dict[str, str]:
    """Return the server's environment: this Python for its stubs, Triton's libraries, and malloc settings."""
    library = python_library()
    if library is None:
        raise TriptychError(
            f"Triton needs the shared library {LIBPYTHON}, which this Python lacks: sudo apt-get install "
            f"libpython{PYTHON}"
        )
    libraries = [str(library.parent), str(triton_home().parent.parent / "nvidia_pytriton.libs")]
    inherited = os.environ.get("LD_LIBRARY_PATH", "")
    return {
        **MALLOC,
        **os.environ,
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', '')}",
        "LD_LIBRARY_PATH": ":".join([*libraries, *([inherited] if inherited else [])]),
    }


class EmbeddedServer:
    """A Triton server over a model repository; a context manager that stops it at the end.

    `options` are further flags of tritonserver. Ports of 0 are chosen freely. Only 127.0.0.1 is served unless `host`
    says otherwise: the server has no authentication of its own.
    """

    def __init__(
        self,
        repository: Path = MODEL_REPOSITORY,
        *,
        work: Path = BUILD / "server",
        host: str = "127.0.0.1",
        grpc_port: int = 0,
        http_port: int = 0,
        metrics_port: int = 0,
        options: Sequence[str] = (),
    ) -> None:
        self.repository = repository.absolute()
        self.work = work.absolute()
        self.host = host
        self.grpc_port = grpc_port or free_port()
        self.http_port = http_port or free_port()
        self.metrics_port = metrics_port or free_port()
        self.options = options
        self.log = self.work / f"triton-{self.grpc_port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients on this host."""
        return f"127.0.0.1:{self.grpc_port}"

    def command(self) -> list[str]:
        """Return the command line of tritonserver."""
        home = triton_home()
        return [
            str(home / "bin" / "tritonserver"),
            f"--model-repository={self.repository}",
            f"--backend-directory={lay_out_backends(self.work / 'backends')}",
            f"--cache-directory={home / 'caches'}",
            f"--backend-config=python,shm-region-prefix-name=triptych_{os.getpid()}_{self.grpc_port}_",
            "--disable-auto-complete-config",
            "--allow-gpu-metrics=false",
            *(f"--{service}-address={self.host}" for service in ("grpc", "http", "metrics")),
            f"--grpc-port={self.grpc_port}",
            f"--http-port={self.http_port}",
            f"--metrics-port={self.metrics_port}",
            *self.options,
        ]

    def start(self) -> EmbeddedServer:
        """Start the server and return when every model is ready; TriptychError with the log's words if it fails."""
        self._check_ports()
        for folder in (self.repository, self.work):
            check_path(folder)
        self.work.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=environment(),
                cwd=lay_out_packages(self.work / "packages"),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server: requests under way are answered first."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def wait(self) -> int:
        """Wait until the server ends by itself and return its exit status."""
        return self.process.wait() if self.process else 0

    def _check_ports(self) -> None:
        """Raise TriptychError for a port that cannot be had: another Triton on it would answer in the place of ours."""
        for service, port in {"gRPC": self.grpc_port, "HTTP": self.http_port, "metrics": self.metrics_port}.items():
            reason = why_not_listen(port, self.host)
            if reason:
                raise TriptychError(
                    f"cannot listen on port {port} of {self.host} for {service}: {reason}. Stop what listens there, or "
                    f"choose another: triptych serve --{service.lower()}-port PORT"
                )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        with triton.InferenceServerClient(self.grpc_url) as client:
            while not self._answers(client):
                if self.process is None or self.process.poll() is not None:
                    raise TriptychError(f"Triton did not start:\n{self._complaints()}\nIts log: {self.log}")
                if time.monotonic() > deadline:
                    raise TriptychError(f"Triton was not ready after {START_SECONDS:.0f} s. Its log: {self.log}")
                time.sleep(POLL_SECONDS)

    @staticmethod
    def _answers(client: triton.InferenceServerClient) -> bool:
        try:
            return bool(client.is_server_ready())
        except triton.InferenceServerException:
            return False

    def _complaints(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line for line in lines if line.startswith(("E", "error", "W")) and "failed" in line.lower()]
        return "\n".join(errors[-5:] or [*lines[:1], *lines[1:][-4:]])

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
