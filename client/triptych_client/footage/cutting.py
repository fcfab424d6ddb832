"""Where a film is cut: into windows that follow each other, with some of the next one's sound and pictures behind each.

A window begins with a key frame, so that nothing is encoded anew. Its sound begins LEAD_S before, and sound and
pictures go on for TAIL_S after the next one's beginning: what is said at a cut is heard whole by one of the two, and
who is seen at a cut by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from triptych_client.errors import InvalidClip
from triptych_client.footage.media import Packet

LEAD_S = 2.0
TAIL_S = 2.0
"""More would cost more: of 60 s, these four are heard twice."""

MARGIN_S = 0.25
"""A window is shorter than the limit by this: its last packets have a length too."""

MARGIN_BYTES = 1 << 16
"""For what a container adds to its packets, besides a hundredth of them."""

LAG_S = 10.0
"""A track whose packets come so much later in the file than the others' is not waited for: it has ended, or pauses."""

SHORTEST = 1 / 8
"""A window has at least so much of what it may have: shorter ones would be mostly overlap."""


class NoKeyFrame(InvalidClip):
    """From `start_s` on there is no key frame within what a window may have."""

    def __init__(self, start_s: float) -> None:
        super().__init__(
            f"after {start_s:.1f} s there is no key frame for too long, or too many bytes, to cut a window"
        )
        self.start_s = start_s


@dataclass(frozen=True)
class Bounds:
    """What a window may have: seconds and bytes."""

    seconds: float
    bytes: int

    @property
    def core_s(self) -> float:
        """Seconds from the beginning of a window to that of the next."""
        return self.seconds - LEAD_S - TAIL_S - MARGIN_S

    @property
    def packet_bytes(self) -> int:
        """Bytes of a window's packets."""
        return (self.bytes - MARGIN_BYTES) * 100 // 101

    @property
    def core_bytes(self) -> int:
        """The same without those of the tail."""
        return self.packet_bytes * 9 // 10


@dataclass(frozen=True)
class Window:
    """A part of the film, `start_s` to `end_s`: what its answer counts for; the packets reach further.

    Times are seconds from the film's start; `origin_s` is when the first packet is shown, the window's own 0.
    """

    index: int
    start_s: float
    end_s: float
    packets: tuple[Packet, ...] = field(repr=False)

    @property
    def origin_s(self) -> float:
        """When the window's own time begins."""
        return min(packet.shown_s for packet in self.packets)


def cut(
    packets: Iterable[Packet], anchor: int, pictures: bool, bounds: Bounds, start_s: float = 0.0, first: int = 0
) -> Iterator[Window]:
    """Yield the windows of a film from `start_s` on, numbered from `first`; little more than one of them is held.

    `anchor` is the stream whose key frames begin windows; `pictures`: it is a video. NoKeyFrame where a window
    would be too long or too large.
    """
    cutter = _Cutter(anchor, pictures, bounds, start_s, first)
    for packet in packets:
        cutter.add(packet)
        yield from cutter.complete()
    yield from cutter.rest()


class _Cutter:
    def __init__(self, anchor: int, pictures: bool, bounds: Bounds, start_s: float, first: int) -> None:
        self._anchor, self._pictures, self._bounds, self._index = anchor, pictures, bounds, first
        self._held: list[Packet] = []
        self._bytes = 0
        self._starts: list[tuple[float, int]] = [(start_s, 0)]
        """When a window could begin, the first of them the one that is being read, and the bytes held before it."""
        self._reached: dict[int, float] = {anchor: start_s}

    def add(self, packet: Packet) -> None:
        if self._may_begin(packet):
            self._starts.append((packet.shown_s, self._bytes))
        self._held.append(packet)
        self._bytes += packet.size
        self._reached[packet.stream] = max(self._reached.get(packet.stream, packet.shown_s), packet.shown_s)

    def complete(self) -> Iterator[Window]:
        """Yield windows whose end is known and whose packets are all there."""
        while self._is_over():
            end_s = self._end_s()
            if not self._is_there(end_s + TAIL_S):
                return
            yield self._close(end_s)

    def rest(self) -> Iterator[Window]:
        """Yield what is left when the film has ended."""
        while self._is_over():
            yield self._close(self._end_s())
        if any(packet.shown_s >= self._start_s for packet in self._held):
            yield self._window(max(packet.shown_s + packet.length_s for packet in self._held), self._held)

    @property
    def _start_s(self) -> float:
        return self._starts[0][0]

    def _may_begin(self, packet: Packet) -> bool:
        """Whether a window could begin here: with a key frame, or with sound where there is no picture for long."""
        if packet.stream == self._anchor:
            return packet.is_key
        return packet.shown_s - self._reached[self._anchor] > LAG_S

    def _is_over(self) -> bool:
        """Whether more was read than a window may have."""
        read_s = max(self._reached.values()) - self._start_s
        return read_s > self._bounds.core_s or self._bytes > self._bounds.core_bytes

    def _end_s(self) -> float:
        """Return the last start of another window that this one can end with."""
        shortest_s, longest_s = (self._start_s + self._bounds.core_s * share for share in (SHORTEST, 1))
        inside = [
            start_s
            for start_s, size in self._starts[1:]
            if shortest_s <= start_s <= longest_s and size <= self._bounds.core_bytes
        ]
        if not inside:
            raise NoKeyFrame(self._start_s)
        return max(inside)

    def _is_there(self, until_s: float) -> bool:
        """Whether each track was read so far; one that lags is not waited for."""
        foremost_s = max(self._reached.values())
        return foremost_s >= until_s and (
            foremost_s >= until_s + LAG_S or all(reached_s >= until_s for reached_s in self._reached.values())
        )

    def _close(self, end_s: float) -> Window:
        """Return the window that ends there, and begin the next."""
        window = self._window(end_s, [packet for packet in self._held if packet.shown_s < end_s + TAIL_S])
        self._held = [packet for packet in self._held if packet.shown_s >= end_s - self._lead_s(packet)]
        dropped = self._bytes - sum(packet.size for packet in self._held)
        self._bytes -= dropped
        later = [(start_s, max(size - dropped, 0)) for start_s, size in self._starts if start_s > end_s]
        self._starts = [(end_s, 0), *later]
        return window

    def _lead_s(self, packet: Packet) -> float:
        """Return how long before a window's beginning its packets begin: pictures not at all."""
        return 0.0 if self._pictures and packet.stream == self._anchor else LEAD_S

    def _window(self, end_s: float, packets: Iterable[Packet]) -> Window:
        self._index += 1
        return Window(self._index - 1, self._start_s, end_s, tuple(self._decodable(packets)))

    def _decodable(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield packets without pictures before the first key frame, and so much of the tail as there is room for."""
        size, begun = 0, not self._pictures
        for packet in packets:
            begun = begun or (packet.stream == self._anchor and packet.is_key)
            if packet.stream == self._anchor and not begun:
                continue
            size += packet.size
            if size > self._bounds.packet_bytes:
                return
            yield packet
