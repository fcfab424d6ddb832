"""What becomes of inputs as the steps read them: one after the other, each by decoders that may die.

A process stands for the three media steps. It is to outlive every input, to refuse in words or to answer a status, and
not to grow; what the decoders may use is bounded by themselves (`triptych.media.decoders.bounds`).
"""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from types import TracebackType

import psutil

from benchmarks.fuzz.bare import CONTEXT, LIMITS, STEPS, cut, death, hush, said
from benchmarks.fuzz.outcome import ANSWERED, ENDED, OVER_MEMORY, OVER_TIME, RAISED, REFUSED, Outcome
from triptych.errors import ClipError
from triptych.media.decoders import bounds
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import MIB

WALL_SECONDS = sum(bounds.of(step, LIMITS).wall_s for step in STEPS) + 10
"""The decoders' own patience, and a little."""

GROWTH_BOUND_MIB = 512
"""What an input may add to the steps themselves: its pictures are 157 MiB, its sound and the windows of it 30."""


class Steps:
    """A process with the decoders of the three steps; a new one when it has died. For one thread at a time."""

    def __init__(self) -> None:
        self._start()

    def examine(self, data: bytes) -> Outcome:
        """Let the steps read an input."""
        began = time.monotonic()
        try:
            self._pipe.send_bytes(data)
            if self._pipe.poll(WALL_SECONDS):
                return self._judged(self._pipe.recv())
            outcome = Outcome(OVER_TIME, f"no answer after {WALL_SECONDS:.0f} s", "", WALL_SECONDS)
        except (EOFError, ConnectionError):
            self._process.join()
            outcome = death(self._process.exitcode or 0, "", time.monotonic() - began)
        self.close()
        self._start()
        return outcome

    def close(self) -> None:
        """End the process."""
        family = psutil.Process(self._process.pid).children(recursive=True) if self._process.is_alive() else []
        self._process.kill()
        self._process.join()
        for child in family:
            if child.is_running():
                child.kill()
        self._pipe.close()

    def _start(self) -> None:
        self._pipe, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_work, args=(theirs,))
        self._process.start()
        theirs.close()

    @staticmethod
    def _judged(outcome: Outcome) -> Outcome:
        if outcome.peak_mib > GROWTH_BOUND_MIB and not outcome.is_finding:
            return Outcome(OVER_MEMORY, outcome.words, outcome.stage, outcome.seconds, outcome.peak_mib)
        return outcome

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _work(pipe: Connection) -> None:
    """Answer inputs until the pipe ends."""
    hush()
    deaths: list[str] = []
    decoders = {
        step: Decoders(step, LIMITS, lambda cause, step=step: deaths.append(f"{step}: {cause}")) for step in STEPS
    }
    own = psutil.Process()
    before = own.memory_info().rss
    while True:
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        deaths.clear()
        began = time.monotonic()
        kind, words, stage = _read(decoders, data)
        if deaths and kind in (ANSWERED, REFUSED):
            kind, words = ENDED, f"{', '.join(deaths)}; {words}"
        grown = (own.memory_info().rss - before) / MIB
        pipe.send(Outcome(kind, words, stage, time.monotonic() - began, grown))


def _read(decoders: dict[str, Decoders], data: bytes) -> tuple[str, str, str]:
    """Return kind, words and the last step of what the steps make of an input."""
    stage = "media_probe"
    try:
        facts = decoders[stage].probe(data)
        stage = "video_decode"
        pictures = decoders[stage].video(data, facts.planned_times)
        stage = "audio_decode"
        sound = decoders[stage].sound(data)
        cut(sound.pcm)
        return ANSWERED, said(pictures.status, sound.status), stage
    except ClipError as error:
        # Only the first step may refuse: an error from the middle of the graph takes Triton's scheduler with it.
        return (REFUSED if stage == "media_probe" else RAISED), str(error), stage
    except Exception as error:
        return RAISED, f"{type(error).__name__}: {error}", stage
