"""Probing and decoding as the steps do it: the results of `probe`, `video` and `audio`, computed by a decoder.

`probe` refuses a clip in words, as the first step may. The others never raise, whatever happens: a step in the middle
of the graph that answers with an error can take Triton 2.51's scheduler with it, so what failed is a status.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from triptych.answer.status import Status
from triptych.errors import CallerLeft, ClipError
from triptych.media import audio, video
from triptych.media.audio import Audio
from triptych.media.container import Data, Orientation
from triptych.media.decoders import bounds, messages
from triptych.media.decoders.handles import Caller, DiedError
from triptych.media.decoders.messages import AnyReply, HostileReplyError, Task
from triptych.media.decoders.pool import NOBODY, Pool, Read
from triptych.media.limits import MIB, Limits
from triptych.media.pictures import MAX_SIDE_PX, Converter
from triptych.media.probe import Probe, check_size
from triptych.media.tracks import Speaks, sounds_spoken_s
from triptych.media.video import Video

LOG = logging.getLogger(__name__)

REMEDY = "Play it on your machine; if it plays, convert it to MP4 (H.264, AAC) and try again."

T = TypeVar("T")
R = TypeVar("R", bound=messages.Reply)


class Decoders:
    """What a step asks of its decoders. `died(cause)` is told of each that ended before it had answered."""

    def __init__(self, step: str, limits: Limits, died: Callable[[str], None] = lambda cause: None) -> None:
        self.limits = limits
        self.bounds = bounds.of(step, limits)
        self.pool = Pool(step, self.bounds, _result_bytes(step, limits), died)

    def probe(self, data: Data, caller: Caller = NOBODY) -> Probe:
        """Return the facts of a clip and the frames to sample.

        ClipError for one that is over a limit or cannot be read; CallerLeft when nobody waits for the answer.
        """
        check_size(len(data), self.limits)
        try:
            return self.pool.run(messages.ProbeTask(len(data), self.limits), data, _facts, caller)
        except ClipError:
            self.pool.retire()
            raise
        except DiedError as death:
            if death.cause == "left":
                raise CallerLeft from death
            raise ClipError(f"the file cannot be read: {self._words(death)}. {REMEDY}") from death

    def video(self, data: Data, planned_times: np.ndarray, caller: Caller = NOBODY) -> Video:
        """Decode the frames at `planned_times` (FP32 [n]): `triptych.media.video.decode`. What failed is a status."""
        task = messages.VideoTask(len(data), self.limits, planned_times.tolist())
        decoded = self._tried(task, data, _pictures, caller)
        if isinstance(decoded, Status):
            return video.blank(decoded)
        if len(decoded.times) < len(planned_times):
            self.pool.retire()
        return decoded

    def sound(self, data: Data, caller: Caller = NOBODY, speaks: Speaks = sounds_spoken_s) -> Audio:
        """Decode the sound of the track in which somebody `speaks`: `triptych.media.audio.decode`.

        What failed is a status.
        """

        def track(reply: AnyReply, shared: np.ndarray) -> Audio | int:
            return _choice(reply, shared, speaks) if isinstance(reply, messages.Look) else _sound(reply, shared)

        decoded = self._tried(messages.SoundTask(len(data), self.limits), data, track, caller)
        if isinstance(decoded, int):
            decoded = self._tried(messages.SoundTask(len(data), self.limits, decoded), data, _sound, caller)
        return audio.without(decoded) if isinstance(decoded, Status) else decoded

    def converter(self, data: Data, caller: Caller = NOBODY) -> Converter | None:
        """Return how NVDEC's pictures are scaled and turned; None for a clip that is none for NVDEC."""
        found = self._tried(messages.ConverterTask(len(data), self.limits), data, _conversion, caller)
        return None if isinstance(found, Status) else found

    def close(self) -> None:
        """End the decoders."""
        self.pool.close()

    def _tried(self, task: Task, data: Data, read: Read[T], caller: Caller) -> T | Status:
        """Return the result, or the status of a stream that failed; the decoder of such a one is done with."""
        try:
            result = self.pool.run(task, data, read, caller)
        except DiedError as death:
            return self._status(death)
        except ClipError:  # it could be opened by the step before: this is a limit's doing
            result = Status("failed", "decoder_crashed")
        except Exception:
            LOG.exception("%s: decoding failed, request %s", self.pool.name, caller.request_id or "without an id")
            return Status("failed", "step_failed")
        status = result.status if isinstance(result, Audio) else result
        if isinstance(status, Status) and status.state == "failed":
            self.pool.retire()
        return result

    def _status(self, death: DiedError) -> Status:
        if death.cause == "memory":
            return Status("failed", "decoder_memory", f"{self.bounds.memory_bytes / MIB:.0f}")
        if death.cause in ("cpu", "time"):
            return Status("failed", "decoder_time", f"{self._seconds(death):g}")
        return Status("failed", "decoder_crashed")

    def _words(self, death: DiedError) -> str:
        if death.cause == "memory":
            return f"it takes more than {self.bounds.memory_bytes / MIB:.0f} MiB of memory"
        if death.cause in ("cpu", "time"):
            return f"it takes more than {self._seconds(death):g} s"
        return "the decoder crashed on it"

    def _seconds(self, death: DiedError) -> float:
        return self.bounds.cpu_s if death.cause == "cpu" else self.bounds.wall_s


