"""Films cut at key frames: every picture and every sound is in the window whose it is, at its time."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from samples import clips, films
from triptych_client import InvalidClip
from triptych_client.footage.cutting import LEAD_S, MARGIN_S, TAIL_S, Bounds, NoKeyFrame, Window, cut
from triptych_client.footage.media import Clock, Film
from triptych_client.footage.remuxing import encoded_anew, file_of
from triptych_client.footage.sending import is_long

SMALL = Bounds(LEAD_S + TAIL_S + MARGIN_S + 4.0, 64 << 20)
"""Windows of four seconds, and what overlaps."""
FRAME_S = 1 / clips.RATE_HZ


@pytest.fixture(scope="module")
def film_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 20 s with a key frame every second."""
    return films.write(tmp_path_factory.mktemp("films") / "film.mp4", 20)


def windows(film: Film, bounds: Bounds = SMALL) -> list[tuple[Window, bytes]]:
    found = cut(film.packets(), film.anchor, film.video is not None, bounds)
    return [(window, file_of(window, film)) for window in found]


def pictures(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the decoded pictures of a file, and when they are shown."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(video=0))
    return np.stack([frame.to_ndarray(format="rgb24") for frame in frames]), np.array([frame.time for frame in frames])


def sound_s(data: bytes) -> tuple[float, float]:
    """Return when the sound of a file begins and ends."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))
    return frames[0].time, frames[-1].time + frames[-1].samples / frames[-1].sample_rate


def test_every_picture_is_in_its_window_at_its_time(film_path: Path):
    with Film(film_path) as film:
        cuts = windows(film)
    assert len(cuts) == 5
    for window, data in cuts:
        seen, times = pictures(data)
        numbers = np.array(clips.which(seen, 200))
        shown = (times + window.origin_s) / FRAME_S
        assert np.abs(numbers - shown).max() <= 2  # a grey is coded to within two of its neighbours
        assert shown[0] * FRAME_S == pytest.approx(window.start_s, abs=FRAME_S / 2)
        assert shown[-1] * FRAME_S >= min(window.end_s + TAIL_S, 20.0) - 1.5 * FRAME_S


def test_windows_follow_each_other_without_a_gap_and_are_short_enough(film_path: Path):
    with Film(film_path) as film:
        cuts = windows(film)
    assert (cuts[0][0].start_s, round(cuts[-1][0].end_s, 1)) == (0.0, 20.0)
    for (left, _), (right, _) in pairwise(cuts):
        assert left.end_s == right.start_s
    for window, data in cuts:
        with av.open(io.BytesIO(data)) as container:
            assert container.duration / av.time_base <= SMALL.seconds
            assert container.start_time == 0
        begins, ends = (time_s + window.origin_s for time_s in sound_s(data))
        assert begins <= max(window.start_s - LEAD_S, 0.0) + 0.05
        assert ends >= min(window.end_s + TAIL_S, 20.0) - 0.05


def test_a_film_of_sound_is_cut_anywhere(tmp_path: Path):
    with Film(films.write_sound(tmp_path / "film.mka", 15)) as film:
        cuts = windows(film)
    assert [round(window.start_s) for window, _ in cuts] == [0, 4, 8, 12]
    assert sound_s(cuts[1][1])[1] + cuts[1][0].origin_s == pytest.approx(10.0, abs=0.2)


def test_a_window_has_no_more_bytes_than_the_server_takes(film_path: Path):
    bounds = Bounds(20.0, (1 << 16) + film_path.stat().st_size // 3)
    with Film(film_path) as film:
        cuts = windows(film, bounds)
    assert len(cuts) > 3
    assert all(len(data) <= bounds.bytes for _, data in cuts)


def test_a_film_without_key_frames_is_encoded_anew(tmp_path: Path):
    with Film(films.write(tmp_path / "film.mp4", 20, key_every=1000)) as film:
        with pytest.raises(NoKeyFrame, match="there is no key frame"):
            windows(film)
        with encoded_anew(film, 0.0) as again:
            cuts = windows(again)
    assert len(cuts) >= 5
    for window, data in cuts:
        seen, times = pictures(data)
        shown = (times + window.origin_s) / FRAME_S
        assert np.abs(np.array(clips.which(seen, 200)) - shown).max() <= 3


def test_a_film_that_is_encoded_anew_stands_upright(tmp_path: Path):
    pictures_of = [clips.marked()] * 30
    path = tmp_path / "film.mp4"
    path.write_bytes(clips.make(pictures_of, clips.tone(3.0), matrix=(0, 1, -1, 0)))
    with Film(path) as film, encoded_anew(film, 0.0) as again:
        frame = next(again.container.decode(video=0))
    assert (frame.width, frame.height) == clips.SIZE[::-1]
    upright = frame.to_ndarray(format="rgb24")[:, :, 0]
    quarters = [upright[8, 8], upright[8, -8], upright[-8, 8], upright[-8, -8]]
    assert np.argsort(quarters).tolist() == [1, 3, 0, 2]  # 160 and 40 above, 220 and 100 below


def test_sound_that_goes_on_without_pictures_is_cut_too(tmp_path: Path):
    path = tmp_path / "film.mkv"
    path.write_bytes(clips.make(clips.greys(20), clips.tone(40.0), form="matroska"))
    with Film(path) as film:
        cuts = windows(film, Bounds(20.0, 64 << 20))
    assert len(cuts) == 3
    assert cuts[-1][0].end_s == pytest.approx(40.0, abs=0.1)


def test_recordings_that_were_joined_go_on(tmp_path: Path):
    part = clips.make(clips.greys(60), clips.tone(6.0), form="mpegts", options={**films.KEYS, "g": "10"})
    path = tmp_path / "film.ts"
    path.write_bytes(part + part)
    with Film(path) as film:
        shown = [packet.shown_s for packet in film.packets() if packet.stream == film.anchor]
    assert len(shown) == 120
    assert max(shown) == pytest.approx(12.0, abs=0.5)


def test_times_that_were_set_anew_are_put_behind_what_was():
    class Raw:
        stream_index, size, is_keyframe, duration, time_base = 0, 1, True, 1, 1.0

        def __init__(self, time: int) -> None:
            self.pts = self.dts = time

    clock = Clock(5.0)
    assert [clock.set(Raw(time)).shown_s for time in (5, 6, 0, 1, 5000, 5001)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("bounds", "long"), [(SMALL, True), (Bounds(60.0, 64 << 20), False), (Bounds(60.0, 100), True)]
)
def test_what_is_long(film_path: Path, bounds: Bounds, long: bool):
    assert is_long(film_path, bounds) is long


def test_what_cannot_be_opened_is_not_long(tmp_path: Path):
    (tmp_path / "notes.mp4").write_bytes(b"this is no media file")
    assert not is_long(tmp_path / "notes.mp4", SMALL)
    with pytest.raises(InvalidClip, match="no media file that can be cut"):
        Film(tmp_path / "notes.mp4")
