"""What the embedded Triton finds on this host: its binaries, the shared library of this Python, ports.

Built on the standard library alone: `make doctor` asks before anything is installed.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import sysconfig
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from triptych import resources
from triptych.errors import TriptychError

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
LIBPYTHON = f"libpython{PYTHON}.so.1.0"
SYSTEM_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
TRITON = "TRIPTYCH_TRITON"
"""The variable that names the folder of another Triton, such as /opt/tritonserver in NVIDIA's container."""
FILES = 256
"""Triton with every step has about 40 open at rest, each request and each connection a few more."""
THREADS, THREADS_OF_A_STEP = 100, 45
"""What Triton starts on its own, and for each model; to the kernel a thread is a process."""


def other_triton() -> Path | None:
    """Return the folder of the Triton that TRIPTYCH_TRITON names, which has backends of its own; None for the wheel's.

    TriptychError when there is no Triton.
    """
    chosen = os.environ.get(TRITON)
    if not chosen:
        return None
    home = Path(chosen).absolute()
    for part in (Path("bin", "tritonserver"), Path("backends", "python", "triton_python_backend_stub")):
        if not (home / part).is_file():
            raise TriptychError(
                f"{home} holds no Triton that could serve: {part} is missing. Name the folder of another by {TRITON}, "
                "or leave the variable out for the embedded Triton"
            )
    return home


def triton_libraries() -> Path:
    """Return the folder of the shared libraries of Triton; TriptychError when there is no Triton."""
    other = other_triton()
    return other / "lib" if other else triton_home().parent.parent / "nvidia_pytriton.libs"


def triton_home() -> Path:
    """Return the folder of Triton's binaries; TriptychError when there is no Triton."""
    return other_triton() or (
        package_folder("pytriton", "the embedded Triton is missing: pip install nvidia-pytriton==0.7.0")
        / "tritonserver"
    )


def package_folder(name: str, complaint: str) -> Path:
    """Return the folder of an installed package, without importing it; TriptychError, with the complaint, for none."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise TriptychError(complaint)
    return Path(spec.origin).parent


def python_library() -> Path | None:
    """Return the shared libpython of this interpreter, or None when there is none."""
    for folder in (sysconfig.get_config_var("LIBDIR"), Path(sys.base_prefix) / "lib", SYSTEM_LIBRARIES):
        if folder and (Path(folder) / LIBPYTHON).is_file():
            return Path(folder) / LIBPYTHON
    return None


def check_limits(steps: int) -> None:
    """Raise TriptychError when Triton with so many models may not have the files or the threads that it takes."""
    files = resources.most_files()
    if files < FILES:
        raise TriptychError(
            f"a process may have {files} files open here, and Triton takes {FILES}: raise the limit with ulimit -Hn "
            f"{4 * FILES}, in a container with --ulimit nofile={4 * FILES}"
        )
    threads, needed = free_threads(), THREADS + THREADS_OF_A_STEP * steps
    if threads < needed:
        raise TriptychError(
            f"{threads} more processes and threads may be started here, and Triton takes {needed}: raise the limit "
            f"with ulimit -Hu {4 * needed}, in a container with --pids-limit {4 * needed}"
        )


def free_threads() -> int:
    """Return how many more threads and processes this user may start."""
    most = resources.most_processes()
    if most < resources.UNLIMITED:
        most -= sum(_threads(process) for process in Path("/proc").glob("[0-9]*"))
    return max(0, min(most, resources.free_processes()))


def _threads(process: Path) -> int:
    """Count the threads of a process, by its folder in /proc; 0 when it is another user's or has ended."""
    try:
        return len(os.listdir(process / "task")) if process.stat().st_uid == os.geteuid() else 0
    except OSError:
        return 0


@dataclass(frozen=True)
class Address:
    """Where to listen; a host with colons is IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check(self, flag: str) -> None:
        """Raise TriptychError, which names who holds it, when it cannot be listened on."""
        if reason := why_not_listen(self.port, self.host):
            raise TriptychError(
                f"{reason}. Stop what listens there, or choose another port: triptych serve {flag} PORT"
            )


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def why_not_listen(port: int, host: str = "127.0.0.1") -> str:
    """Return why this address cannot be listened on, as a sentence that names who does; "" when it can."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} of {host} is held by {holder(port)}"
        return f"cannot listen on port {port} of {host}: {error.strerror or error}"
    return ""


def holder(port: int) -> str:
    """Return who listens on a TCP port, as far as the system tells."""
    try:
        import psutil  # not at the top: `make doctor` runs on a bare Python
    except ImportError:
        return "another process"
    sockets = psutil.net_connections(kind="tcp")
    owners = {one.pid for one in sockets if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port}
    for pid in owners - {None}:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return f"{process.name()} (pid {pid}, of user {process.username()})"
    return "another user's process"
