"""One clock for a whole file: the times of packets go on where the file's own are set anew.

Recordings that were joined byte by byte (MPEG-TS, Matroska, WebM) begin again at 0, and a camera whose clock was set
leaps by hours. FFmpeg's library passes such times on; its command mends them (fftools/ffmpeg_demux.c,
`ts_discontinuity_detect`), and so does this: what follows a break is shown after all that came before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import av
from av.container import InputContainer

FALL_S = 1.0
"""Times of decoding never fall inside a recording; by less, they do where a recorder was careless."""

LEAP_S = 3600.0
"""A picture may stand for long, but nothing at all for an hour is a clock that was set."""

BROADCAST_LEAP_S = 60.0
"""The same in formats whose clock may break off by their standard."""

MAY_BREAK_OFF = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT, among the flags of such a format."""


@dataclass
class Clock:
    """Puts the packets of a file on one clock, in the order of the file; every track of pictures or sound takes part.

    The tracks break together: what is added to the times of one is added to those of all.
    """

    leap_s: float
    added_s: float = 0.0
    added_before_s: float = 0.0
    """Until the last break: the last packets of one track can come after another's first from beyond it."""
    last_s: dict[int, float] = field(default_factory=dict)
    """When the last packet of each track is decoded, by its index."""
    end_s: float = 0.0
    """When all that came so far ends."""

    @classmethod
    def of(cls, container: InputContainer) -> Clock:
        """Return the clock for a file that is read from its beginning."""
        return cls(BROADCAST_LEAP_S if container.format.flags & MAY_BREAK_OFF else LEAP_S)

    def set(self, packet: av.Packet) -> None:
        """Give a packet its time on this clock."""
        if not packet.time_base:
            return
        shown, decoded = packet.pts, self._decoded(packet)
        if decoded is None:
            return
        length_s = float((packet.duration or 0) * packet.time_base)
        added_s = self._added_s(packet, float(decoded * packet.time_base), length_s)
        if ticks := round(added_s / float(packet.time_base)):
            packet.pts, packet.dts = None if shown is None else shown + ticks, decoded + ticks

    def _decoded(self, packet: av.Packet) -> int | None:
        """Return a packet's time of decoding in the file.

        Where a file has none, as Matroska, FFmpeg makes it of the packets before: across a break that is wrong.
        """
        if packet.pts is None or packet.dts is None:
            return packet.dts if packet.pts is None else packet.pts
        ahead_s = float((packet.pts - packet.dts) * packet.time_base)
        return packet.dts if -FALL_S <= ahead_s <= self.leap_s else packet.pts

    def _added_s(self, packet: av.Packet, at_s: float, length_s: float) -> float:
        """Return what to add to a packet's time, and remember when it is decoded."""
        if packet.stream is None or packet.stream.type not in ("video", "audio"):
            return self.added_s
        last_s = self.last_s.get(packet.stream_index)
        added_s = self._fitting(last_s, at_s)
        if length_s <= 0 and last_s is not None:  # MPEG-TS does not say how long a picture is shown
            length_s = min(max(at_s + added_s - last_s, 0.0), FALL_S)
        self.last_s[packet.stream_index] = at_s + added_s
        self.end_s = max(self.end_s, at_s + added_s + length_s)
        return added_s

    def _fitting(self, last_s: float | None, at_s: float) -> float:
        """Return what puts a packet shortly after its track's last one; after a break, where all came to an end."""
        if last_s is None:
            return self.added_s
        known = (self.added_s, self.added_before_s)
        fitting = [added_s for added_s in known if -FALL_S <= at_s + added_s - last_s <= self.leap_s]
        if fitting:
            return min(fitting, key=lambda added_s: abs(at_s + added_s - last_s))
        self.added_s, self.added_before_s = self.end_s - at_s, self.added_s
        return self.added_s
