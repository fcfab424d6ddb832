"""A process that ends with this one and takes its own processes along, however either of them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

LAUNCHER = Path(__file__).with_name("launcher.py")


class Child:
    """A running program in a session of its own: a Ctrl-C in the terminal is for us alone to act upon.

    When it ends, what it has started ends as well. `status` is its exit status, None while it runs (negative: the
    signal that ended it). OSError when it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self.pid = 0
        self.status: int | None = None
        self._ended = Event()
        self._begun = Event()
        self._error: OSError | None = None
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *command]
        # The kernel's signal comes when the *thread* that started a process ends, so this one waits with it.
        Thread(target=self._keep, args=(launch, dict(environment), folder, log), daemon=True).start()
        self._begun.wait()
        if self._error:
            raise self._error

    def signal(self, number: int) -> None:
        """Send a signal to the program; nothing when it has ended."""
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait until it has ended, and return its exit status; None when that takes longer."""
        self._ended.wait(seconds)
        return self.status

    def _keep(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            self._error = error
            self._begun.set()
            return
        self.pid = process.pid
        self._begun.set()
        # As long as it is not waited for, nobody else can get its number, nor that of its group.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self.status = process.wait()
        self._ended.set()
