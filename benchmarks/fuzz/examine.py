"""What becomes of one input: probed, its pictures and its sound decoded, in a process that may die.

Each input has a process of its own, forked from one that has the libraries loaded already, with limits of memory and
time far above what is allowed: so what would need them is seen, and measured, rather than cut off.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

from triptych.errors import ClipError
from triptych.media import audio, probe, video
from triptych.media.limits import Limits

ANSWERED, REFUSED, RAISED, DIED, OVER_TIME, OVER_MEMORY = KINDS = (
    "answered",
    "refused in words",
    "raised another error",
    "died",
    "over time",
    "over memory",
)
FINDINGS = frozenset(KINDS) - {ANSWERED, REFUSED}

PROBE, VIDEO, AUDIO = STAGES = ("media_probe", "video_decode", "audio_decode")

MIB = 1 << 20
MEMORY_BOUND_MIB = 1024
"""What decoding one clip may need at most: 157 MiB of sampled pictures, twice for a moment, and the decoder's own
pictures, 16 of 4096 x 4096 px, are 700 MiB."""
TIME_BOUND_S = 30.0
"""Seconds of processor time for one clip: 20 s of pictures (video.MAX_DECODED_PX), and a slow machine."""

HARD_MEMORY = 4 << 30
HARD_SECONDS = 60
WALL_SECONDS = 240.0
"""An input that waits for something, rather than computes, ends here; several share the processors."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["__main__", __name__])


@dataclass(frozen=True)
class Outcome:
    """What became of an input: a kind of KINDS, its words, and what it cost.

    `stage` is the last that began. `peak_mib` is how much memory was added at most; NaN where the process died.
    """

    kind: str
    words: str
    stage: str
    seconds: float
    peak_mib: float

    @property
    def is_finding(self) -> bool:
        """Whether somebody has to look at it."""
        return self.kind in FINDINGS


def examine(data: bytes) -> Outcome:
    """Probe and decode an input in a process of its own. Threads may call it at once."""
    ours, theirs = _CONTEXT.Pipe()
    start = time.monotonic()
    process = _CONTEXT.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    stage = PROBE
    try:
        ours.send_bytes(data)
        while ours.poll(max(0.0, start + WALL_SECONDS - time.monotonic())):
            message = ours.recv()
            if isinstance(message, Outcome):
                return _judged(message)
            stage = message
        return Outcome(OVER_TIME, f"no answer after {WALL_SECONDS:.0f} s", stage, WALL_SECONDS, float("nan"))
    except (EOFError, ConnectionError):
        process.join()
        return _dead(process.exitcode or 0, stage, time.monotonic() - start)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def _judged(outcome: Outcome) -> Outcome:
    """Return an outcome as it stands, or as over a bound."""
    if outcome.peak_mib > MEMORY_BOUND_MIB:
        return Outcome(OVER_MEMORY, outcome.words, outcome.stage, outcome.seconds, outcome.peak_mib)
    if outcome.seconds > TIME_BOUND_S:
        return Outcome(OVER_TIME, outcome.words, outcome.stage, outcome.seconds, outcome.peak_mib)
    return outcome


def _dead(exit_code: int, stage: str, seconds: float) -> Outcome:
    cause = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    kind = OVER_TIME if cause == "SIGXCPU" else DIED
    return Outcome(kind, cause, stage, seconds, float("nan"))


def _work(pipe: Connection) -> None:
    """Read an input, send the name of each stage as it begins, and the outcome at the end."""
    _limit()
    data = pipe.recv_bytes()
    before = _peak_mib()
    stage = PROBE

    def begin(name: str) -> None:
        nonlocal stage
        stage = name
        pipe.send(name)

    try:
        kind, words = ANSWERED, _decode(data, begin)
    except ClipError as error:
        kind, words = REFUSED, str(error)
    except MemoryError as error:
        kind, words = OVER_MEMORY, f"MemoryError: {error}"
    except Exception as error:
        kind, words = RAISED, f"{type(error).__name__}: {error}"
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pipe.send(Outcome(kind, words, stage, usage.ru_utime + usage.ru_stime, _peak_mib() - before))


def _decode(data: bytes, begin) -> str:
    """Do what the three media steps do, and return what each channel came to."""
    limits = Limits.from_environment()
    begin(PROBE)
    facts = probe.probe(data, limits)
    begin(VIDEO)
    pictures = video.decode(data, facts.planned_times)
    begin(AUDIO)
    sound = audio.decode(data, probe.longest_s(limits))
    audio.chunks(sound.pcm), audio.sound_windows(sound.pcm), audio.voice_windows(sound.pcm)
    return f"video {_said(pictures.status)}, audio {_said(sound.status)}"


def _said(status) -> str:
    return status.state if not status.reason else f"{status.state} ({status.reason})"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (HARD_MEMORY, HARD_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (HARD_SECONDS, HARD_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # codecs write there by themselves
    logging.disable()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
