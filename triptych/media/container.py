"""What the media steps share: opening bytes, choosing streams, the clip's clock, and which way up the picture is.

Everything is read by FFmpeg through PyAV from memory: no temporary file, no `ffmpeg` process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias, TypeVar

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from triptych.errors import ClipError
from triptych.media.clock import Clock
from triptych.media.limits import Limits, packet_bytes

Data: TypeAlias = "bytes | bytearray | memoryview | np.ndarray"
"""The bytes of one media file; an array is UINT8 [size]."""

MICROSECONDS = 1_000_000
"""FFmpeg's AV_TIME_BASE: the unit of a container's own times."""

DEFAULT_RATE_HZ = 25.0
"""Frame rate of a video that tells neither times nor rate."""

MOST_STREAMS = 100
"""Of a file; a broadcast multiplex has some eighty. Each costs time and memory to look at."""

OPTIONS = {
    "protocol_whitelist": "none",  # a playlist must not make the server open files or addresses of its own
    "max_streams": str(MOST_STREAMS),
}

TOLERANCE_S = 1e-3
"""Times of samples are float32, and half the shortest distance of frames (240 Hz) is 2 ms."""

DECODE_ERRORS = (FFmpegError, MemoryError, ValueError, AttributeError)
"""What damaged packets raise in PyAV."""

AnyStream = TypeVar("AnyStream", bound=Stream)


def view(data: Data) -> memoryview:
    """Return the bytes of a file, whatever holds them, without a copy."""
    return memoryview(data.data if isinstance(data, np.ndarray) else data)


class _Bytes:
    """A file to read over bytes in memory, without a copy of all of them."""

    def __init__(self, data: Data) -> None:
        self.view = view(data)
        self.at = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many."""
        found = bytes(self.view[self.at : self.at + size])
        self.at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted as for files; as there, it may be beyond the end."""
        self.at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: len(self.view)}[whence])
        return self.at

    def tell(self) -> int:
        """Return the place that is read next."""
        return self.at


def open_clip(data: Data, limits: Limits | None = None) -> InputContainer:
    """Open a media file in memory; ClipError when FFmpeg does not recognise it. Close it, or use it in `with`.

    Opening decodes a little: pictures larger than `limits` (the usual, unless given) allow are refused there.
    """
    if len(data) == 0:
        raise ClipError("the file is empty (0 bytes)")
    options = {**OPTIONS, "max_pixels": str((limits or Limits()).frame_px)}
    try:
        return av.open(_Bytes(data), "r", metadata_errors="ignore", options=options)
    except Exception as error:
        raise ClipError(
            "the file cannot be read: it is not a media file that FFmpeg knows, or its header is missing, cut off or "
            "damaged. Play it on your machine; if it plays, convert it to MP4 and try again."
        ) from error


def video_stream(container: InputContainer) -> VideoStream | None:
    """Return the moving picture to analyse, or None; a cover picture in a music file is not one."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return _best([s for s in container.streams.video if not s.disposition & still])


def audio_streams(container: InputContainer) -> list[AudioStream]:
    """Return the sound tracks; which of them is analysed, `tracks` decides by what is in them."""
    return list(container.streams.audio)


def _best(streams: Sequence[AnyStream]) -> AnyStream | None:
    """Prefer a track that can be decoded, then the one marked as default, then the first."""
    return max(streams, key=lambda s: (s.codec_context is not None, bool(s.disposition & 1), -s.index), default=None)


def codec_name(stream: Stream) -> str:
    """Return the format of a stream, such as "h264"; "unknown" when FFmpeg has no decoder for it."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"


def origin_s(container: InputContainer, data: Data) -> float:
    """Return the container's time at which the clip starts: times of the clip are counted from there.

    FFmpeg does not find it in some very short files: then it is the time of the first packet of either track.
    """
    if container.start_time is not None:
        return container.start_time / MICROSECONDS
    with open_clip(data) as again:
        streams = [stream for stream in (video_stream(again), *audio_streams(again)) if stream]
        packets = (packet for packet in read_packets(again, streams) if packet.pts is not None)
        return min((seconds(packet.pts, packet.time_base) for packet in packets), default=0.0)


def frame_rate_hz(stream: VideoStream) -> float:
    """Return the frame rate that the header states."""
    return float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE_HZ)


def seconds(stamp: int | None, time_base: Fraction | None) -> float:
    """Return FFmpeg's integer time in seconds; NaN when there is none."""
    return float("nan") if stamp is None or time_base is None else float(stamp * time_base)


