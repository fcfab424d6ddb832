"""One clock for files whose own breaks off."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from triptych.media.clock import BROADCAST_LEAP_S, LEAP_S, Clock
from triptych.media.container import read_packets

TICKS = 1000


def packet(track: int, shown_s: float | None, decoded_s: float | None, length_s: float = 0.5) -> SimpleNamespace:
    ticks = [None if at_s is None else round(at_s * TICKS) for at_s in (shown_s, decoded_s)]
    stream = SimpleNamespace(type=("video", "audio", "subtitle")[track])
    return SimpleNamespace(
        stream=stream,
        stream_index=track,
        pts=ticks[0],
        dts=ticks[1],
        duration=round(length_s * TICKS),
        time_base=Fraction(1, TICKS),
    )


def set_all(*packets: SimpleNamespace, leap_s: float = LEAP_S) -> list[float | None]:
    clock = Clock(leap_s)
    for one in packets:
        clock.set(one)
    return [None if one.pts is None else one.pts / TICKS for one in packets]


def test_a_clock_that_runs_is_left_alone():
    video = [packet(0, at_s, at_s - 0.1) for at_s in (0.1, 1.0, 30.0, 31.0)]
    audio = [packet(1, at_s, at_s) for at_s in (-0.02, 0.5, 1.0, 59.0)]
    assert set_all(*video, *audio, leap_s=BROADCAST_LEAP_S) == [0.1, 1.0, 30.0, 31.0, -0.02, 0.5, 1.0, 59.0]


def test_what_is_joined_follows_all_that_was_before():
    first = packet(0, 0, 0), packet(1, 0, 0), packet(0, 3, 3), packet(1, 3.5, 3.5)
    second = packet(0, 0, 0), packet(1, 0, 0), packet(0, 1, 1)
    assert set_all(*first, *second)[4:] == [4.0, 4.0, 5.0]


def test_a_track_s_last_packets_may_come_after_the_break_of_another():
    packets = (
        packet(0, 0, 0),
        packet(1, 0, 0),
        packet(0, 3, 3),
        packet(0, 9000, 9000),
        packet(1, 3, 3),
        packet(1, 9001, 9001),
    )
    assert set_all(*packets)[3:] == [3.5, 3.0, 4.5]


def test_what_a_demuxer_has_held_back_belongs_before_the_break():
    packets = packet(0, 0, 0), packet(1, 0, 0), packet(0, 3, 3), packet(1, 2.5, 2.5), packet(0, 0, 0), packet(1, 3, 3)
    assert set_all(*packets, packet(1, 0, 0))[4:] == [3.5, 3.0, 3.5]


@pytest.mark.parametrize(("gap_s", "leap_s", "closed"), [(50, 60, False), (70, 60, True), (3000, 3600, False)])
def test_a_picture_may_stand_for_long_but_not_for_ever(gap_s: float, leap_s: float, closed: bool):
    assert set_all(packet(0, 0, 0), packet(0, gap_s, gap_s), leap_s=leap_s)[1] == (0.5 if closed else gap_s)


def test_pictures_that_are_decoded_in_another_order_are_no_break():
    slides = packet(0, 0, -20), packet(0, 40, -10), packet(0, 20, 0), packet(0, 10, 10), packet(0, 30, 20)
    assert set_all(*slides) == [0, 40, 20, 10, 30]


def test_times_of_decoding_that_were_made_up_across_a_break_do_not_hide_it():
    packets = packet(0, 0, 0), packet(0, 0.5, 0.5), packet(0, 9000, 1.0), packet(0, 9000.5, 9000.5)
    assert set_all(*packets) == [0, 0.5, 1.0, 1.5]


def test_a_title_that_comes_late_moves_nothing():
    assert set_all(packet(0, 50, 50), packet(2, 10, 10), packet(0, 50.5, 50.5)) == [50, 10, 50.5]


class Stamped(SimpleNamespace):
    """A packet that takes times of 64 bit only, as PyAV's do."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("pts", "dts") and abs(value or 0) >= 1 << 63:
            raise OverflowError
        super().__setattr__(name, value)


def test_forged_times_end_the_file():
    far_s = 0.9 * (1 << 63) / TICKS
    forged = [packet(0, 100, 100, far_s), packet(0, 0, 0, far_s), packet(0, -10, -10)]
    packets = [Stamped(**vars(one), size=1) for one in forged]
    file = SimpleNamespace(size=100, format=SimpleNamespace(flags=0), demux=lambda: iter(packets))
    assert 0 < len(list(read_packets(file, [SimpleNamespace(index=0)]))) < len(packets)


def test_a_packet_without_times_stays_without():
    assert set_all(packet(0, None, None), packet(0, 1, 1)) == [None, 1]
