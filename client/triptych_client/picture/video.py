"""Reading a clip's pictures upright, and writing a copy with other pictures and the same sound.

Times are those of the answer: seconds from the start of the clip, which is the container's own start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError, InvalidDataError
from av.frame import Frame
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from triptych_client.errors import InvalidClip
from triptych_client.results import Analysis

Draw = Callable[[Image.Image, float], None]
"""Changes the upright picture of a time in place."""

COPIED_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac", "mp2"})
"""Sound that an MP4 file may hold goes over as it is; other sound becomes AAC."""

STANDARD_LAYOUTS = frozenset({"mono", "stereo", "2.1", "3.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1"})

UNSAID_LAYOUT = " channels"
"""So FFmpeg's name of a layout ends where a file says no more than how many channels there are."""

CLOCK_HZ = 90_000
"""Ticks a second of what is written: the clock of MPEG, fine enough for any frame rate."""

QUALITY = {"crf": "20", "preset": "veryfast"}

SEEK_S = 4.0
"""Pictures further ahead than this are sought; nearer ones are decoded up to."""


@contextmanager
def opened(path: str) -> Iterator[InputContainer]:
    """Open a clip for reading; InvalidClip when FFmpeg cannot."""
    try:
        container = av.open(path, metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        raise InvalidClip(f"its pictures cannot be read: {error.strerror or error}", path) from error
    with container:
        yield container


def _packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[av.Packet]:
    """Yield packets, and an empty one of each stream at the end; the first unreadable place ends the file."""
    packets = container.demux(streams)
    while True:
        try:
            yield next(packets)
        except (StopIteration, FFmpegError):
            return


@dataclass(frozen=True)
class Size:
    """Width and height of upright pictures, in pixels; both are even, as H.264 wants them."""

    width: int
    height: int

    @classmethod
    def fitting(cls, width: int, height: int, longest: int) -> Size:
        """Return a size of the same shape whose longer side is at most `longest`."""
        scale = min(1.0, longest / max(width, height))
        return cls(max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))


def pictures_at(analysis: Analysis, path: str, times_s: Iterable[float]) -> Iterator[tuple[float, Image.Image]]:
    """Yield the upright picture shown at each of some times, in the size of the answer's boxes, in order of time.

    Times behind the last picture have none. InvalidClip when the file cannot be read.
    """
    with opened(path) as container:
        if not container.streams.video:  # the file was exchanged since it was analysed
            return
        stream = container.streams.video[0]
        size = (analysis.clip.width or 0, analysis.clip.height or 0)
        now_s, frames = float("-inf"), _decoded(container, stream)
        shown: VideoFrame | None = None
        for time_s in sorted(set(times_s)):
            if time_s - now_s > SEEK_S:
                container.seek(round(time_s * av.time_base) + (container.start_time or 0))
                frames = _decoded(container, stream)
            while now_s < time_s or shown is None:
                if (frame := next(frames, None)) is None:
                    return
                shown, now_s = frame, _time_s(frame, container)
            yield time_s, _upright(shown, *size)


def rewritten(analysis: Analysis, source: str, target: Path, draw: Draw, longest: int = 4096) -> None:
    """Write a clip anew as MP4 (H.264), each picture changed by `draw`; the sound that was listened to goes along.

    `draw` sees pictures in the size of the answer's boxes; what is written has a longer side of at most `longest`
    pixels. A file of sound alone becomes an MP4 without pictures. InvalidClip when the source cannot be read.
    """
    with opened(source) as container, av.open(str(target), "w", format="mp4", options=_FAST_START) as output:
        writers: dict[int, _Video | _Sound] = {}
        if analysis.clip.has_video and container.streams.video:
            writers[container.streams.video[0].index] = _Video.to(output, container, analysis, draw, longest)
        if (sound := _heard(container, analysis)) is not None:
            writers[sound.index] = _Sound(output, container, sound)
        if not writers:  # FFmpeg would read all streams then
            raise InvalidClip("it has no picture and no sound that can be copied", source)
        streams = [container.streams[index] for index in writers]
        for packet in _packets(container, streams):
            for done in writers[packet.stream_index].take(packet):
                output.mux(done)
        for writer in writers.values():
            for done in writer.end():
                output.mux(done)


_FAST_START = {"movflags": "+faststart"}
"""The index before the content: a page can seek in it while it loads."""