def read_packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[av.Packet]:
    """Yield the packets of some streams in file order, on one clock; the first unreadable place ends the file.

    So does a forgery whose packets overlap, so that they hold many times what the file does.
    """
    left, clock = packet_bytes(container.size), Clock.of(container)
    wanted = {stream.index for stream in streams}
    try:
        for packet in container.demux():
            left -= packet.size
            if left < 0:
                return
            if packet.size:  # the empty ones that end the file are PyAV's
                clock.set(packet)
                if packet.stream_index in wanted:
                    yield packet
    except (FFmpegError, MemoryError, IndexError, OverflowError):
        # IndexError: PyAV, when a new track begins in the middle of a file; OverflowError: forged times that are none
        return


def presentation_times(packets: Sequence[av.Packet], origin: float, rate_hz: float) -> np.ndarray:
    """Return when each packet's content is shown, in seconds from `origin`: float64 [packets].

    Where presentation times are not stored, see `is_stamped`, the times of decoding are returned, which are the same
    set in another order; where none are stored, packets follow each other at `rate_hz`.
    """
    stamped = is_stamped(packets)
    stamps = [packet.pts if stamped else packet.dts for packet in packets]
    if None in stamps:
        return np.arange(len(packets)) / rate_hz
    times = [seconds(stamp, packet.time_base) for stamp, packet in zip(stamps, packets)]
    return np.array(times, dtype=np.float64) - origin


def shown(starts_s: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return which picture is shown at each time: INT [n] indices into `starts_s` [pictures], rising.

    It is the one that began last: a picture stands until the next begins, and the first is there from the beginning.
    """
    return np.maximum(np.searchsorted(starts_s, times + TOLERANCE_S, side="right") - 1, 0)


def is_stamped(packets: Sequence[av.Packet]) -> bool:
    """Tell whether packets have presentation times: raw streams have none, and AVI has the times of decoding only."""
    named = packets and packets[0].stream.container.format.name
    return named != "avi" and all(packet.pts is not None for packet in packets)


def first_frame(video: VideoStream, packets: Sequence[av.Packet], max_pixels: int) -> VideoFrame | None:
    """Decode the first key frame alone; None when that fails, or it has more than `max_pixels`."""
    first = next((packet for packet in packets if packet.is_keyframe), None)
    context = video.codec_context
    if first is None or context is None:
        return None
    context.options = {"max_pixels": str(max_pixels)}
    context.thread_count = 1
    try:
        return next(iter([*context.decode(first), *context.decode(None)]), None)
    except DECODE_ERRORS:
        return None


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned upright: transposed first, then mirrored."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read FFmpeg's display matrix of a decoded frame.

        The matrix takes a stored point to a shown one, x' = a x + c y and y' = b x + d y, in 16.16 fixed point
        (libavutil/display.h); turns other than by right angles are taken to the nearest.
        """
        a, b, _, c, d = _display_matrix(frame)[:5]
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(transposed=True, flip_x=bool(c < 0), flip_y=bool(b < 0))
        return cls(flip_x=bool(a < 0), flip_y=bool(d < 0))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the upright width and height of a stored picture."""
        return (height, width) if self.transposed else (width, height)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return a stored image [H, W, ..] upright (a view)."""
        image = image.swapaxes(0, 1) if self.transposed else image
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


_SIDE_DATA: Any = SideDataContainer
"""PyAV's stub does not know that it is made of a frame."""

_UNTURNED = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1], dtype=np.int32)
_QUARTER_TURNS = {0: (1, 0, 0, 1), 1: (0, -1, 1, 0), 2: (-1, 0, 0, -1), 3: (0, 1, -1, 0)}
"""a, b, c, d after so many quarter turns counterclockwise."""


def _display_matrix(frame: VideoFrame) -> np.ndarray:
    """Return the nine numbers of the display matrix; those of the plain rotation where PyAV cannot read side data.

    PyAV's `frame.side_data` would refer to the frame and the frame to it: all frames of a clip, with all that belongs
    to them, would stay until the garbage collector comes.
    """
    try:
        data = _SIDE_DATA(frame).get("DISPLAYMATRIX")
        return _UNTURNED if data is None else np.frombuffer(bytes(data), dtype=np.int32)
    except (ValueError, KeyError):  # PyAV knows no name for some newer kinds of side data, and then gives none
        a, b, c, d = _QUARTER_TURNS[round(frame.rotation / 90) % 4]
        return np.array([a, b, 0, c, d, 0, 0, 0, 1], dtype=np.int32)
