"""Step `audio_decode`: the sound of a clip as 16 kHz mono, cut for the speech, sound and voice models.

All times are clip times: sample i of the sound is at i / 16000 s, silence standing where the track has none.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer

from triptych.answer.status import OK, Status
from triptych.media.container import (
    DECODE_ERRORS,
    Data,
    audio_stream,
    codec_name,
    open_clip,
    origin_s,
    read_packets,
    seconds,
)
from triptych.media.limits import SLACK_S, Limits
from triptych_client import contract
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ, VOICE_SAMPLES

SILENCE_PEAK = 10 ** (-60 / 20)
"""A track whose loudest sample stays below -60 dB of full scale is silent: 16-bit dither is at -90, a room at -50."""

SILENCE_BESIDE = 10 ** (-40 / 20)
BLOCK_SAMPLES = SAMPLE_RATE_HZ // 50
"""What comes before the first 20 ms, or after the last, that are within 40 dB of the loudest is silence beside it."""

RESYNC_S = 0.1
"""A jump in the track's times by more is a gap or an overlap; less is rounding in the container."""

MAX_OVERLAP = 2.0
"""So many times the seconds of a clip are decoded at most: packets that overlap, or jump back, are a forgery."""

FRAME_COST_S = 1 / 1000
RUN_COST_S = 0.05
"""What a frame and a new resampler cost, however short they are, in seconds of decoded sound (about 1 ms of work)."""

MAX_RATE_HZ = 2_822_400
"""DSD512, decoded, has the most samples a second; the resampler's filters grow with them."""

CUSTOM_LAYOUT = "channels ("
"""How FFmpeg describes channels in an order of their own: "2 channels (FR+FL)"."""

PAUSE_SAMPLES = 3 * SAMPLE_RATE_HZ // 10
"""Speech is cut in the middle of the quietest 0.3 s, longer than the silence inside a word (about 0.15 s)."""

EARLIEST_CUT_SAMPLES = 25 * SAMPLE_RATE_HZ
"""A chunk of speech is at least 25 s long when more follows, and at most Whisper's 30 s."""

MAX_CHUNKS = contract.STEPS["whisper"].max_batch_size
MAX_SOUND_WINDOWS = contract.STEPS["sound_features"].max_batch_size
MAX_VOICE_WINDOWS = contract.STEPS["voice_features"].max_batch_size

SOUND_SAMPLES = 15_600
SOUND_HOP_SAMPLES = 7_680
"""YAMNet's window of 0.975 s every 0.48 s (research/audioset/yamnet/params.py): 96 frames of 10 ms, and a half."""

VOICE_HOP_SAMPLES = VOICE_SAMPLES // 2


@dataclass(frozen=True)
class Audio:
    """Decoded sound: FP32 [samples] 16 kHz mono in [-1, 1] from the clip's start, empty unless the status is ok."""

    pcm: np.ndarray
    status: Status


def decode(data: Data, max_seconds: float) -> Audio:
    """Decode the sound of a clip, at most its first `max_seconds`. ClipError when the file cannot be opened."""
    memory = np.zeros(most_samples(max_seconds), np.int16)
    samples, status = decode_into(memory, data, Limits(seconds=max_seconds))
    return in_full_scale(memory[:samples], status)


def most_samples(max_seconds: float) -> int:
    """Return how many samples the sound of a clip has at most."""
    return round(max_seconds * SAMPLE_RATE_HZ)


def in_full_scale(pcm: np.ndarray, status: Status) -> Audio:
    """Return sound INT16 [samples] as FP32 in [-1, 1]; without any unless the status is ok."""
    return Audio(pcm.astype(np.float32) / 32768, status) if status.ok else without(status)


def without(status: Status) -> Audio:
    """Return what stands for a clip without sound."""
    return Audio(np.zeros(0, np.float32), status)


