"""A decoder: task and reply in turn, until the step lets go of it, or anything fails.

Errors are told by its exit status and, for the log, where they were: never with a text, which could be the media's.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import pkgutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import av
import av.logging
import numpy as np

from triptych.errors import ClipError
from triptych.media import audio, nvdec, probe, video
from triptych.media.decoders import memory, messages, sandbox
from triptych.media.decoders.bounds import Bounds
from triptych.media.decoders.messages import Reply, StreamState

OUT_OF_MEMORY, FAILED = 3, 4
"""Exit statuses."""


def load() -> None:
    """Import what PyAV imports when it meets a kind of stream: a decoder cannot, since it opens no file."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main(channel: socket.socket, results: int, bounds: Bounds, filtered: bool) -> NoReturn:
    """Be a decoder: do the tasks that come on `channel`; `results` is the memory that pictures and sound go into."""
    status = FAILED
    try:
        sandbox.enter(bounds, filtered)
        faulthandler.register(signal.SIGXCPU, chain=True)
        av.logging.set_level(None)  # FFmpeg's messages can hold what the file says
        status = _serve(channel, memory.write(results, os.fstat(results).st_size), bounds)
    except BaseException as error:
        print(f"{type(error).__name__} in", file=sys.stderr)
        traceback.print_tb(error.__traceback__)
    finally:
        os._exit(status)


def _serve(channel: socket.socket, results: np.ndarray, bounds: Bounds) -> int:
    """Answer tasks; return the exit status."""
    while received := messages.receive_task(channel):
        task, clip = received
        sandbox.allow_cpu(bounds.cpu_s)
        try:
            reply = TASKS[type(task)](task, memory.read(clip, task.size), results)
        except ClipError as error:
            reply = messages.Refusal(str(error)[:1000])
        except MemoryError as error:
            traceback.print_tb(error.__traceback__)
            return OUT_OF_MEMORY
        os.close(clip)
        messages.send_reply(channel, reply)
    return 0


def _probe(task: messages.ProbeTask, clip: np.ndarray, results: np.ndarray) -> Reply:
    facts = probe.probe(clip, task.limits)
    return messages.Facts(
        facts.duration_s,
        facts.width_px,
        facts.height_px,
        facts.frame_rate_hz,
        facts.has_video,
        facts.has_audio,
        facts.planned_indices.tolist(),
        facts.planned_times.tolist(),
    )


def _video(task: messages.VideoTask, clip: np.ndarray, results: np.ndarray) -> Reply:
    def allocate(shape: tuple[int, ...]) -> np.ndarray:
        return results[: int(np.prod(shape))].reshape(shape)

    decoded = video.decode(clip, np.array(task.planned_times, np.float32), task.limits, allocate)
    _, height, width, _ = decoded.frames.shape
    times = decoded.times.tolist() if decoded.status.ok else []
    return messages.Pictures(height, width, times, StreamState.of(decoded.status))


def _sound(task: messages.SoundTask, clip: np.ndarray, results: np.ndarray) -> Reply:
    heard = audio.decode_into(results.view(np.float32), clip, task.limits, task.track)
    if isinstance(heard, audio.Look):
        return messages.Look(list(heard.indices), list(heard.samples))
    tracks = [messages.Track.of(track) for track in heard.tracks]
    return messages.Sound(heard.samples, StreamState.of(heard.status), tracks)


def _converter(task: messages.ConverterTask, clip: np.ndarray, results: np.ndarray) -> Reply:
    converter = nvdec.converter(clip, task.limits)
    if converter is None:
        return messages.NoConversion()
    turned = converter.orientation
    return messages.Conversion(converter.width, converter.height, turned.transposed, turned.flip_x, turned.flip_y)


TASKS: dict[type, Callable[[Any, np.ndarray, np.ndarray], Reply]] = {
    messages.ProbeTask: _probe,
    messages.VideoTask: _video,
    messages.SoundTask: _sound,
    messages.ConverterTask: _converter,
}
