"""The film as packets on one clock: what is cut, and how long it is. PyAV is imported here, when it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from triptych_client.errors import InvalidClip, TriptychClientError

FALL_S = 1.0
"""Times of decoding that fall by more were set anew: the film is several recordings, one after the other."""

LEAP_S = 60.0
"""Nothing at all for so long is a clock that was set."""


def library() -> Any:
    """Return PyAV; TriptychClientError where it is not installed."""
    try:
        import av
    except ImportError:
        raise TriptychClientError(
            "cutting long footage needs PyAV, the extra `footage` of triptych-client: pip install av"
        ) from None
    return av


@dataclass(frozen=True)
class Packet:
    """A packet of the film: when it is shown, in seconds from the film's start, and PyAV's packet itself."""

    stream: int
    shown_s: float
    is_key: bool
    size: int
    length_s: float
    raw: Any = field(repr=False)
    shift_s: float = 0.0
    """What is added to the packet's own times to have the film's."""


class Film:
    """An open film: `video` is the stream of moving pictures or None, `audio` the sound tracks.

    `origin_s` is the container's time at which the film starts, as the container says unless it is given. InvalidClip
    for a file that cannot be opened, or has neither.
    """

    def __init__(self, path: str | os.PathLike[str], origin_s: float | None = None) -> None:
        self.path = os.fsdecode(path)
        self._av = library()
        try:
            self.container = self._av.open(self.path)
        except (OSError, ValueError, self._av.error.FFmpegError) as error:
            raise InvalidClip(f"this is no media file that can be cut ({error})", self.path) from error
        still = self._av.stream.Disposition.attached_pic | self._av.stream.Disposition.timed_thumbnails
        pictures = [s for s in self.container.streams.video if s.codec_context and not s.disposition & still]
        self.video = max(pictures, key=lambda s: (bool(s.disposition & 1), -s.index), default=None)
        self.audio = [stream for stream in self.container.streams.audio if stream.codec_context]
        self.origin_s = (self.container.start_time or 0) / self._av.time_base if origin_s is None else origin_s
        if not self.streams:
            self.container.close()
            raise InvalidClip("the file has neither a video nor an audio track", self.path)

    def __enter__(self) -> Film:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    @property
    def streams(self) -> list[Any]:
        """The streams that are cut."""
        return [*([self.video] if self.video else []), *self.audio]

    @property
    def anchor(self) -> int:
        """The index of the stream whose key frames are where the film can be cut."""
        return self.streams[0].index

    @property
    def duration_s(self) -> float | None:
        """How long the film is, as its header says; None: it does not say."""
        told = self.container.duration
        return None if told is None or told <= 0 else told / self._av.time_base

    def packets(self) -> Iterator[Packet]:
        """Yield the packets in the order of the file; the first unreadable place ends the film."""
        clock = Clock(self.origin_s)
        wanted = {stream.index for stream in self.streams}
        packets = self.container.demux(self.streams)
        while True:
            try:
                raw = next(packets, None)
            except self._av.error.FFmpegError:
                return
            if raw is None:
                return
            if raw.stream_index in wanted and raw.size and (raw.dts is not None or raw.pts is not None):
                yield clock.set(raw)


@dataclass
class Clock:
    """Puts packets on one clock, whose 0 is the film's start, and lets it go on where the file's own is set anew."""

    origin_s: float
    added_s: float = 0.0
    added_before_s: float = 0.0
    """Until the last break: the last packets of one track can come after another's first from beyond it."""
    last_s: dict[int, float] = field(default_factory=dict)
    end_s: float = 0.0

    def set(self, raw: Any) -> Packet:
        """Return a packet with its time."""
        base = float(raw.time_base)
        decoded_s = (raw.dts if raw.dts is not None else raw.pts) * base - self.origin_s
        added_s = self._added_s(raw.stream_index, decoded_s)
        decoded_s += added_s
        self.last_s[raw.stream_index] = decoded_s
        length_s = float(raw.duration or 0) * base
        self.end_s = max(self.end_s, decoded_s + length_s)
        shown_s = decoded_s if raw.pts is None else raw.pts * base - self.origin_s + added_s
        shift_s = added_s - self.origin_s
        return Packet(raw.stream_index, shown_s, bool(raw.is_keyframe), raw.size, length_s, raw, shift_s)

    def _added_s(self, stream: int, decoded_s: float) -> float:
        """Return what a packet's time lacks; where none of what was added fits, there is a break."""
        last_s = self.last_s.get(stream)
        if last_s is None:
            return self.added_s
        near = min((self.added_s, self.added_before_s), key=lambda added_s: abs(decoded_s + added_s - last_s))
        if not last_s - FALL_S <= decoded_s + near <= last_s + LEAP_S:
            self.added_before_s, self.added_s = self.added_s, self.end_s - decoded_s
            return self.added_s
        return near
