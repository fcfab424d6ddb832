"""The genuine Triton server of the `nvidia-pytriton` wheel, as a child process on a CPU host, without Docker.

In NVIDIA's container it is the Triton of the container, with its own backends: TRIPTYCH_TRITON (`host.other_triton`).
Nobody but this user reaches it: it listens on Unix sockets in a private folder, on no port. `triptych serve` puts its
own door before it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil
import tritonclient.grpc as triton

from triptych.errors import TriptychError
from triptych.generations import link
from triptych.paths import BACKENDS, BUILD, MODEL_REPOSITORY
from triptych.serving import shared_memory
from triptych.serving.child import Child
from triptych.serving.environment import environment
from triptych.serving.host import PYTHON, check_limits, other_triton, package_folder, triton_home
from triptych.serving.logs import Log
from triptych.serving.private import CONTROL, Private
from triptych.serving.sources import copy_whole
from triptych.serving.work import Work

PACKAGES = ("triptych", "triptych_client")
"""What the steps' code is built on."""
START_SECONDS = 180.0
STOP_SECONDS = 30.0
IDLE_SECONDS = 5.0
POLL_SECONDS = 0.05
MODELS, BACKEND_LINK, GRPC, METRICS, SUFFIX = "models", "backends", "grpc", "metrics", "1"
"""What the private folder holds: two links and two sockets; the name of gRPC's has a suffix."""
PACKAGES_FOLDER = "packages"
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
"""The socket is not there yet when the client first asks for it."""


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


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what keeps us from writing into a folder into a TriptychError with the remedies."""
    try:
        yield
    except OSError as error:
        raise TriptychError(
            f"cannot write into {folder}: {error.strerror or error}. Free some space, or choose another folder: "
            "triptych serve --work FOLDER, or the variable TRIPTYCH_HOME for all that is written"
        ) from error


def _wait_while_it_works(child: Child, seconds: float) -> None:
    """Wait until a server that was told to end has ended, or so many seconds, or until it does nothing any more.

    Triton 2.51 never forgets a request that was in a step when the step died, and would wait for it.
    """
    deadline = time.monotonic() + seconds
    try:
        work = Work([psutil.Process(child.pid)])
    except psutil.NoSuchProcess:
        return
    while child.wait(POLL_SECONDS) is None and time.monotonic() < deadline and work.idle_s() < IDLE_SECONDS:
        pass


class EmbeddedServer:
    """A Triton server over a model repository; a context manager that stops it at the end.

    Everything is written into `work`; the repository is only read. `options` are further flags of tritonserver,
    `environment` further variables for it and its steps.
    """

    def __init__(
        self,
        repository: Path = MODEL_REPOSITORY,
        *,
        work: Path = BUILD / "server",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.repository = repository.absolute()
        self.work = work.absolute()
        self.options = options
        self.environment = dict(environment or {})
        self._private: Private | None = None
        self._log: Log | None = None
        self._child: Child | None = None
        self._starts = 0
        self._wanted = False

    @property
    def grpc_url(self) -> str:
        """Address for gRPC clients on this host, the same after a restart; TriptychError when not started."""
        return f"unix:{self._own().folder / GRPC}:{SUFFIX}"

    @property
    def metrics_socket(self) -> Path:
        """The Unix socket that Triton's metrics are had from, by HTTP; TriptychError when not started."""
        return self._own().folder / METRICS

    @property
    def regions(self) -> str:
        """What the names of its regions of shared memory begin with; TriptychError when not started."""
        return self._own().regions

    @property
    def starts(self) -> int:
        """How often Triton was started."""
        return self._starts

    @property
    def log(self) -> Path:
        """The log of this server alone; TriptychError before the first start."""
        return self._written().path

    @property
    def pid(self) -> int:
        """The process of tritonserver; 0 before the start and after the stop."""
        return self._child.pid if self._child else 0

    @property
    def status(self) -> int | None:
        """Exit status of a tritonserver that ended by itself, negative for a signal; None while it runs."""
        return self._child.status if self._child else None

    def command(self) -> list[str]:
        """Return the command line of tritonserver; it sees its folders through links with plain names."""
        home, own = triton_home(), self._own()
        return [
            str(home / "bin" / "tritonserver"),
            f"--id={self._identity()}",
            f"--model-repository={own.folder / MODELS}",
            f"--backend-directory={own.folder / BACKEND_LINK}",
            f"--cache-directory={home / 'caches'}",
            f"--backend-config=python,shm-region-prefix-name={own.regions}",
            # 30 s by default, after which 2.51 does not say so but aborts (boost::interprocess::lock_exception).
            f"--backend-config=python,stub-timeout-seconds={START_SECONDS:.0f}",
            "--disable-auto-complete-config",
            "--model-control-mode=explicit",  # so that a step which has died can be loaded anew
            "--load-model=*",
            f"--grpc-address=unix:{own.folder / GRPC}",
            f"--grpc-port={SUFFIX}",  # Triton makes it a part of the socket's name
            f"--metrics-address=unix:{self.metrics_socket}",
            "--allow-http=false",
            *(() if other_triton() else ("--allow-gpu-metrics=false",)),  # the embedded one has none
            *self.options,
        ]

    def start(self) -> EmbeddedServer:
        """Start the server and return when every model is ready; TriptychError with the log's words if it fails."""
        self._wanted = True
        check_limits(steps=sum(1 for _ in self.repository.glob("*/config.pbtxt")))
        shared_memory.check()
        try:
            self._lay_out()
            self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def restart(self) -> None:
        """End Triton at once, whatever runs, and start it anew at the same address. Errors as of `start`."""
        self._end(0)
        self._launch()

    def stop(self, seconds: float = STOP_SECONDS) -> int | None:
        """Stop the server: requests under way are answered first, within so many seconds. Return Triton's exit status.

        Nothing of it is left afterwards but its log.
        """
        self._wanted = False  # a start in another thread gives up
        status = self._end(seconds)
        private, self._private = self._private, None  # a start that gives up stops the server as well
        if private:
            private.close()
        if self._log:
            self._log.release()
        return status

    def wait(self) -> int:
        """Wait until the server ends by itself and return its exit status."""
        return (self._child.wait() if self._child else None) or 0

    @property
    def control_socket(self) -> Path:
        """Where the service that has this server listens to its own user; TriptychError when not started."""
        return self._own().folder / CONTROL

    def read_from(self, repository: Path) -> None:
        """Have Triton find what it loads from now on in another repository; what is loaded stays as it is."""
        link(self._own().folder / MODELS, str(repository.absolute()))

    def trim_log(self) -> None:
        """Keep the log within its bound."""
        self._written().trim()

    def _lay_out(self) -> None:
        with _writing(self.work):
            other = other_triton()
            backends = other / "backends" if other else lay_out_backends(self.work / "backends")
            lay_out_packages(self.work / PACKAGES_FOLDER)
            self._private = Private()
            self._log = Log(self.work, self._private.name)
        for name, target in {MODELS: self.repository, BACKEND_LINK: backends}.items():
            link(self._private.folder / name, str(target))

    def _launch(self) -> None:
        self._starts += 1
        self._written().mark()
        self._child = Child(
            self.command(),
            environment=environment(self.environment),
            folder=self.work / PACKAGES_FOLDER,
            log=self.log,
        )
        try:
            self._wait_until_ready(self._child)
        except BaseException:
            self._end(0)
            raise

    def _end(self, seconds: float) -> int | None:
        """Have Triton end, by force after so many seconds, and remove what it has left."""
        child, self._child = self._child, None
        if child is None:
            return None
        if seconds:
            child.signal(signal.SIGTERM)
            _wait_while_it_works(child, seconds)
        child.signal(signal.SIGKILL)
        status = child.wait()
        if self._private:
            self._private.empty()
        return status

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        with triton.InferenceServerClient(self.grpc_url, channel_args=RECONNECT) as client:
            while not self._answers(client):
                if not self._wanted:
                    raise TriptychError("Triton was stopped while it started")
                if child.wait(POLL_SECONDS) is not None:
                    raise TriptychError(f"Triton did not start:\n{self._written().complaints()}\nIts log: {self.log}")
                if time.monotonic() > deadline:
                    raise TriptychError(f"Triton was not ready after {START_SECONDS:.0f} s. Its log: {self.log}")

    def _answers(self, client: triton.InferenceServerClient) -> bool:
        """Tell whether every model is ready, and the one that says so is this server."""
        try:
            ready, metadata = client.is_server_ready(), client.get_server_metadata()
        except triton.InferenceServerException:
            return False
        return bool(ready and metadata and metadata.name == self._identity())

    def _identity(self) -> str:
        return f"{self._own().name}.{self._starts}"

    def _own(self) -> Private:
        if self._private is None:
            raise TriptychError("Triton has not been started")
        return self._private

    def _written(self) -> Log:
        if self._log is None:
            raise TriptychError("Triton has not been started")
        return self._log

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