def decode_into(memory: np.ndarray, data: Data, limits: Limits) -> tuple[int, Status]:
    """Decode the sound of a clip into INT16 [most samples], which holds zeros; return how many samples there are.

    The channels are mixed in 16 bit: libswresample does not lower the level when it mixes float samples (+3 dB).
    ClipError when the file cannot be opened.
    """
    with open_clip(data, limits) as container:
        stream = audio_stream(container)
        if stream is None:
            return 0, Status("absent", "no_audio_track")
        if stream.codec_context is None:
            return 0, Status("failed", "unknown_audio_format")
        frames = _frames(container, stream, origin_s(container, data), limits.seconds)
        samples = _lay_out(memory, _blocks(frames, limits.seconds))
        if samples == 0:
            return 0, Status("failed", "undecodable_audio", codec_name(stream))
    heard = memory[:samples]
    loudest = max(int(heard.max()), -int(heard.min())) / 32768
    return (samples, OK) if loudest >= SILENCE_PEAK else (0, Status("absent", "silent"))


def _frames(
    container: InputContainer, stream: AudioStream, origin: float, max_seconds: float
) -> Iterator[tuple[float, AudioFrame]]:
    """Yield decoded frames with their clip times (NaN: unknown), without the damaged ones, up to `max_seconds`."""
    for packet in chain(read_packets(container, [stream]), (None,)):
        try:
            frames = stream.codec_context.decode(packet)
        except DECODE_ERRORS:
            continue
        for frame in frames:
            _keep(frame.layout)
        for frame in frames:
            start_s = seconds(frame.pts, stream.time_base) - origin
            if start_s > max_seconds:
                return
            if 0 < frame.sample_rate <= MAX_RATE_HZ:
                yield start_s, frame


def _keep(layout: AudioLayout) -> None:
    """Let nobody free a frame's layout but the frame: PyAV 17 and 18 free the order of custom channels with each.

    Their AudioLayout is a shallow copy of FFmpeg's struct (av/audio/layout.py, `get_audio_layout`); freed twice, glibc
    ends the process. A reference that is never given back, 100 bytes, is the price of hearing such sound.
    """
    if CUSTOM_LAYOUT in layout.name:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))


class _Run:
    """Frames that follow each other without a gap, on their way through one resampler to their place in the clip."""

    def __init__(self, start_s: float, form: tuple[str, str, int]) -> None:
        self.form = form
        self.end_s = start_s
        self.place = round(start_s * SAMPLE_RATE_HZ)
        self.resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ)

    def goes_on(self, time_s: float, form: tuple[str, str, int]) -> bool:
        """Tell whether a frame of this time and form follows; one of unknown time (NaN) does."""
        return form == self.form and not abs(time_s - self.end_s) > RESYNC_S

    def add(self, frame: AudioFrame | None) -> Iterator[tuple[int, np.ndarray]]:
        """Resample a frame, or with None what is left; yield blocks INT16 [samples] with their place in the clip.

        A form that libswresample does not take gives none.
        """
        if frame:
            self.end_s += frame.samples / frame.sample_rate
            frame.pts = None  # the resampler is to take frames as they come
        try:
            blocks = self.resampler.resample(frame)
        except (*DECODE_ERRORS, ZeroDivisionError):
            return
        for block in blocks:
            samples = block.to_ndarray().reshape(-1)
            yield self.place, samples
            self.place += len(samples)


def _blocks(frames: Iterable[tuple[float, AudioFrame]], max_seconds: float) -> Iterator[tuple[int, np.ndarray]]:
    """Resample frames; yield blocks INT16 [samples] with the sample of the clip at which each starts.

    It ends where more is decoded than a clip of `max_seconds` can need.
    """
    run, left_s = None, MAX_OVERLAP * max_seconds + SLACK_S
    for time_s, frame in frames:
        form = frame.format.name, frame.layout.name, frame.sample_rate
        left_s -= frame.samples / frame.sample_rate + FRAME_COST_S
        if run is None or not run.goes_on(time_s, form):
            start_s = time_s if math.isfinite(time_s) else run.end_s if run else 0.0
            if run:
                yield from run.add(None)
            run = _Run(start_s, form)
            left_s -= RUN_COST_S
        if left_s < 0:
            break
        yield from run.add(frame)
    if run:
        yield from run.add(None)


def _lay_out(memory: np.ndarray, blocks: Iterable[tuple[int, np.ndarray]]) -> int:
    """Write blocks at their places into INT16 [most samples], which holds silence; return where the last one ends."""
    end = 0
    for place, samples in blocks:
        start, stop = max(place, 0), min(place + len(samples), len(memory))
        if start < stop:
            memory[start:stop] = samples[start - place : stop - place]
            end = max(end, stop)
    return end