def _facts(reply: AnyReply, _: np.ndarray) -> Probe:
    facts = _expected(messages.Facts, reply)
    indices, times = np.array(facts.planned_indices, np.int32), np.array(facts.planned_times, np.float32)
    if len(indices) != len(times):
        raise HostileReplyError("the plan has not as many times as frames")
    return Probe(
        facts.duration_s,
        facts.width_px,
        facts.height_px,
        facts.frame_rate_hz,
        facts.has_video,
        facts.has_audio,
        indices,
        times,
    )


def _pictures(reply: AnyReply, shared: np.ndarray) -> Video | Status:
    pictures = _expected(messages.Pictures, reply)
    status = pictures.stream.status()
    if not status.ok:
        return status
    shape = len(pictures.times), pictures.height, pictures.width, 3
    if len(pictures.times) == 0 or int(np.prod(shape)) > len(shared):
        raise HostileReplyError(f"there is no room for pictures {shape}, or there are none")
    return Video(shared[: int(np.prod(shape))].reshape(shape), np.array(pictures.times, np.float32), status)


def _sound(reply: AnyReply, shared: np.ndarray) -> Audio:
    sound = _expected(messages.Sound, reply)
    status, listed = sound.stream.status(), tuple(track.track() for track in sound.tracks)
    if not status.ok:
        return audio.without(status, listed)
    if sound.samples == 0:
        raise HostileReplyError("there is sound without a sample")
    pcm = _samples(shared, sound.samples)
    if not np.abs(pcm).max() <= 1:  # not a number is not, either
        raise HostileReplyError("there are samples beyond full scale")
    return Audio(pcm, status, listed)


def _choice(look: messages.Look, shared: np.ndarray, speaks: Speaks) -> int:
    """Return the index of the stream to listen to."""
    if len(look.indices) != len(look.samples):
        raise HostileReplyError("there are not as many tracks as parts of them")
    pcm = np.nan_to_num(_samples(shared, sum(look.samples)))
    return audio.Look(tuple(look.indices), tuple(look.samples)).choose(pcm, speaks)


def _samples(shared: np.ndarray, count: int) -> np.ndarray:
    """Return a copy of the first samples of sound, FP32 [count]: the decoder may go on writing."""
    pcm = shared.view(np.float32)
    if count > len(pcm):
        raise HostileReplyError(f"{count} samples of sound, of at most {len(pcm)}")
    return pcm[:count].copy()


def _conversion(reply: AnyReply, _: np.ndarray) -> Converter | None:
    if isinstance(reply, messages.NoConversion):
        return None
    found = _expected(messages.Conversion, reply)
    return Converter(found.width, found.height, Orientation(found.transposed, found.flip_x, found.flip_y))


def _result_bytes(step: str, limits: Limits) -> int:
    """Return how much memory the results of a step's decoders take at most."""
    pictures = limits.frames * MAX_SIDE_PX**2 * 3
    sound = audio.most_samples(limits.seconds) * np.dtype(np.float32).itemsize
    return {"video_decode": pictures, "audio_decode": sound}.get(step, 0)


def _expected(kind: type[R], reply: AnyReply) -> R:
    """Return a reply that is of a kind; ClipError for a refusal, HostileReplyError for any other."""
    if isinstance(reply, messages.Refusal):
        raise ClipError(reply.words)
    if not isinstance(reply, kind):
        raise HostileReplyError(f"a {type(reply).__name__} is no answer to this task")
    return reply
