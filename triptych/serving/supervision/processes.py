"""The processes of Triton: which runs which step, whether it lives, whether it works."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Iterable
from contextlib import suppress

import psutil

INSTANCE = 8
"""Place of the instance's name in the command line of a stub: `whisper_0_0`, model, group and number."""


class Steps:
    """The stub processes of the steps, as they were found below tritonserver."""

    def __init__(self, server: int, steps: Collection[str]) -> None:
        self.server = psutil.Process(server)
        self._of: dict[str, list[psutil.Process]] = {step: [] for step in steps}
        self.find(steps)

    def find(self, steps: Collection[str]) -> None:
        """Look for the processes of these steps, which have been loaded anew: others than before."""
        before = {process.pid for step in steps for process in self._of[step]}
        found = [(step_of(child), child) for child in self.server.children() if child.pid not in before]
        for step in steps:
            self._of[step] = [child for name, child in found if name == step]

    def dead(self) -> tuple[str, ...]:
        """Return the steps of which a process has died."""
        return tuple(step for step, processes in self._of.items() if not processes or not all(map(lives, processes)))

    def of(self, step: str) -> list[psutil.Process]:
        """Return the processes of a step."""
        return self._of[step]

    def all(self) -> list[psutil.Process]:
        """Return tritonserver and the processes of every step."""
        return [self.server, *(process for processes in self._of.values() for process in processes)]

    def kill(self, steps: Iterable[str]) -> None:
        """End what is left of these steps."""
        for step in steps:
            for process in self._of[step]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)


def step_of(process: psutil.Process) -> str:
    """Return the step that a process runs; "" when it is no stub, or has ended."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    named = re.fullmatch(r"(.+)_\d+_\d+", words[INSTANCE]) if len(words) > INSTANCE else None
    return named[1] if named else ""


def lives(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; one that is stopped lives."""
    try:
        return process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