class Windows(NamedTuple):
    """Sound cut for a model: `pcm` FP32 [w, samples], zero-padded; without sound one row of zeros.

    `spans` FP32 [w, 2] are the start and end in seconds of the sound in each, equal where there is none.
    """

    pcm: np.ndarray
    spans: np.ndarray


def chunks(pcm: np.ndarray) -> Windows:
    """Cut sound FP32 [samples] for the speech recogniser at pauses, so that no word is cut, into windows of 30 s.

    What is beyond MAX_CHUNKS is left out.
    """
    bounds = [0]
    while len(pcm) - bounds[-1] > CHUNK_SAMPLES and len(bounds) < MAX_CHUNKS:
        bounds.append(_cut(pcm, bounds[-1], MAX_CHUNKS - len(bounds)))
    bounds.append(min(len(pcm), bounds[-1] + CHUNK_SAMPLES))
    starts, ends = np.array(bounds[:-1]), np.array(bounds[1:])
    return _cut_out(pcm, starts, ends, CHUNK_SAMPLES)


def _cut(pcm: np.ndarray, start: int, chunks_left: int) -> int:
    """Return where the chunk at `start` ends: in the quietest pause that leaves no more than fits the chunks left."""
    earliest = max(start + EARLIEST_CUT_SAMPLES, len(pcm) - chunks_left * CHUNK_SAMPLES)
    latest = start + CHUNK_SAMPLES
    if latest - earliest < PAUSE_SAMPLES:
        return latest
    energy = np.concatenate([[0.0], np.cumsum(np.square(pcm[earliest:latest], dtype=np.float64))])
    return earliest + int(np.argmin(energy[PAUSE_SAMPLES:] - energy[:-PAUSE_SAMPLES])) + PAUSE_SAMPLES // 2


def sound_windows(pcm: np.ndarray, samples: int = SOUND_SAMPLES) -> Windows:
    """Cut sound FP32 [n] for the sound tagger, see `windows`; silence at the beginning and the end is left out."""
    start, end = sounding(pcm)
    cut = windows(pcm[start:end], samples, round(samples * SOUND_HOP_SAMPLES / SOUND_SAMPLES), MAX_SOUND_WINDOWS)
    return Windows(cut.pcm, cut.spans + np.float32(start / SAMPLE_RATE_HZ))


def sounding(pcm: np.ndarray) -> tuple[int, int]:
    """Return from which to which sample of sound FP32 [n] something is heard: what is not silence beside the loudest.

    So silence before and after changes nothing in what the tagger hears.
    """
    blocks = np.abs(np.pad(pcm, (0, -len(pcm) % BLOCK_SAMPLES)).reshape(-1, BLOCK_SAMPLES)).max(axis=1)
    loud = np.flatnonzero(blocks >= SILENCE_BESIDE * blocks.max(initial=0))
    return (int(loud[0]) * BLOCK_SAMPLES, min(int(loud[-1] + 1) * BLOCK_SAMPLES, len(pcm))) if len(loud) else (0, 0)


def voice_windows(pcm: np.ndarray) -> Windows:
    """Cut sound FP32 [n] for the voice model into windows of 3 s, see `windows`."""
    return windows(pcm, VOICE_SAMPLES, VOICE_HOP_SAMPLES, MAX_VOICE_WINDOWS)


def windows(pcm: np.ndarray, samples: int, hop: int, most: int) -> Windows:
    """Cut sound FP32 [n] into overlapping windows; further apart than `hop` if they would be more than `most`."""
    rest = max(len(pcm) - samples, 0)
    hop = max(hop, math.ceil(rest / (most - 1)))
    starts = np.arange(0, rest + hop, hop)
    ends = np.minimum(starts + samples, len(pcm))
    return _cut_out(pcm, starts, ends, samples)


def _cut_out(pcm: np.ndarray, starts: np.ndarray, ends: np.ndarray, samples: int) -> Windows:
    pieces = np.zeros((len(starts), samples), np.float32)
    for piece, start, end in zip(pieces, starts, ends):
        piece[: end - start] = pcm[start:end]
    return Windows(pieces, (np.stack([starts, ends], axis=1) / SAMPLE_RATE_HZ).astype(np.float32))