class _Video:
    """Pictures of one stream: decoded, drawn on, encoded."""

    def __init__(
        self, output: OutputContainer, container: InputContainer, size: tuple[int, int], written: Size, draw: Draw
    ) -> None:
        self._container, self._size, self._written, self._draw = container, size, written, draw
        source = container.streams.video[0]
        source.thread_type = "AUTO"
        self._stream: VideoStream = output.add_stream("libx264", rate=source.average_rate or 25, options=dict(QUALITY))
        self._stream.width, self._stream.height = written.width, written.height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        self._last = -1

    @classmethod
    def to(
        cls, output: OutputContainer, container: InputContainer, analysis: Analysis, draw: Draw, longest: int
    ) -> _Video:
        size = (analysis.clip.width or 2, analysis.clip.height or 2)
        return cls(output, container, size, Size.fitting(*size, longest), draw)

    def take(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield what a packet of the source becomes; a picture that cannot be decoded is left out."""
        for frame in _frames(packet):
            if isinstance(frame, VideoFrame) and frame.pts is not None:
                yield from self._encoded(frame)

    def _encoded(self, frame: VideoFrame) -> Iterator[av.Packet]:
        time_s = _time_s(frame, self._container)
        tick = round(time_s * CLOCK_HZ)
        if tick <= self._last:
            return
        self._last = tick
        image = _upright(frame, *self._size)
        self._draw(image, time_s)
        if image.size != (self._written.width, self._written.height):
            image = image.resize((self._written.width, self._written.height), Image.Resampling.BILINEAR)
        drawn = VideoFrame.from_image(image).reformat(format="yuv420p")
        drawn.pts, drawn.time_base = tick, Fraction(1, CLOCK_HZ)
        yield from self._stream.encode(drawn)

    def end(self) -> Iterator[av.Packet]:
        yield from self._stream.encode(None)


class _Sound:
    """Sound of one stream: as it is where MP4 may hold it, as AAC otherwise."""

    def __init__(self, output: OutputContainer, container: InputContainer, source: AudioStream) -> None:
        self._origin_s = Fraction(container.start_time or 0, av.time_base)
        self._copied = source.codec_context.name in COPIED_AUDIO
        self._stream: AudioStream
        if self._copied:
            self._stream = output.add_stream_from_template(source)
        else:
            self._stream = output.add_stream("aac", rate=source.rate)
            self._resampler = AudioResampler(format="fltp", layout="stereo", rate=source.rate)

    def take(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Yield what a packet of the source becomes."""
        if not self._copied:
            yield from self._encoded(packet)
        elif packet.pts is not None and packet.time_base is not None:
            shift = round(self._origin_s / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = self._stream
            yield packet

    def _encoded(self, packet: av.Packet) -> Iterator[av.Packet]:
        for frame in _frames(packet):
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(self._origin_s / frame.time_base)
            for even in self._resampler.resample(frame):  # pyright: ignore[reportArgumentType]
                yield from self._stream.encode(even)

    def end(self) -> Iterator[av.Packet]:
        if not self._copied:
            for even in self._resampler.resample(None):
                yield from self._stream.encode(even)
            yield from self._stream.encode(None)


def _heard(container: InputContainer, analysis: Analysis) -> AudioStream | None:
    """Return the sound track that was listened to; of an answer that does not say, the first.

    None for one that would have to be decoded and has channels without a standard layout: PyAV 18 aborts on those.
    """
    index = next((track.index for track in analysis.audio_tracks if track.heard), None)
    stream = next((s for s in container.streams.audio if index in (None, s.index)), None)
    if stream is None or stream.codec_context.name in COPIED_AUDIO:
        return stream
    layout = stream.codec_context.layout.name
    return stream if layout in STANDARD_LAYOUTS or layout.endswith(UNSAID_LAYOUT) else None


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames from where the container stands; what cannot be decoded is left out."""
    for packet in _packets(container, [stream]):
        yield from (frame for frame in _frames(packet) if isinstance(frame, VideoFrame) and frame.pts is not None)


def _frames(packet: av.Packet) -> list[Frame]:
    """Return the frames of a packet; none where it cannot be decoded."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, Frame)]
    except InvalidDataError:
        return []


def _time_s(frame: VideoFrame, container: InputContainer) -> float:
    return float(frame.time or 0.0) - (container.start_time or 0) / av.time_base


def _upright(frame: VideoFrame, width: int, height: int) -> Image.Image:
    """Return a frame as it is shown: turned as the file says, in square pixels, width x height."""
    turns = round(frame.rotation / 90) % 4
    lying = (height, width) if turns % 2 else (width, height)
    pixels = frame.to_ndarray(format="rgb24", width=lying[0], height=lying[1])
    return Image.fromarray(np.ascontiguousarray(np.rot90(pixels, turns)))
