"""Step `video_decode` on a CPU: the planned frames of a clip as upright RGB pictures, decoding little else.

Groups of pictures without a planned frame are not decoded, nor what follows the last planned frame of a group, nor
unplanned frames that no other frame refers to. Work is bounded whatever the clip: where that is still too much, as for
60 s of 4K at 60 Hz, only the first part of each group is decoded, at least its key frame, and what was planned later is
left out.

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
    Data,
    Orientation,
    codec_name,
    frame_rate_hz,
    is_stamped,
    open_clip,
    origin_s,
    presentation_times,
    read_packets,
    seconds,
    video_stream,
)
from triptych.media.limits import Limits
from triptych.resources import cores

MAX_SIDE_PX = 640
"""Longer side of a decoded frame: faces of 16 px and more are found in it."""

FRAME_OVERHEAD_PX = 20_000
"""What a frame costs however small it is, in pixels."""

TOLERANCE_S = 1e-3
"""Planned times are float32, and half the shortest distance of frames (240 Hz) is 2 ms."""

MAX_THREADS = 4
"""Each thread holds a frame of its own: 4 x 4096 x 4096 px are 100 MB."""

SELECTIVE_CODECS = ("h264", "hevc")
"""Decoders that can be told packet by packet to leave out a frame that no other refers to (others ask once only)."""


@dataclass(frozen=True)
class Video:
    """Decoded frames: UINT8 [n, H, W, 3] upright RGB, FP32 [n] their clip times, and what became of the stream.

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
    """Decode the frames at `planned_times` (FP32 [n], clip seconds, rising), longer side at most MAX_SIDE_PX.

    A frame that cannot be decoded is replaced by the next if that is decoded anyway, else left out. The pictures are
    written into what `allocate` returns, once for n of them. ClipError when the file cannot be opened.
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
class _Job:
    """Which packets of a stream to decode, and the times at which frames are wanted."""

    stream: VideoStream
    origin: float
    packets: list[av.Packet]
    is_wanted: np.ndarray
    ranges: list[range]
    targets_s: np.ndarray
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
        if not is_stamped(packets):
            everything = np.ones(len(packets), bool)
            ranges = [range(len(packets))]
            return cls(stream, origin, packets, everything, ranges, planned_times, budget_px, np.sort(times))
        is_key = np.array([packet.is_keyframe for packet in packets], bool)
        is_wanted = _counts(planned_times, times + TOLERANCE_S) > _counts(planned_times, times - TOLERANCE_S)
        groups = needed(is_key, is_wanted, times)
        cost_px = sum(map(len, groups)) * _frame_cost_px(stream.width, stream.height)
        if cost_px > budget_px:
            groups, is_wanted = shortened(groups, is_wanted, budget_px / cost_px)
        return cls(stream, origin, packets, is_wanted, joined(groups), np.sort(times[is_wanted]), budget_px)

    def without_skipping(self) -> _Job:
        """Return the job that decodes every packet: for files whose marks of key frames are wrong."""
        everything = [range(len(self.packets))]
        ranges = [] if self.ranges == everything else everything
        return replace(self, ranges=ranges, is_wanted=np.ones(len(self.packets), bool))

    def pictures(self, most: int, allocate: Allocate) -> tuple[np.ndarray, list[float]]:
        """Return the wanted pictures, upright RGB [n >= those, H, W, 3], and the times of those, at most so many."""
        frames, times = np.zeros((0, 1, 1, 3), np.uint8), []
        convert = None
        for frame, time in islice(self._chosen(), most):
            try:
                if convert is None:
                    convert = Converter.fitting(self.stream, frame, MAX_SIDE_PX)
                    frames = allocate((most, *convert.shape))
                frames[len(times)] = convert(frame)
                times.append(time)
            except DECODE_ERRORS:  # a pixel format that libswscale does not take
                continue
        return frames, times

    def _chosen(self) -> Iterator[tuple[VideoFrame, float]]:
        """Yield the first frame at or after each target; one that serves several targets only once."""
        next_target = 0
        for frame, time in self._timed():
            reached = int(_counts(self.targets_s, time + TOLERANCE_S))
            if reached > next_target:
                yield frame, time
                next_target = reached
            if next_target == len(self.targets_s):
                return

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


@dataclass(frozen=True)
class Converter:
    """Scales decoded frames to one size with square pixels, as RGB, and turns them upright."""

    width: int
    height: int
    orientation: Orientation

    @classmethod
    def fitting(cls, stream: VideoStream, frame: VideoFrame, max_side: int) -> Converter:
        """Return the converter for a stream whose first frame is `frame`; pictures are never enlarged."""
        aspect = float(stream.sample_aspect_ratio or 1)
        width, height = frame.width * max(aspect, 1), frame.height / min(aspect, 1)
        scale = min(1.0, max_side / max(width, height))
        return cls(max(1, round(width * scale)), max(1, round(height * scale)), Orientation.of(frame))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and colours of an upright picture."""
        width, height = self.orientation.size(self.width, self.height)
        return height, width, 3

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """Return the upright picture: UINT8 [H, W, 3]."""
        image = frame.to_ndarray(format="rgb24", width=self.width, height=self.height)
        return self.orientation.apply(image)
