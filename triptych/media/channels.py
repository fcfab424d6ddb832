"""From decoded frames to the channels of a clip at 16 kHz, each block at its time.

Samples are floating point from here on: those above full scale are kept, and it is the channels that are mixed.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout

from triptych.media import mixing
from triptych.media.container import DECODE_ERRORS
from triptych.media.limits import SLACK_S
from triptych_client.contract import ALL_CHANNELS, SAMPLE_RATE_HZ

RESYNC_S = 0.1
"""A jump in the track's times by more is a gap or an overlap; less is rounding in the container."""

MAX_OVERLAP = 2.0
"""So many times the seconds of a clip are decoded at most: packets that overlap, or jump back, are a forgery."""

FRAME_COST_S = 1 / 1000
RUN_COST_S = 0.05
"""What a frame and a new resampler cost, however short they are, in seconds of decoded sound (about 1 ms of work)."""

MAX_RATE_HZ = 2_822_400
"""DSD512, decoded, has the most samples a second; the resampler's filters grow with them."""

MAX_CHANNELS = 24
"""So many are told apart, 22.2 has them; those beyond are added to the first. One of 60 s takes 4 MB."""

CUSTOM_LAYOUT = "channels ("
"""How FFmpeg describes channels in an order of their own: "2 channels (FR+FL)"."""

NAMELESS = ("NONE", "?")
"""FFmpeg's names of channels whose place is not known."""

Block = tuple[int, np.ndarray, tuple[str, ...]]
"""The sample of the clip at which it starts, FP32 [channels, samples], and the names of the channels."""


class Form(NamedTuple):
    """What frames have in common that one resampler takes."""

    format: str
    channels: tuple[str, ...]
    rate_hz: int

    @classmethod
    def of(cls, frame: AudioFrame) -> Form:
        """Return the form of a frame. Channels without a name have a number, from 1."""
        names = (channel.name for channel in frame.layout.channels)
        channels = tuple(str(number) if name in NAMELESS else name for number, name in enumerate(names, 1))
        return cls(frame.format.name, channels, frame.sample_rate)


def keep(layout: AudioLayout) -> None:
    """Let nobody free a frame's layout but the frame: PyAV 17 and 18 free the order of custom channels with each.

    Their AudioLayout is a shallow copy of FFmpeg's struct (av/audio/layout.py, `get_audio_layout`); freed twice, glibc
    ends the process. A reference that is never given back, 100 bytes, is the price of hearing such sound.
    """
    if CUSTOM_LAYOUT in layout.name:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))


class _Run:
    """Frames that follow each other without a gap, on their way through one resampler to their place in the clip.

    It leaves the channels as they are; their samples come interleaved, since PyAV 17 and 18 read beyond the planes of
    eight channels that are not.
    """

    def __init__(self, start_s: float, form: Form, layout: str) -> None:
        self.form = form
        self.end_s = start_s
        self.place = round(start_s * SAMPLE_RATE_HZ)
        self.resampler = av.AudioResampler("flt", layout, SAMPLE_RATE_HZ)

    def goes_on(self, time_s: float, form: Form) -> bool:
        """Tell whether a frame of this time and form follows; one of unknown time (NaN) does."""
        return form == self.form and not abs(time_s - self.end_s) > RESYNC_S

    def add(self, frame: AudioFrame | None) -> Iterator[Block]:
        """Resample a frame, or with None what is left. A form that libswresample does not take gives none."""
        if frame:
            self.end_s += frame.samples / frame.sample_rate
            frame.pts = None  # the resampler is to take frames as they come
        try:
            resampled = self.resampler.resample(frame)
        except (*DECODE_ERRORS, ZeroDivisionError):
            return
        for part in resampled:
            keep(part.layout)
            samples = part.to_ndarray().reshape(-1, len(self.form.channels)).T
            yield self.place, samples, self.form.channels
            self.place += samples.shape[1]


