"""Decoding the planned frames, upright, and little else."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise

import av
import numpy as np
import psutil
import pytest
from av.container import InputContainer
from av.stream import Stream
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from samples import clips
from triptych.answer.status import Status
from triptych.media import limits, video
from triptych.media.container import Orientation, open_clip, read_packets
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits
from triptych.media.probe import probe
from triptych.media.video_gpu import GpuDecoder, define

COUNT = 60


def decode_planned(data: bytes) -> tuple[video.Video, np.ndarray]:
    facts = probe(data, Limits())
    return video.decode(data, facts.planned_times), facts.planned_indices


@pytest.mark.parametrize(
    ("form", "codec", "options"),
    [
        ("mp4", "libx264", {"bf": "3", "g": "20", "b_strategy": "0"}),
        ("mp4", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1:b-adapt=0"}),
        ("mp4", "libx265", {"x265-params": "log-level=none:keyint=10:open-gop=1"}),
        ("mpegts", "libx264", {"bf": "2", "g": "1000"}),
        ("matroska", "libx264", {"bf": "2", "g": "7"}),
        ("webm", "libvpx-vp9", {"g": "15"}),
        ("mp4", "mpeg4", {"bf": "2", "qmin": "1", "qmax": "1"}),
        ("mp4", "mjpeg", {"qmin": "1", "qmax": "1"}),
        ("avi", "mpeg4", {"qmin": "1", "qmax": "1"}),
        ("avi", "libx264", {"bf": "2"}),
        ("h264", "libx264", {"bf": "2"}),
    ],
)
def test_the_planned_frames_come_out(form: str, codec: str, options: dict[str, str]):
    data = clips.make(clips.greys(COUNT), form=form, codec=codec, options=options)
    decoded, planned = decode_planned(data)
    assert decoded.status.state == "ok"
    assert clips.which(decoded.frames, COUNT) == planned.tolist()


def test_each_time_has_the_frame_that_is_shown_then_as_often_as_it_is():
    times = 5 + np.array([0.0, 0.5, 0.6, 2.0, 2.1])
    data = clips.make(clips.greys(5), form="matroska", times=times)
    looked_at = np.array([0.0, 0.3, 0.5, 0.9, 1.4, 1.9, 2.0, 2.2, 9.0], np.float32)
    decoded = video.decode(data, looked_at)
    assert clips.which(decoded.frames, 5) == [0, 0, 1, 2, 2, 2, 3, 4, 4]
    assert decoded.times == pytest.approx(looked_at)


@pytest.mark.parametrize(
    ("form", "codec", "options"),
    [
        ("mp4", "libx264", {"bf": "3", "b_strategy": "0"}),
        ("matroska", "libx264", {"g": "1"}),
        ("mpegts", "libx264", {"bf": "2"}),
        ("webm", "libvpx-vp9", {}),
        ("mp4", "mpeg4", {"qmin": "1", "qmax": "1"}),
    ],
)
def test_a_picture_that_stands_is_seen_for_as_long_as_it_does(form: str, codec: str, options: dict[str, str]):
    """A slide show, a screen recording, a webcam that stalls: 8 s of one picture between two seconds of moving ones."""
    starts = np.concatenate([np.arange(10) / 10, 9 + np.arange(10) / 10])
    decoded, planned = decode_planned(
        clips.make(clips.greys(20), form=form, codec=codec, options=options, times=starts)
    )
    assert clips.which(decoded.frames, 20) == planned.tolist()
    assert planned.tolist().count(9) == pytest.approx(2 * 8, abs=1)
    assert np.diff(decoded.times).max() < 0.6


def test_a_gif_is_seen_for_as_long_as_its_pictures_are_shown():
    pictures = [Image.fromarray(picture) for picture in clips.greys(3)]
    target = io.BytesIO()
    pictures[0].save(target, "gif", save_all=True, append_images=pictures[1:], duration=[4000, 500, 1500], loop=0)
    decoded, _ = decode_planned(target.getvalue())
    assert clips.which(decoded.frames, 3) == [0] * 8 + [1] + [2] * 3


UPRIGHT = {  # display matrix (a, b, c, d) -> the greys of the four quarters, row by row
    (1, 0, 0, 1): (40, 100, 160, 220),
    (0, 1, -1, 0): (160, 40, 220, 100),  # a quarter turn clockwise
    (-1, 0, 0, -1): (220, 160, 100, 40),
    (0, -1, 1, 0): (100, 220, 40, 160),
    (-1, 0, 0, 1): (100, 40, 220, 160),  # mirrored
    (1, 0, 0, -1): (160, 220, 40, 100),
    (0, 1, 1, 0): (40, 160, 100, 220),  # transposed
    (0, -1, -1, 0): (220, 100, 160, 40),
}


@pytest.mark.parametrize("matrix", UPRIGHT)
def test_the_picture_is_upright(matrix: tuple[int, ...]):
    decoded, _ = decode_planned(clips.make([clips.marked()] * 3, matrix=matrix))
    height, width = decoded.frames.shape[1:3]
    assert (width, height) == (clips.SIZE if matrix[0] else clips.SIZE[::-1])
    rows = decoded.frames[0, [height // 4, 3 * height // 4]][:, [width // 4, 3 * width // 4], 0]
    assert rows.ravel() == pytest.approx(UPRIGHT[matrix], abs=12)


def test_orientation_of_a_frame_without_a_matrix_is_plain():
    assert Orientation().size(64, 48) == (64, 48)
    assert np.array_equal(Orientation().apply(clips.marked()), clips.marked())


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (640, 360)), ((64, 48), (64, 48)), ((66, 34), (66, 34)), ((720, 1280), (360, 640))],
)
def test_the_longer_side_is_bounded(size: tuple[int, int], expected: tuple[int, int]):
    decoded, _ = decode_planned(clips.make(clips.greys(2, size)))
    assert decoded.frames.shape[2:0:-1] == expected


def test_pixels_are_made_square():
    data = clips.make(clips.greys(2), form="matroska", options={"aspect": "8:3"})
    decoded, _ = decode_planned(data)
    assert decoded.frames.shape[1:3] == (48, 171)  # 64 px wide, each 8/3 as wide as high


def in_two_sizes(first: tuple[int, int], second: tuple[int, int]) -> bytes:
    """Two seconds of grey 200 in each of two sizes, in one stream."""
    light = [np.full((height, width, 3), 200, np.uint8) for width, height in (first, second)]
    options = {"preset": "ultrafast", "bf": "0"}
    return b"".join(clips.make([picture] * 20, form="h264", options=options) for picture in light)


@pytest.mark.parametrize(
    ("second", "size", "bright"),
    [
        ((64, 48), (64, 48), (64, 48)),
        ((128, 96), (128, 96), (128, 96)),  # as large as the largest
        ((32, 24), (64, 48), (64, 48)),
        ((48, 64), (64, 48), (36, 48)),  # a phone that is turned: as a whole, on black
        ((1280, 720), (640, 480), (640, 360)),
    ],
)
def test_a_change_of_size_in_the_stream_keeps_the_shape_of_all_that_is_shown(
    second: tuple[int, int], size: tuple[int, int], bright: tuple[int, int]
):
    data = in_two_sizes((64, 48), second)
    decoded, planned = decode_planned(data)
    assert decoded.frames.shape[2:0:-1] == size
    assert len(decoded.frames) == len(planned)
    lit = decoded.frames[-1, ..., 0] > 100
    assert (lit.any(axis=0).sum(), lit.any(axis=1).sum()) == pytest.approx(bright, abs=2)
    assert (decoded.frames[0] > 100).all()


def test_without_video_there_is_a_blank_frame_and_a_reason():
    decoded = video.decode(clips.make(sound=clips.tone(1.0)), np.zeros(0, np.float32))
    assert decoded.frames.shape == (1, 64, 64, 3)
    assert np.isnan(decoded.times).all()
    assert (decoded.status.state, decoded.status.reason) == ("absent", "no_video_track")


def test_an_undecodable_video_has_failed_and_says_so():
    data = bytearray(clips.make(clips.greys(10), form="matroska"))
    data[600:] = bytes(b ^ 0x5A for b in data[600:])
    facts = probe(bytes(data), Limits())
    decoded = video.decode(bytes(data), facts.planned_times)
    assert decoded.status == Status("failed", "undecodable_video", "h264")


@pytest.mark.parametrize("interval", ["1000", "1"])
@pytest.mark.parametrize("place", [0, 4])
def test_a_damaged_frame_is_replaced_by_the_one_before_it(place: int, interval: str):
    whole = clips.make(clips.greys(COUNT), form="matroska", options={"g": interval, "bf": "0"})
    facts = probe(whole, Limits())
    damaged = facts.planned_indices[place]
    decoded = video.decode(without_packet(whole, damaged), facts.planned_times)
    expected = [index - (index == damaged) for index in facts.planned_indices.tolist()]
    assert decoded.status.state == "ok"
    assert clips.which(decoded.frames, COUNT)[: place + 1] == expected[: place + 1]
    assert decoded.times == pytest.approx(facts.planned_times)


@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_damaged_frame_is_left_out_where_the_one_before_need_not_be_decoded(place: int):
    whole = clips.make(clips.greys(COUNT), form="matroska", codec="mjpeg", options={"qmin": "1", "qmax": "1"})
    facts = probe(whole, Limits())
    damaged = facts.planned_indices[place]
    decoded = video.decode(without_packet(whole, damaged), facts.planned_times)
    assert decoded.status.state == "ok"
    assert clips.which(decoded.frames, COUNT) == [index for index in facts.planned_indices.tolist() if index != damaged]


def without_packet(data: bytes, index: int) -> bytes:
    """Return a clip with zeros in place of one of its video packets."""
    with open_clip(data) as container:
        packets = list(read_packets(container, [container.streams.video[0]]))
    content = bytes(packets[index])
    assert data.count(content) == 1
    return data.replace(content, bytes(len(content)))


@pytest.mark.parametrize("budget_px", [150_000, 700_000])
def test_too_much_to_decode_leaves_the_first_part_of_each_group(monkeypatch: pytest.MonkeyPatch, budget_px: int):
    data = clips.make(clips.greys(COUNT), options={"g": "10", "bf": "0", "sc_threshold": "0"})
    planned = probe(data, Limits()).planned_times
    monkeypatch.setattr(limits, "DECODED_PX_PER_SECOND", budget_px / Limits().seconds)
    decoded, _ = decode_planned(data)
    got = clips.which(decoded.frames, COUNT)
    assert {number // 10 for number in got} == set(range(6))
    assert len(got) <= len(planned)
    assert got == sorted(got)
    assert np.abs(decoded.times - np.array(got) / clips.RATE_HZ).max() < 0.1, "what is shown then"


def test_wrong_marks_of_key_frames_do_not_lose_the_video(monkeypatch: pytest.MonkeyPatch):
    def wrongly_marked(container: InputContainer, streams: Sequence[Stream]) -> Iterator[av.Packet]:
        for index, packet in enumerate(read_packets(container, streams)):
            packet.is_keyframe = index == 2  # before the first planned frame, so that nothing is decoded from the start
            yield packet

    data = clips.make(clips.greys(COUNT), form="webm", codec="libvpx-vp9", options={"g": "1000"})
    facts = probe(data, Limits())
    monkeypatch.setattr(video, "read_packets", wrongly_marked)
    decoded = video.decode(data, facts.planned_times)
    assert clips.which(decoded.frames, COUNT) == facts.planned_indices.tolist()


def test_nothing_is_decoded_that_no_wanted_frame_needs():
    is_key = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0], bool)
    is_wanted = np.array([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], bool)
    times = np.arange(11.0)
    assert video.needed(is_key, is_wanted, times) == [range(2), range(8, 11)]
    assert video.needed(np.ones(11, bool), is_wanted, times) == [range(1, 2), range(10, 11)]
    assert video.needed(is_key, np.zeros(11, bool), times) == []


def test_work_ends_even_where_all_has_to_be_decoded(monkeypatch: pytest.MonkeyPatch):
    data = clips.make(clips.greys(COUNT), form="h264", options={"g": "10", "bf": "0"})  # a stream without times
    planned = probe(data, Limits()).planned_times
    monkeypatch.setattr(limits, "DECODED_PX_PER_SECOND", 20 * video.FRAME_OVERHEAD_PX / Limits().seconds)
    decoded = video.decode(data, planned)
    assert decoded.status.state == "ok"
    assert max(clips.which(decoded.frames, COUNT)) < 20 < COUNT


@pytest.mark.parametrize("seed", range(3))
def test_damage_decodes_the_same_each_time(seed: int):
    generator = np.random.default_rng(seed)
    scenes = [
        np.kron(generator.integers(0, 256, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8)) for _ in range(40)
    ]
    broken = clips.damaged(clips.make(scenes, options={"bf": "2"}), seed, flips=20, start=0.2, end=0.9)
    planned = np.linspace(0, 3.9, 20, dtype=np.float32)
    first = video.decode(broken, planned)
    assert first.status.ok
    for _ in range(5):
        assert np.array_equal(video.decode(broken, planned).frames, first.frames)


def test_a_whole_clip_is_decoded_once(monkeypatch: pytest.MonkeyPatch):
    threads = []
    attempt = video._attempt
    monkeypatch.setattr(video, "_attempt", lambda *arguments: threads.append(arguments[-1]) or attempt(*arguments))
    monkeypatch.setattr(video, "cores", lambda: 3)
    data = clips.make(clips.greys(20))
    assert video.decode(data, np.array([0.5], np.float32)).status.ok
    assert threads == [3]


PACKETS = st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 10)), max_size=60)


@given(PACKETS)
def test_every_wanted_packet_is_decoded_from_a_key_frame_on(packets: list[tuple[bool, bool, float]]):
    is_key, is_wanted = (np.array([packet[i] for packet in packets], bool) for i in (0, 1))
    ranges = video.joined(video.needed(is_key, is_wanted, np.array([packet[2] for packet in packets])))
    covered = {index for group in ranges for index in group}
    assert set(np.flatnonzero(is_wanted)) <= covered
    assert all(group.start == 0 or is_key[group.start] for group in ranges)
    assert all(one.stop < other.start for one, other in pairwise(ranges))


@given(PACKETS, st.floats(0, 1))
def test_shortened_groups_still_have_something_wanted_each(packets: list[tuple[bool, bool, float]], share: float):
    is_key, is_wanted = (np.array([packet[i] for packet in packets], bool) for i in (0, 1))
    groups = video.needed(is_key, is_wanted, np.array([packet[2] for packet in packets]))
    shorter, wanted = video.shortened(groups, is_wanted, share)
    assert [group.start for group in shorter] == [group.start for group in groups]
    assert sum(map(len, shorter)) <= max(share * sum(map(len, groups)), 0) + len(groups)
    assert all(wanted[group.start : group.stop].any() for group in shorter)
    assert wanted.sum() == sum(wanted[group.start : group.stop].sum() for group in shorter)


@pytest.fixture(scope="module")
def dali_decoder() -> Iterator[GpuDecoder]:
    """The GPU's pipeline on the CPU, where DALI decodes VP9."""
    with closing(Decoders("video_decode", Limits())) as decoders:
        yield GpuDecoder(decoders, device_id=None, device="cpu")


