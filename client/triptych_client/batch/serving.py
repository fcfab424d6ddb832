"""`triptych serve` as a child of the process that needs it: started, started anew when it ends, gone with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from triptych_client import plugins
from triptych_client.errors import TriptychClientError

COMMAND = (
    sys.executable,
    "-c",
    # Linux ends it when the thread ends that started it: a worker that is killed leaves no server behind.
    "import ctypes, signal; ctypes.CDLL(None).prctl(1, signal.SIGTERM); from triptych_client.cli import main; main()",
    "serve",
)
START_S = 300.0
STOP_S = 60.0
POLL_S = 0.2
PAUSE_S = 5.0
"""Between two attempts to start a server anew."""
LAST_LINES = 3


class NotServed(TriptychClientError):  # noqa: N818  (the names are those of the conditions, as in `errors`)
    """A machine cannot serve; the reason is what `triptych serve` said last."""


class Kept:
    """A server on free ports of this machine's loopback, kept running until `stop`; `flags` are those of `serve`."""

    def __init__(self, flags: Sequence[str] = ()) -> None:
        if "serve" not in plugins.installed():
            raise NotServed(
                f"{socket.gethostname()} has no server to start: {plugins.INSTALL} on each node, or name servers that "
                "run by --url"
            )
        self._flags = tuple(flags)
        self._address: Future[str] = Future()
        self._stopping = Event()
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._keep, name="triptych serve", daemon=True)
        self._thread.start()

    def url(self) -> str:
        """Return the address, as soon as clips are answered there; NotServed when it does not start."""
        return self._address.result()

    def stop(self) -> None:
        """Stop the server as an operator does."""
        self._stopping.set()
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
        self._thread.join(STOP_S)

    def _keep(self) -> None:
        """Start the server, again and again: in one thread, which lives as long as the server's parent."""
        port, other = _free_port(), _free_port()
        with TemporaryDirectory(prefix="triptych-") as work:
            log = Path(work) / "serve.log"
            command = [*COMMAND, f"--grpc-port={port}", f"--metrics-port={other}", f"--work={work}", *self._flags]
            while not self._stopping.is_set():
                try:
                    self._run(command, f"127.0.0.1:{port}", log)
                except NotServed as error:
                    if not self._address.done():
                        self._address.set_exception(error)
                        return
                    self._stopping.wait(PAUSE_S)

    def _run(self, command: Sequence[str], url: str, log: Path) -> None:
        """Return when the server has ended; NotServed when it never answered."""
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            self._await(url, log)
            if not self._address.done():
                self._address.set_result(url)
            self.process.wait()
        finally:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait()

    def _await(self, url: str, log: Path) -> None:
        from triptych_client.client import Client
        from triptych_client.errors import Unavailable

        end_s = time.monotonic() + START_S
        with Client(url) as client:
            while not self._stopping.is_set():
                with suppress(Unavailable):
                    client.limits()
                    return
                if self.process is None or self.process.poll() is not None:
                    raise NotServed(f"{socket.gethostname()} cannot serve: {_last_words(log)}")
                if time.monotonic() > end_s:
                    raise NotServed(f"{socket.gethostname()} does not serve after {START_S:.0f} s: {_last_words(log)}")
                self._stopping.wait(POLL_S)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _last_words(log: Path) -> str:
    """Return what the server said last, in one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return " ".join(" ".join(lines[-LAST_LINES:]).split()) or "it said nothing"


def quiet() -> None:
    """Switch off gRPC's own log, which would be written between our lines."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