def blocks(frames: Iterable[tuple[float, AudioFrame]], max_seconds: float) -> Iterator[Block]:
    """Resample frames with their clip times (NaN: unknown).

    It ends where more is decoded than a clip of `max_seconds` can need.
    """
    run, left_s = None, MAX_OVERLAP * max_seconds + SLACK_S
    for time_s, frame in frames:
        form = Form.of(frame)
        left_s -= frame.samples / frame.sample_rate + FRAME_COST_S
        if run is None or not run.goes_on(time_s, form):
            start_s = time_s if math.isfinite(time_s) else run.end_s if run else 0.0
            if run:
                yield from run.add(None)
            run = _Run(start_s, form, frame.layout.name)
            left_s -= RUN_COST_S
        if left_s < 0:
            break
        yield from run.add(frame)
    if run:
        yield from run.add(None)


class Sheet:
    """The channels of a clip, each sample at its time: silence where there is none."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.rows = np.zeros((0, samples), np.float32)
        self.spans: list[tuple[int, int, tuple[str, ...]]] = []

    @classmethod
    def of(cls, samples: int, written: Iterable[Block]) -> Sheet:
        """Return a clip of at most so many samples with blocks at their places; of two at one place, the later."""
        sheet = cls(samples)
        for place, block, names in written:
            sheet._write(place, block, names)
        return sheet

    @property
    def end(self) -> int:
        """Where the last block ends."""
        return max((stop for _, stop, _ in self.spans), default=0)

    def mixed(self) -> tuple[np.ndarray, str]:
        """Return the sound FP32 [end] of one channel, and what of the channels is heard for most of it: `mixing`.

        What was recorded with other channels is mixed apart.
        """
        if not np.isfinite(self.rows).all():  # a damaged file of floating point
            np.nan_to_num(self.rows, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        pcm = np.zeros(self.end, np.float32)
        heard: dict[str, int] = {}
        by_names = sorted(self.spans, key=lambda span: span[2])
        for names, group in groupby(by_names, key=lambda span: span[2]):
            spans = [(start, stop) for start, stop, _ in group]
            places = _places(spans, self.end)
            mixed, what = mixing.mix(self.rows[: len(names)][:, places], names[:MAX_CHANNELS])
            pcm[places] = mixed
            heard[what] = heard.get(what, 0) + len(mixed)
        return pcm, max(heard, key=lambda what: heard[what], default=ALL_CHANNELS)

    def _write(self, place: int, block: np.ndarray, names: tuple[str, ...]) -> None:
        start, stop = max(place, 0), min(place + block.shape[1], self.samples)
        if start >= stop:
            return
        channels = _folded(block[:, start - place : stop - place])
        missing = len(channels) - len(self.rows)
        if missing > 0:
            self.rows = np.concatenate([self.rows, np.zeros((missing, self.samples), np.float32)])
        self.rows[: len(channels), start:stop] = channels
        self.rows[len(channels) :, start:stop] = 0
        if self.spans and self.spans[-1][1:] == (start, names):
            start = self.spans.pop()[0]
        self.spans.append((start, stop, names))


def _folded(channels: np.ndarray) -> np.ndarray:
    """Return channels [c, samples] with those beyond MAX_CHANNELS added to the first."""
    folded = channels[:MAX_CHANNELS]
    for first in range(MAX_CHANNELS, len(channels), MAX_CHANNELS):
        more = channels[first : first + MAX_CHANNELS]
        folded = folded + np.pad(more, ((0, len(folded) - len(more)), (0, 0)))
    return folded


def _places(spans: Sequence[tuple[int, int]], end: int) -> slice | np.ndarray:
    """Return where the samples of spans are, as an index: a slice where it is one stretch, which copies nothing."""
    if len(spans) == 1:
        return slice(*spans[0])
    inside = np.zeros(end, bool)
    for start, stop in spans:
        inside[start:stop] = True
    return np.flatnonzero(inside)
