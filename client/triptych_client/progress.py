"""How far a run has come, on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from triptych_client.characters import printable

SPEED_OVER_S = 600.0
"""Speed and time left are those of the last so many seconds: windows come a few at a time."""


class ClipProgress:
    """A bar that counts clips while it is entered, and leaves nothing behind. Without a terminal it does nothing."""

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        self._shown = console.is_terminal
        self._bar = Progress(
            SpinnerColumn("dots" if console.encoding.startswith("utf") else "line"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            speed_estimate_period=SPEED_OVER_S,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("analysing", total=total, done=f"0/{total}")

    def __enter__(self) -> ClipProgress:
        if self._shown:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._bar.stop()

    def advance(self) -> None:
        """Count one clip."""
        self._bar.advance(self._task)
        task = self._of(self._task)
        self._bar.update(self._task, done=f"{task.completed:.0f}/{task.total:.0f}")

    @contextmanager
    def film(self, name: str, seconds: float | None) -> Iterator[Callable[[float], None]]:
        """Show a bar for a film, with how fast it goes and what is left, and give what counts its seconds."""
        film = self._bar.add_task(printable(name), total=seconds, done="")

        def advance(more_s: float) -> None:
            self._bar.advance(film, more_s)
            self._bar.update(film, done=_how_far(self._of(film)))

        try:
            yield advance
        finally:
            self._bar.remove_task(film)

    def _of(self, task_id: TaskID) -> Task:
        return next(task for task in self._bar.tasks if task.id == task_id)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar off the terminal while something else is written there."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


def _how_far(film: Task) -> str:
    """Return what of a film is analysed, and how many times faster than it is watched."""
    far = _clock(film.completed) + (f" of {_clock(film.total)}" if film.total else "")
    return f"{far}, {film.speed:.1f}x" if film.speed else far


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
