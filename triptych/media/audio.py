"""Step `audio_decode`: the sound of a clip as 16 kHz mono, cut for the speech, sound and voice models.

All times are clip times: sample i of the sound is at i / 16000 s, silence standing where the track has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
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
from triptych_client import contract
from triptych_client.contract import CHUNK_SAMPLES, SAMPLE_RATE_HZ, VOICE_SAMPLES

SILENCE_PEAK = 10 ** (-60 / 20)
"""A track whose loudest sample stays below -60 dB of full scale is silent: 16-bit dither is at -90, a room at -50."""

RESYNC_S = 0.1
"""A jump in the track's times by more is a gap or an overlap; less is rounding in the container."""

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

_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True)
class Audio:
    """Decoded sound: FP32 [samples] 16 kHz mono in [-1, 1] from the clip's start, empty unless the status is ok."""

    pcm: np.ndarray
    status: Status


def decode(data: Data, max_seconds: float) -> Audio:
    """Decode the sound of a clip, at most its first `max_seconds`. ClipError when the file cannot be opened.

    The channels are mixed in 16 bit: libswresample does not lower the level when it mixes float samples (+3 dB).
    """
    with open_clip(data) as container:
        stream = audio_stream(container)
        if stream is None:
            return _without("absent", "no_audio_track")
        if stream.codec_context is None:
            return _without("failed", "unknown_audio_format")
        frames = _frames(container, stream, origin_s(container, data), max_seconds)
        try:
            pcm = _lay_out(_runs(frames), round(max_seconds * SAMPLE_RATE_HZ))
        except (*DECODE_ERRORS, ZeroDivisionError):  # a layout or rate that libswresample does not take
            pcm = _NOTHING
        if len(pcm) == 0:
            return _without("failed", "undecodable_audio", codec_name(stream))
    if np.abs(pcm).max() < SILENCE_PEAK:
        return _without("absent", "silent")
    return Audio(pcm, OK)


def _without(state: str, reason: str, value: str = "") -> Audio:
    return Audio(_NOTHING, Status(state, reason, value))


def _frames(
    container: InputContainer, stream: AudioStream, origin: float, max_seconds: float
) -> Iterator[tuple[float, AudioFrame]]:
    """Yield decoded frames with their clip times (NaN: unknown), without the damaged ones, up to `max_seconds`."""
    for packet in (*read_packets(container, [stream]), None):
        try:
            frames = stream.codec_context.decode(packet)
        except DECODE_ERRORS:
            continue
        for frame in frames:
            start_s = seconds(frame.pts, stream.time_base) - origin
            if start_s > max_seconds:
                return
            yield start_s, frame


def _runs(frames: Iterable[tuple[float, AudioFrame]]) -> Iterator[tuple[float, np.ndarray]]:
    """Resample frames that follow each other without a gap; yield each such run's clip time and INT16 [samples]."""
    start_s, end_s, form = 0.0, 0.0, None
    resampler, blocks = None, []
    for time_s, frame in frames:
        this_form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or form != this_form or abs(time_s - end_s) > RESYNC_S:
            if resampler:
                yield start_s, _joined([*blocks, *resampler.resample(None)])
            start_s = end_s = end_s if math.isnan(time_s) else time_s
            resampler, blocks, form = av.AudioResampler("s16", "mono", SAMPLE_RATE_HZ), [], this_form
        frame.pts = None  # the resampler is to take frames as they come
        blocks += resampler.resample(frame)
        end_s += frame.samples / frame.sample_rate
    if resampler:
        yield start_s, _joined([*blocks, *resampler.resample(None)])


def _joined(blocks: list[AudioFrame]) -> np.ndarray:
    return np.concatenate([_NOTHING.astype(np.int16), *(block.to_ndarray().reshape(-1) for block in blocks)])


def _lay_out(runs: Iterable[tuple[float, np.ndarray]], max_samples: int) -> np.ndarray:
    """Return the runs at their places after the clip's start, silence between: FP32 [samples], at most so many."""
    places = [(round(start_s * SAMPLE_RATE_HZ), samples) for start_s, samples in runs if len(samples)]
    length = min(max((place + len(samples) for place, samples in places), default=0), max_samples)
    pcm = np.zeros(max(length, 0), np.int16)
    for place, samples in places:
        kept = samples[max(-place, 0) : max(len(pcm) - place, 0)]
        pcm[max(place, 0) : max(place, 0) + len(kept)] = kept
    return pcm.astype(np.float32) / 32768


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
    """Cut sound FP32 [n] for the sound tagger, see `windows`."""
    return windows(pcm, samples, round(samples * SOUND_HOP_SAMPLES / SOUND_SAMPLES), MAX_SOUND_WINDOWS)


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
