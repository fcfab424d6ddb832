"""Which faces of successive frames are the same person's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.face import tracks


def box(x: float, y: float = 100, side: float = 50) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def link(*frames: list[list[float]]) -> list[list[int]]:
    return [linked.tolist() for linked in tracks.link([np.array(boxes).reshape(-1, 4) for boxes in frames])]


def test_a_face_that_moves_stays_one_track():
    assert link([box(100)], [box(140)], [box(180)]) == [[0], [0], [0]]


def test_two_people_keep_their_tracks_whatever_their_order():
    assert link([box(100), box(300)], [box(310), box(95)], [box(90), box(320)]) == [[0, 1], [1, 0], [0, 1]]


def test_a_jump_across_the_picture_is_someone_else():
    assert link([box(100)], [box(400)]) == [[0], [1]]


def test_a_face_of_another_size_is_someone_else():
    assert link([box(100, side=40)], [box(100, side=120)]) == [[0], [1]]


def test_a_face_missed_twice_goes_on():
    assert link([box(100)], [], [], [box(110)]) == [[0], [], [], [0]]


def test_a_face_missed_for_long_is_new():
    assert link([box(100)], [], [], [], [box(100)])[-1] == [1]


def test_positions_are_whose_face_and_when():
    linked, times_s = np.array([0, 1, 0], np.int32), np.array([0, 0.5, 0.9996], np.float32)
    keys, times_ms = tracks.positions(linked, times_s).T
    assert times_ms.tolist() == [0, 500, 1000]
    assert keys.tolist() == [keys[0], keys[0] + 1, keys[0]]


def test_no_two_clips_share_a_track_s_key():
    clips = [tracks.positions(np.arange(8, dtype=np.int32), np.zeros(8)) for _ in range(32)]
    assert np.concatenate(clips).dtype == np.int64
    assert len({*np.concatenate(clips)[:, 0].tolist()}) == 32 * 8


def test_no_frames_and_no_faces():
    assert link() == []
    assert link([], []) == [[], []]


ANNA, BORIS = np.eye(2, 4, dtype=np.float32)


def rejoin(*seen: tuple[float, int, np.ndarray]) -> list[int]:
    times, numbers, looks = zip(*seen)
    return tracks.rejoin(np.array(numbers), np.array(times), np.stack(looks)).tolist()


def test_who_comes_back_looking_the_same_is_the_same():
    assert rejoin((0, 0, ANNA), (1, 0, ANNA), (4, 1, ANNA), (5, 1, ANNA)) == [0, 0, 0, 0]


def test_who_comes_back_looking_otherwise_is_someone_else():
    assert rejoin((0, 0, ANNA), (4, 1, BORIS)) == [0, 1]


def test_who_is_there_at_the_same_time_is_someone_else():
    assert rejoin((0, 0, ANNA), (1, 1, ANNA), (2, 0, ANNA)) == [0, 1, 0]


def test_who_was_away_for_long_is_new():
    assert rejoin((0, 0, ANNA), (tracks.REJOIN_S + 1, 1, ANNA)) == [0, 1]


def test_cuts_between_two_people_make_two_tracks():
    scenes = [ANNA, BORIS, ANNA, BORIS, ANNA]
    assert rejoin(*[(4 * scene, scene, look) for scene, look in enumerate(scenes)]) == [0, 1, 0, 1, 0]


def test_a_blank_crop_is_nobody_s():
    blank = np.zeros(4, np.float32)
    assert rejoin((0, 0, blank), (4, 1, blank)) == [0, 1]


@settings(deadline=None)  # a machine that also trains is slow now and then
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 1)), max_size=12))
def test_nobody_is_in_a_frame_twice_after_rejoining(seen: list[tuple[int, int, int]]):
    faces = {(time, number): (float(time), number, (ANNA, BORIS)[look]) for time, number, look in seen}
    if faces:
        joined = rejoin(*faces.values())
        placed = [(time, track) for (time, _), track in zip(faces, joined)]
        assert len(set(placed)) == len(placed)


@settings(deadline=None)  # a machine that also trains is slow now and then
@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 640), st.floats(0, 360), st.floats(0, 200)), max_size=5), min_size=1, max_size=8
    )
)
def test_tracks_are_numbered_by_first_appearance_and_once_a_frame(places: list[list[tuple[float, float, float]]]):
    linked = link(*[[box(*place) for place in frame] for frame in places])
    assert [len(frame) for frame in linked] == [len(frame) for frame in places]
    assert all(len(set(frame)) == len(frame) for frame in linked)
    flat = [track for frame in linked for track in frame]
    firsts = sorted(set(flat), key=flat.index)
    assert firsts == list(range(len(firsts)))
