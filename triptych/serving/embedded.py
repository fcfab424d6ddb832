"""The genuine Triton server of the `nvidia-pytriton` wheel, as a child process on a CPU host, without Docker."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import tritonclient.grpc as triton

from triptych.errors import TriptychError
from triptych.paths import BACKENDS, BUILD, MODEL_REPOSITORY

# glibc gives the pages of a freed tensor back at once and takes them anew for the next: with these settings it keeps
# them, which makes a step with tensors of 44 MB three to five times as fast.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
START_SECONDS = 180.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1


def triton_home() -> Path:
    """Return the folder of Triton's binaries; TriptychError when the wheel is not installed."""
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise TriptychError("the embedded Triton is missing: pip install nvidia-pytriton==0.7.0")
    return Path(spec.origin).parent / "tritonserver"


def python_library() -> Path | None:
    """Return the shared libpython of this interpreter, or None when there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"libpython{version}.so.1.0"
    folders = [sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix) / "lib", "/usr/lib/x86_64-linux-gnu"]
    for folder in folders:
        if folder and (Path(folder) / name).is_file():
            return Path(folder) / name
    return None


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lay_out_backends(target: Path) -> Path:
    """Write Triton's backend folder: its Python backend and ours, as real copies, and return it.

    A Python-based backend whose library is a symlink is refused ("escapes backend directory").
    """
    home = triton_home()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise TriptychError(f"the embedded Triton has no stub for Python {version}; use Python 3.10 to 3.12")
    python = target / "python"
    python.mkdir(parents=True, exist_ok=True)
    native = home / "backends" / "python"
    for source in (native / "libtriton_python.so", native / "triton_python_backend_utils.py", stub):
        _copy(source, python / source.name)
    for source in BACKENDS.glob("*/model.py"):
        (target / source.parent.name).mkdir(exist_ok=True)
        _copy(source, target / source.parent.name / source.name)
    return target


def _copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all: another server may be reading the target."""
    have, want = target.stat() if target.is_file() else None, source.stat()
    if have and (have.st_size, int(have.st_mtime)) == (want.st_size, int(want.st_mtime)):
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copy2(source, partial)
    partial.replace(target)


def environment() -> dict[str, str]:
    """Return the server's environment: this Python for its stubs, Triton's libraries, and malloc settings."""
    library = python_library()
    if library is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise TriptychError(
            f"Triton needs the shared library libpython{version}.so.1.0, which this Python lacks: "
            f"sudo apt-get install libpython{version}"
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
        self.repository = repository
        self.work = work
        self.host = host
        self.grpc_port = grpc_port or free_port()
        self.http_port = http_port or free_port()
        self.metrics_port = metrics_port or free_port()
        self.options = options
        self.log = work / f"triton-{self.grpc_port}.log"
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
        self.work.mkdir(parents=True, exist_ok=True)
        command = self.command()
        for model in self.repository.glob("*/config.pbtxt"):
            (model.parent / "1").mkdir(exist_ok=True)  # an ensemble wants a version folder, which may be empty
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment(), stdout=log, stderr=subprocess.STDOUT)
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
        lines = self.log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith(("E", "error", "W")) and "failed" in line.lower()]
        return "\n".join((errors or lines)[-5:])

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