def test_the_gpu_pipeline_is_a_valid_graph():
    assert b"mixed" in define("mixed", device_id=None).serialize()


@pytest.mark.parametrize("matrix", [None, (0, 1, -1, 0)])
def test_dali_decodes_the_same_frames(dali_decoder: GpuDecoder, matrix: tuple[int, ...] | None):
    data = clips.make(clips.greys(COUNT), codec="libvpx-vp9", options={}, matrix=matrix)
    facts = probe(data, Limits())
    decoded = dali_decoder.decode(data, facts.planned_indices, facts.planned_times)
    assert dali_decoder.pipeline is not None
    assert decoded.frames.shape[2:0:-1] == (facts.width_px, facts.height_px)
    assert clips.which(decoded.frames, COUNT) == facts.planned_indices.tolist()
    assert np.array_equal(decoded.times, facts.planned_times)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_dali_cannot_decode_pyav_does_and_the_pipeline_lives_on(dali_decoder: GpuDecoder, codec: str):
    for data, by_dali in (
        (clips.make(clips.greys(8), codec=codec), False),
        (clips.make(clips.greys(8), codec="libvpx-vp9", options={}), True),
    ):
        facts = probe(data, Limits())
        decoded = dali_decoder.decode(data, facts.planned_indices, facts.planned_times)
        assert clips.which(decoded.frames, 8) == facts.planned_indices.tolist()
        assert (dali_decoder.pipeline is not None) == by_dali, "a pipeline that failed is given up"


def test_dali_is_not_given_a_clip_without_video(dali_decoder: GpuDecoder):
    nothing = np.zeros(0)
    decoded = dali_decoder.decode(clips.make(sound=clips.tone(1.0)), nothing, nothing)
    assert decoded.status.state == "absent"


def test_nothing_of_a_clip_stays_when_it_is_decoded():
    clip = clips.make(clips.greys(25))
    process = psutil.Process()
    video.decode(clip, np.linspace(0.1, 0.9, 8, dtype=np.float32))
    gc.collect()
    gc.disable()
    try:
        before = process.num_threads()
        video.decode(clip, np.linspace(0.1, 0.9, 8, dtype=np.float32))
        assert process.num_threads() == before
        assert not gc.collect()
    finally:
        gc.enable()
