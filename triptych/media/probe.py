"""Step `media_probe`: whether this is a clip that can be analysed, and which of its frames are worth decoding.

Reads the container and the times of its packets; of the picture, only the first frame is decoded, to learn which way
up it is. Every limit is enforced before that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from triptych.errors import ClipError
from triptych.media.container import (
    Data,
    Orientation,
    audio_streams,
    first_frame,
    frame_rate_hz,
    open_clip,
    origin_s,
    presentation_times,
    read_packets,
    seconds,
    shown,
    video_stream,
)
from triptych.media.limits import SLACK_S, Limits, variable
from triptych.media.limits import longest_s as longest_heard_s
from triptych_client import contract

FRAMES_PER_SECOND = 2.0
"""How many frames of a clip are looked at: expressions last from half a second to four (Ekman and Friesen 2003)."""

MIN_FRAMES = 8
"""Shorter clips are looked at more often, so that one bad frame does not decide."""


@dataclass(frozen=True)
class Probe:
    """Facts of a clip, and the plan of what to decode. Width and height are upright; times are clip times."""

    duration_s: float
    width_px: int
    height_px: int
    frame_rate_hz: float
    has_video: bool
    has_audio: bool
    planned_indices: np.ndarray
    """INT32 [n] the frame that is shown at each time, in order of presentation; one that stands comes several times."""
    planned_times: np.ndarray
    """FP32 [n] when to look."""

    def clip(self) -> np.ndarray:
        """Return FP32 [6]: the columns of `contract.CLIP_FIELDS`."""
        return np.array([getattr(self, field) for field in contract.CLIP_FIELDS], dtype=np.float32)


@dataclass(frozen=True)
class _Track:
    """When the content of a stream is shown: sorted starts, and the end of the last, in clip seconds."""

    starts_s: np.ndarray
    end_s: float

    @property
    def rate_hz(self) -> float:
        """Frames per second, on average; 0 for less than two frames."""
        if len(self.starts_s) < 2 or self.starts_s[-1] <= self.starts_s[0]:
            return 0.0
        return float((len(self.starts_s) - 1) / (self.starts_s[-1] - self.starts_s[0]))


def probe(data: Data, limits: Limits) -> Probe:
    """Return the facts of a clip and the frames to sample.

    ClipError for an unreadable file, one with neither video nor audio, or one over a limit.
    """
    check_size(len(data), limits)
    with open_clip(data, limits) as container:
        video, sounds = video_stream(container), audio_streams(container)
        streams: list[Stream] = [*([video] if video else []), *sounds]
        if not streams:
            raise ClipError("the file has neither a video nor an audio track")
        if video:
            _check_side(*_stated_size(video), limits)
        packets = _read_all(container, streams, limits)
        origin = origin_s(container, data)
        tracks = {stream.index: _track(stream, packets[stream.index], origin) for stream in streams}
        duration_s = max(0.0, *(track.end_s for track in tracks.values()))
        _check_duration(duration_s, limits)
        return _result(video, bool(sounds), tracks, packets, duration_s, limits)


def plan(starts_s: np.ndarray, end_s: float, max_frames: int) -> np.ndarray:
    """Choose when to look at a video, evenly in *time*: FP64 [n] seconds, rising.

    `starts_s` [frames] is when each frame is shown, sorted; the last is shown until `end_s`. The span is cut into equal
    slots, FRAMES_PER_SECOND of them but at least MIN_FRAMES (if there are so many), and the middle of each is taken: so
    a picture that stands is looked at for as long as it does.
    """
    n_frames = len(starts_s)
    if n_frames == 0:
        return np.zeros(0)
    span_s = max(end_s - starts_s[0], 0.0)
    slots = min(max(math.ceil(FRAMES_PER_SECOND * span_s), min(MIN_FRAMES, n_frames)), max_frames)
    return starts_s[0] + (np.arange(slots) + 0.5) * span_s / slots


def longest_s(limits: Limits) -> float:
    """Return the longest clip that is analysed: the limit, or what the speech recogniser takes in one batch."""
    return min(limits.seconds, longest_heard_s())


def check_size(size: int, limits: Limits) -> None:
    """Raise ClipError for a file of more bytes than is allowed."""
    mebibytes = size / 2**20
    if mebibytes > limits.mebibytes:
        raise ClipError(
            f"the file is {mebibytes:.1f} MiB; the limit is {limits.mebibytes:g} MiB "
            f"({variable('mebibytes')} on the server). Compress it, or cut it into parts."
        )


def _check_side(width: int, height: int, limits: Limits) -> None:
    if max(width, height) > limits.side_px:
        raise ClipError(
            f"the picture is {width} x {height} px; the limit is {limits.side_px} px a side "
            f"({variable('side_px')} on the server). Scale it down: 1280 px are plenty."
        )


def _check_duration(duration_s: float, limits: Limits) -> None:
    if duration_s > longest_s(limits) + SLACK_S:
        raise ClipError(
            f"the clip is {duration_s:.1f} s long; the limit is {longest_s(limits):g} s "
            f"({variable('seconds')} on the server). Cut it into parts."
        )


def _read_all(container: InputContainer, streams: Sequence[Stream], limits: Limits) -> dict[int, list[av.Packet]]:
    """Return every packet by stream index."""
    packets: dict[int, list[av.Packet]] = {stream.index: [] for stream in streams}
    for count, packet in enumerate(read_packets(container, streams), 1):
        if count > limits.packets:
            raise ClipError(
                f"the file has more than {limits.packets} packets, too many for {limits.seconds:g} s: it is damaged"
            )
        packets[packet.stream_index].append(packet)
    return packets


def _track(stream: Stream, packets: list[av.Packet], origin: float) -> _Track:
    """Return a stream's times, counted from `origin`. Packets count, not the header, which can lack a duration, or lie.

    Packets that an edit list cuts away (its author trimmed the clip) are not content.
    """
    rate_hz = _packet_rate_hz(stream)
    content = [packet for packet in packets if not packet.is_discard]
    starts = presentation_times(content, origin, rate_hz)
    if not content:
        return _Track(starts, 0.0)
    last = content[int(starts.argmax())]
    length = seconds(last.duration, last.time_base) if last.duration else 1 / rate_hz
    return _Track(np.sort(starts), float(starts.max()) + length)


def _packet_rate_hz(stream: Stream) -> float:
    """Return the packets per second that the header states."""
    if isinstance(stream, VideoStream):
        return frame_rate_hz(stream)
    frame_size = getattr(stream.codec_context, "frame_size", 0) or 1024
    return (getattr(stream.codec_context, "sample_rate", 0) or contract.SAMPLE_RATE_HZ) / frame_size


def _result(
    video: VideoStream | None,
    has_audio: bool,
    tracks: dict[int, _Track],
    packets: dict[int, list[av.Packet]],
    duration_s: float,
    limits: Limits,
) -> Probe:
    if video is None:
        nothing = np.zeros(0)
        return Probe(duration_s, 0, 0, 0.0, False, has_audio, nothing.astype(np.int32), nothing.astype(np.float32))
    track = tracks[video.index]
    width, height = _upright_size(video, packets[video.index], limits)
    most = min(limits.frames, contract.STEPS["face_detector"].max_batch_size)
    times = plan(track.starts_s, duration_s, most).astype(np.float32)
    indices = shown(track.starts_s, times).astype(np.int32)
    return Probe(duration_s, width, height, track.rate_hz, True, has_audio, indices, times)


def _upright_size(video: VideoStream, packets: list[av.Packet], limits: Limits) -> tuple[int, int]:
    """Return the upright width and height of the first frame; of the header when it cannot be decoded."""
    frame = first_frame(video, packets, max_pixels=limits.frame_px)
    if frame is None:
        return _stated_size(video)
    _check_side(frame.width, frame.height, limits)
    return Orientation.of(frame).size(frame.width, frame.height)


def _stated_size(video: VideoStream) -> tuple[int, int]:
    """Return the width and height that the header states; 0 when its format is not known."""
    return (video.width, video.height) if video.codec_context else (0, 0)
