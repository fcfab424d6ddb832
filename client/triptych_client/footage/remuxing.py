"""Packets of a film -> the file that is sent for a window, nothing encoded anew; and what is done where that cannot be.

Matroska takes every format, and keeps which way up a picture is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from triptych_client.errors import InvalidClip
from triptych_client.footage.cutting import LEAD_S, Window
from triptych_client.footage.media import Film, Packet, library

FORMAT = "matroska"

LONGEST_SIDE_PX = 640
"""Of a picture that is encoded anew: the server looks at no larger one."""
RATE_HZ = 8
"""Pictures a second of such a film: four times as many as are looked at."""
KEY_S = 2


def file_of(window: Window, film: Film) -> bytes:
    """Return a window as a media file, its time beginning with the first packet; InvalidClip for what cannot be one."""
    target = io.BytesIO()
    try:
        with library().open(target, "w", format=FORMAT) as container:
            present = {packet.stream for packet in window.packets}
            streams = {
                stream.index: container.add_stream_from_template(stream)
                for stream in film.streams
                if stream.index in present
            }
            for packet in window.packets:
                container.mux(_placed(packet, streams[packet.stream], window.origin_s))
    except (ValueError, OSError, library().error.FFmpegError) as error:
        raise InvalidClip(f"cannot be cut at {window.start_s:.1f} s ({error})", str(film.path)) from error
    return target.getvalue()


def _placed(packet: Packet, stream: Any, origin_s: float) -> Any:
    """Return a copy of a packet for another file, in which 0 is the film's `origin_s`."""
    raw = packet.raw
    copy = library().Packet(bytes(raw))
    copy.time_base, copy.stream = raw.time_base, stream
    ticks = round((packet.shift_s - origin_s) / float(raw.time_base))
    copy.pts, copy.dts = (None if stamp is None else stamp + ticks for stamp in (raw.pts, raw.dts))
    copy.duration, copy.is_keyframe = raw.duration, raw.is_keyframe
    return copy


@contextmanager
def encoded_anew(film: Film, start_s: float) -> Iterator[Film]:
    """Give the film from `start_s` on with a key frame every KEY_S, for one that has too few; its times stay.

    Pictures become small, as the server looks at them, and sound is copied. The file lies on the disk meanwhile.
    """
    with TemporaryDirectory(prefix="triptych-") as folder:
        path = Path(folder) / "film.mkv"
        _encode(film, start_s, path)
        with Film(path, origin_s=0.0) as again:
            yield again


def _encode(film: Film, start_s: float, path: Path) -> None:
    """Write the pictures from `start_s` on anew, and the sound from a little before."""
    av = library()
    with Film(film.path) as source, av.open(str(path), "w", format=FORMAT) as target:
        pictures = _Pictures(target, source.video, _turns(film.path)) if source.video else None
        sounds = {stream.index: target.add_stream_from_template(stream) for stream in source.audio}
        for packet in source.packets():
            if packet.stream in sounds:
                if packet.shown_s < start_s - LEAD_S:
                    continue
                target.mux(_placed(packet, sounds[packet.stream], 0.0))
            elif pictures:
                pictures.add(packet, start_s)
        if pictures:
            pictures.finish()


def _turns(path: str) -> int:
    """Return how often a video's pictures are to be turned by 90 degrees to the left to stand upright."""
    with Film(path) as film:
        try:
            first = next(film.container.decode(film.video))
        except (StopIteration, library().error.FFmpegError):
            return 0
        return round(first.rotation / 90) % 4


class _Pictures:
    """Encodes a video's pictures as H.264, RATE_HZ of them a second, turned so often by 90 degrees to the left."""

    def __init__(self, target: Any, video: Any, turns: int) -> None:
        self._target, self._video, self._next_s = target, video, 0.0
        self._turns = turns
        shrink = min(1.0, LONGEST_SIDE_PX / max(video.width, video.height))
        sides = [max(2, round(side * shrink / 2) * 2) for side in (video.width, video.height)]
        options = {"preset": "ultrafast", "g": str(RATE_HZ * KEY_S)}
        self._stream = target.add_stream("libx264", rate=RATE_HZ, options=options)
        self._stream.width, self._stream.height = sides[::-1] if turns % 2 else sides
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, 1000)

    def add(self, packet: Packet, start_s: float) -> None:
        """Decode a packet; its pictures from `start_s` on are encoded."""
        try:
            frames = self._video.decode(packet.raw)
        except library().error.FFmpegError:
            return  # a damaged place: the pictures around it go on
        for frame in frames:
            shown_s = float(frame.pts * frame.time_base) + packet.shift_s if frame.pts is not None else packet.shown_s
            if shown_s >= max(start_s, self._next_s):
                self._next_s = shown_s + 0.9 / RATE_HZ
                self._encode(frame, shown_s)

    def _encode(self, frame: Any, shown_s: float) -> None:
        if self._turns:
            turned = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), self._turns))
            frame = library().VideoFrame.from_ndarray(turned, format="rgb24")
        small = frame.reformat(self._stream.width, self._stream.height, "yuv420p")
        small.pts, small.time_base = round(shown_s * 1000), Fraction(1, 1000)
        small.pict_type = 0  # the encoder decides what becomes a key frame
        self._target.mux(self._stream.encode(small))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._target.mux(self._stream.encode(None))
