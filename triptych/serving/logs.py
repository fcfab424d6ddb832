"""The log of one server: a file that nobody else writes into or empties, of a bounded size."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from pathlib import Path

from triptych.serving.private import PREFIX

KEPT = 10
"""Logs of earlier servers that stay."""
MOST_BYTES = 64 << 20
TAIL_BYTES = 1 << 20
"""What stays of a log that has grown over the bound."""


class Log:
    """A log in `folder`, locked for as long as its owner lives: the locks tell which of the others may go."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{name}.log"
        self._file = self.path.open("ab")
        fcntl.flock(self._file, fcntl.LOCK_SH)
        self._begin = 0
        _forget_old(folder)

    def release(self) -> None:
        """Let a later server remove the log."""
        self._file.close()

    def mark(self) -> None:
        """Remember that what is written from now on is another start's."""
        self._begin = self.path.stat().st_size

    def trim(self) -> None:
        """Cut a log that has grown too large to its end; it is written with O_APPEND, so that what follows fits on."""
        size = self.path.stat().st_size
        if size > MOST_BYTES:
            with self.path.open("r+b") as file:
                file.seek(size - TAIL_BYTES)
                tail = file.read()
                file.truncate(0)
                file.seek(0)
                file.write(tail)
            self._begin = 0

    def complaints(self) -> str:
        """Return the lines since the mark that say why Triton did not start."""
        with self.path.open("rb") as file:
            file.seek(self._begin)
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        errors = [line for line in lines if line.startswith(("E", "error", "W")) and "failed" in line.lower()]
        return "\n".join(errors[-5:] or [*lines[:1], *lines[1:][-4:]])


def _forget_old(folder: Path) -> None:
    """Remove all but the newest logs of servers that run no more."""
    logs = sorted(folder.glob(f"{PREFIX}*.log"), key=_written_at, reverse=True)
    for path in logs[KEPT:]:
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
