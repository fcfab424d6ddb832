"""The processes of Triton: which runs which step, whether it lives, whether it works."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

import psutil

INSTANCE = 8
"""Place of the instance's name in the command line of a stub: `whisper_0_0`, model, group and number."""


class Steps:
    """The stub processes of the steps, as they were found below tritonserver."""

    def __init__(self, server: int, steps: Collection[str]) -> None:
        self.server = psutil.Process(server)
        self._of: dict[str, list[psutil.Process]] = {step: [] for step in steps}
        self._former: set[psutil.Process] = set()
        self.find(steps)

    def find(self, steps: Collection[str]) -> None:
        """Look for the processes of these steps, which have been loaded anew: others than before."""
        self._take(self._others(steps))

    def find_replaced(self, steps: Collection[str]) -> tuple[str, ...]:
        """Do the same for steps that may have been put in the place of what still runs; return those that were."""
        found = {step: processes for step, processes in self._others(steps).items() if processes}
        self._take(found)
        return tuple(found)

    def _take(self, found: Mapping[str, list[psutil.Process]]) -> None:
        """Let these run their steps; those before them may go on until what they work on is answered."""
        self._former = {process for process in self._former if lives(process)}
        self._former.update(process for step in found for process in self._of[step])
        self._of |= found

    def _others(self, steps: Collection[str]) -> dict[str, list[psutil.Process]]:
        before = {*self._former, *(process for step in steps for process in self._of[step])}
        found = [(step_of(child), child) for child in self.server.children() if child not in before]
        return {step: [child for name, child in found if name == step] for step in steps}

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
