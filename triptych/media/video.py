"""Step `video_decode` on a CPU: the planned frames of a clip as upright RGB pictures, decoding little else.

The frame of a planned time is the one that is shown then, and the same one at several times while the picture stands.
Groups of pictures without such a frame are not decoded, nor what follows the last one of a group, nor other frames that
no frame refers to. Work is bounded whatever the clip: where that is still too much, as for 60 s of 4K at 60 Hz, only
the first part of each group is decoded, at least its key frame, and what was planned later is left out.

A stream may change its size, as a call does with the line: all pictures are put into a frame of the first one's shape,
of the largest one's size, as a player's window would.

A damaged clip is decoded a second time, on one thread: FFmpeg's threads conceal what is missing by what the others have
decoded so far, which differs from run to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from triptych.answer.status import OK, Status
from triptych.media.container import (
    DECODE_ERRORS,
    TOLERANCE_S,
    Data,
    codec_name,
    frame_rate_hz,
    is_stamped,
    open_clip,
    origin_s,
    presentation_times,
    read_packets,
    seconds,
    shown,
    video_stream,
)
from triptych.media.limits import Limits
from triptych.media.pictures import MAX_SIDE_PX, Window
from triptych.resources import cores

FRAME_OVERHEAD_PX = 20_000
"""What a frame costs however small it is, in pixels."""

STALE_S = 0.25
"""A frame that cannot be decoded is replaced by one before it that is at most so old, as a player would: expressions
last longer."""

MAX_THREADS = 4
"""Each thread holds a frame of its own: 4 x 4096 x 4096 px are 100 MB."""

SELECTIVE_CODECS = ("h264", "hevc")
"""Decoders that can be told packet by packet to leave out a frame that no other refers to (others ask once only)."""


@dataclass(frozen=True)
class Video:
    """Decoded frames: UINT8 [n, H, W, 3] upright RGB, FP32 [n] when they were looked at, what became of the stream.

    Without any frame, one blank stand-in with the time NaN.
    """

    frames: np.ndarray
    times: np.ndarray
    status: Status


def blank(status: Status) -> Video:
    """Return the stand-in for a clip without frames (Triton cannot carry n = 0 into a batching step)."""
    return Video(np.zeros((1, 64, 64, 3), np.uint8), np.full(1, np.nan, np.float32), status)


Allocate: TypeAlias = Callable[[tuple[int, ...]], np.ndarray]
"""Returns memory for UINT8 pictures of a shape [n, H, W, 3], whatever it holds."""


class _DamagedError(Exception):
    """A packet of the clip cannot be decoded as it was written."""


def decode(
    data: Data, planned_times: np.ndarray, limits: Limits | None = None, allocate: Allocate | None = None
) -> Video:
    """Decode the frames shown at `planned_times` (FP32 [n], clip seconds, rising), longer side at most MAX_SIDE_PX.

    A frame that cannot be decoded is replaced by one shortly before it if that is decoded anyway, else left out. The
    pictures are written into what `allocate` returns for n of them. ClipError when the file cannot be opened.
    """
    attempt = partial(_attempt, data, planned_times, limits or Limits(), allocate or partial(np.empty, dtype=np.uint8))
    try:
        return attempt(min(MAX_THREADS, cores()))
    except _DamagedError:
        return attempt(1)


def _attempt(data: Data, planned_times: np.ndarray, limits: Limits, allocate: Allocate, threads: int) -> Video:
    """Decode on so many threads; _DamagedError when they are several and the clip is damaged."""
    with open_clip(data, limits) as container:
        stream = video_stream(container)
        if stream is None:
            return blank(Status("absent", "no_video_track"))
        if stream.codec_context is None:
            return blank(Status("failed", "unknown_video_format"))
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        stream.codec_context.options = {"max_pixels": str(limits.frame_px)}
        job = _Job.prepare(container, stream, origin_s(container, data), planned_times, limits.decoded_px)
        for effort in (job, job.without_skipping()):
            frames, times = effort.pictures(len(planned_times), allocate)
            if times:
                return Video(frames[: len(times)], np.array(times, np.float32), OK)
        return blank(Status("failed", "undecodable_video", codec_name(stream)))


def needed(is_key: np.ndarray, is_wanted: np.ndarray, times: np.ndarray) -> list[range]:
    """Return the groups of packets to decode so that the wanted ones come out; arrays [packets], in file order.

    A group of pictures runs from a key frame to the next and is decoded up to its last wanted packet. If that includes
    pictures shown *before* the key frame (an open group), they need the group before as well.
    """
    starts = np.union1d(np.flatnonzero(is_key), [0]).astype(int).tolist() if len(is_key) else []
    ends = [*starts[1:], len(is_key)]
    stops = [_after_last(is_wanted, start, end) for start, end in zip(starts, ends)]
    for group in range(1, len(starts)):
        start, stop = starts[group], stops[group]
        if (is_wanted[start:stop] & (times[start:stop] < times[start])).any():
            stops[group - 1] = ends[group - 1]
    return [range(start, stop) for start, stop in zip(starts, stops) if stop > start]


def _after_last(is_wanted: np.ndarray, start: int, end: int) -> int:
    """Return the index after the last wanted packet of a group; `start` when it has none."""
    wanted = np.flatnonzero(is_wanted[start:end])
    return start + int(wanted[-1]) + 1 if len(wanted) else start


def shortened(groups: Sequence[range], is_wanted: np.ndarray, share: float) -> tuple[list[range], np.ndarray]:
    """Return the first `share` of each group, and what is wanted of it: the key frame where nothing else is left."""
    groups = [range(group.start, group.start + max(1, int(len(group) * share))) for group in groups]
    wanted = np.zeros_like(is_wanted)
    for group in groups:
        part = slice(group.start, group.stop)
        wanted[part] = is_wanted[part]
        wanted[group.start] |= not is_wanted[part].any()
    return groups, wanted


def joined(groups: Sequence[range]) -> list[range]:
    """Return groups as ranges apart from each other: between two, the decoder is to start anew."""
    ranges: list[range] = []
    for group in groups:
        joins = ranges and ranges[-1].stop == group.start
        ranges.append(range(ranges.pop().start if joins else group.start, group.stop))
    return ranges


@dataclass(frozen=True)
class _Samples:
    """The n frames to look at, by time: when each began to be shown, and when it is looked at, FP64 [n] both."""

    shown_s: np.ndarray
    times_s: np.ndarray

    @classmethod
    def of(cls, starts_s: np.ndarray, planned_times: np.ndarray) -> _Samples:
        """Return the frames that are shown at the planned times, of those that begin at `starts_s`, sorted."""
        planned_s = planned_times.astype(np.float64)
        return cls(starts_s[shown(starts_s, planned_s)] if len(starts_s) else planned_s, planned_s)

    def wanted(self, times: np.ndarray) -> np.ndarray:
        """Return which frames, that begin at `times`, are among them: BOOL, of their shape."""
        return _counts(self.shown_s, times + TOLERANCE_S) > _counts(self.shown_s, times - TOLERANCE_S)

    def among(self, starts_s: np.ndarray) -> _Samples:
        """Return what is left where only frames that begin at `starts_s` [k] are decoded.

        A frame among those that was not to be looked at stands for others: it is looked at when it begins.
        """
        kept = _Samples(np.sort(starts_s), np.zeros(0)).wanted(self.shown_s)
        others = starts_s[~self.wanted(starts_s)]
        shown_s, times_s = (np.concatenate([own[kept], others]) for own in (self.shown_s, self.times_s))
        order = np.argsort(shown_s, kind="stable")
        return _Samples(shown_s[order], times_s[order])


@dataclass(frozen=True)
class _Job:
    """Which packets of a stream to decode, and the frames that are wanted."""

    stream: VideoStream
    origin: float
    packets: list[av.Packet]
    is_wanted: np.ndarray
    ranges: list[range]
    samples: _Samples
    budget_px: float
    """Pixels that are decoded at most."""
    times_by_count: np.ndarray | None = None
    """Where frames have no times of their own, they are all decoded, and counted."""

    @classmethod
    def prepare(
        cls,
        container: InputContainer,
        stream: VideoStream,
        origin: float,
        planned_times: np.ndarray,
        budget_px: float,
    ) -> _Job:
        """Read the packets, and choose those that the planned frames need."""
        packets = list(read_packets(container, [stream]))
        times = presentation_times(packets, origin, frame_rate_hz(stream))
        content = np.array([not packet.is_discard for packet in packets], bool)
        samples = _Samples.of(np.sort(times[content]), planned_times)
        if not is_stamped(packets):
            everything = np.ones(len(packets), bool)
            ranges = [range(len(packets))]
            return cls(stream, origin, packets, everything, ranges, samples, budget_px, np.sort(times))
        is_key = np.array([packet.is_keyframe for packet in packets], bool)
        is_wanted = samples.wanted(times)
        groups = needed(is_key, is_wanted, times)
        cost_px = sum(map(len, groups)) * _frame_cost_px(stream.width, stream.height)
        if cost_px > budget_px:
            groups, is_wanted = shortened(groups, is_wanted, budget_px / cost_px)
            samples = samples.among(times[is_wanted])
        return cls(stream, origin, packets, is_wanted, joined(groups), samples, budget_px)

    def without_skipping(self) -> _Job:
        """Return the job that decodes every packet: for files whose marks of key frames are wrong."""
        everything = [range(len(self.packets))]
        ranges = [] if self.ranges == everything else everything
        return replace(self, ranges=ranges, is_wanted=np.ones(len(self.packets), bool))

    def pictures(self, most: int, allocate: Allocate) -> tuple[np.ndarray, list[float]]:
        """Return the wanted pictures, upright RGB [n >= those, H, W, 3], and the times of those, at most so many."""
        frames, times, window = self._pictures(most, allocate, None)
        if window and window.larger:
            frames, times, _ = self._pictures(most, allocate, window.enlarged())
        return frames, times

    def _pictures(
        self, most: int, allocate: Allocate, window: Window | None
    ) -> tuple[np.ndarray, list[float], Window | None]:
        """Do so in a window of a given size, or of the first picture's; return also the window."""
        frames, times = np.zeros((0, 1, 1, 3), np.uint8), []
        last = None
        for frame, time in islice(self._chosen(), most):
            try:
                if window is None:
                    window = Window.fitting(self.stream, frame, MAX_SIDE_PX)
                if not len(frames):
                    frames = allocate((most, *window.shape))
                if frame is last:
                    frames[len(times)] = frames[len(times) - 1]
                else:
                    window.show(self.stream, frame, frames[len(times)])
            except DECODE_ERRORS:  # a pixel format that libswscale does not take
                continue
            times.append(time)
            last = frame
        return frames, times, window

    def _chosen(self) -> Iterator[tuple[VideoFrame, float]]:
        """Yield the frame of each sample and the sample's time; nothing for a frame that was not decoded."""
        shown_s, times_s = self.samples.shown_s, self.samples.times_s.tolist()
        done, before, before_s = 0, None, -np.inf
        for frame, time in self._timed():
            reached = int(_counts(shown_s, time + TOLERANCE_S))
            for sample in range(done, reached):
                if shown_s[sample] > time - TOLERANCE_S:
                    yield frame, times_s[sample]
                elif before and shown_s[sample] - before_s <= STALE_S:
                    yield before, times_s[sample]
            done = max(done, reached)
            if done == len(shown_s):
                return
            before, before_s = frame, time
        if before:
            yield from ((before, times_s[n]) for n in range(done, len(shown_s)) if shown_s[n] - before_s <= STALE_S)

    def _timed(self) -> Iterator[tuple[VideoFrame, float]]:
        """Yield every decoded frame with its clip time."""
        for count, frame in enumerate(self._frames()):
            if self.times_by_count is not None:
                yield frame, float(self.times_by_count[min(count, len(self.times_by_count) - 1)])
            elif frame.pts is not None:
                yield frame, seconds(frame.pts, self.stream.time_base) - self.origin

    def _frames(self) -> Iterator[VideoFrame]:
        """Yield every frame that comes out of the decoder, in order of presentation, up to `budget_px`."""
        context = self.stream.codec_context
        selective = codec_name(self.stream) in SELECTIVE_CODECS
        spent_px = 0
        context.flush_buffers()  # where it has decoded before
        for packets in self.ranges:
            for index in (*packets, None):
                wanted = index is None or self.is_wanted[index] or not selective
                context.skip_frame = "DEFAULT" if wanted else "NONREF"
                for frame in _decode(context, None if index is None else self.packets[index]):
                    yield frame
                    spent_px += _frame_cost_px(frame.width, frame.height)
                if spent_px > self.budget_px:  # frames can be larger than their header says
                    return
            context.flush_buffers()


def _decode(context: VideoCodecContext, packet: av.Packet | None) -> list[VideoFrame]:
    """Decode a packet, or with None what is still in the decoder; nothing for a damaged one.

    _DamagedError when several threads conceal damage.
    """
    try:
        frames = context.decode(packet)
    except DECODE_ERRORS:
        frames, damaged = [], True
    else:
        damaged = any(frame.is_corrupt for frame in frames)
    if damaged and context.thread_count > 1:
        raise _DamagedError
    return frames


def _counts(targets_s: np.ndarray, times: np.ndarray | float) -> np.ndarray:
    """Return how many of the rising targets lie at or before each time."""
    return np.searchsorted(targets_s, times, side="right")


def _frame_cost_px(width: int, height: int) -> int:
    return width * height + FRAME_OVERHEAD_PX
