"""What becomes of one input when the media code itself reads it, without the decoders' limits around it.

Each input has a process of its own, forked from one that has the libraries loaded already, with limits of memory and
time far above what a decoder may use: so what would need them is seen, and measured, rather than cut off.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

import numpy as np

from benchmarks.fuzz.outcome import ANSWERED, DIED, OVER_MEMORY, OVER_TIME, RAISED, REFUSED, Outcome
from triptych.answer.status import Status
from triptych.errors import ClipError
from triptych.media import audio, probe, video
from triptych.media.decoders import bounds
from triptych.media.limits import MIB, Limits
from triptych.sound import spoken

PROBE, VIDEO, AUDIO = STEPS = ("media_probe", "video_decode", "audio_decode")

LIMITS = Limits.from_environment()
MEMORY_BOUND_MIB = LIMITS.decoder_bytes / MIB
TIME_BOUND_S = float(sum(bounds.of(step, LIMITS).cpu_s for step in STEPS))
"""Seconds of processor time that the three steps may take for one clip."""

HARD_MEMORY = 4 << 30
WALL_SECONDS = 4 * TIME_BOUND_S
"""An input that waits for something, rather than computes, ends here; several share the processors."""

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", __name__])


def examine(data: bytes) -> Outcome:
    """Probe and decode an input in a process of its own. Threads may call it at once."""
    ours, theirs = CONTEXT.Pipe()
    start = time.monotonic()
    process = CONTEXT.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    stage = PROBE
    try:
        ours.send_bytes(data)
        while ours.poll(max(0.0, start + WALL_SECONDS - time.monotonic())):
            message = ours.recv()
            if isinstance(message, Outcome):
                return judged(message)
            stage = message
        return Outcome(OVER_TIME, f"no answer after {WALL_SECONDS:.0f} s", stage, WALL_SECONDS)
    except (EOFError, ConnectionError):
        process.join()
        return death(process.exitcode or 0, stage, time.monotonic() - start)
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


def judged(outcome: Outcome) -> Outcome:
    """Return an outcome as it stands, or as over a bound."""
    if outcome.peak_mib > MEMORY_BOUND_MIB:
        return replace(outcome, kind=OVER_MEMORY)
    return replace(outcome, kind=OVER_TIME) if outcome.seconds > TIME_BOUND_S else outcome


def death(exit_code: int, stage: str, seconds: float) -> Outcome:
    """Return the outcome of an input whose process died."""
    cause = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    return Outcome(OVER_TIME if cause == "SIGXCPU" else DIED, cause, stage, seconds)


def said(pictures: Status, sound: Status) -> str:
    """Return in words what the two streams of a clip came to."""
    return ", ".join(
        f"{name} {status.state}{f' ({status.reason})' if status.reason else ''}"
        for name, status in (("video", pictures), ("audio", sound))
    )


def peak_mib() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cut(pcm) -> None:
    """Cut sound as `audio_decode` does, and as `speech_detector` where all of it is speech."""
    audio.sound_windows(pcm)
    everything = np.array([[0, len(pcm)]] if len(pcm) else np.zeros((0, 2), int))
    spoken.chunks(pcm, everything)
    spoken.voice_windows(pcm, everything)


def hush() -> None:
    """Let nothing be written to the error output: codecs write there by themselves, and damage is expected."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable()


def _work(pipe: Connection) -> None:
    """Read an input, send the name of each step as it begins, and the outcome at the end."""
    _limit()
    data = pipe.recv_bytes()
    before = peak_mib()
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
    pipe.send(Outcome(kind, words, stage, usage.ru_utime + usage.ru_stime, peak_mib() - before))


def _decode(data: bytes, begin: Callable[[str], None]) -> str:
    """Do what the three media steps do, and return what each stream came to."""
    begin(PROBE)
    facts = probe.probe(data, LIMITS)
    begin(VIDEO)
    pictures = video.decode(data, facts.planned_times, LIMITS)
    begin(AUDIO)
    sound = audio.decode(data, LIMITS.seconds)
    cut(sound.pcm)
    return said(pictures.status, sound.status)


def _limit() -> None:
    hard_s = round(2 * TIME_BOUND_S)
    resource.setrlimit(resource.RLIMIT_AS, (HARD_MEMORY, HARD_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (hard_s, hard_s + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    hush()
