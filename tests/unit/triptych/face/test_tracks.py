"""Which faces of successive frames are the same person's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.face import appearance, tracks


def box(x: float, y: float = 100, side: float = 50) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


ANNA, BORIS, CLARA = np.eye(3, 4, dtype=np.float32)
ANNA_LAUGHING = np.array([0.8, 0, 0.6, 0], np.float32)


class Given:
    """Looks that are given, one of each face; a cut is between any two that differ."""

    def __init__(self, looks: np.ndarray) -> None:
        self.looks = looks

    def is_cut(self, before: int, after: int) -> bool:
        return bool(self.alike([before], [after])[0, 0] < appearance.SAME)

    def alike(self, some: Sequence[int], others: Sequence[int]) -> np.ndarray:
        return self.looks[some] @ self.looks[others].T


ALL_ALIKE = Given(np.ones((5000, 1)))


def link(*frames: list[list[float]], rate_hz: float = 2, looks: Given = ALL_ALIKE) -> list[list[int]]:
    boxes = [np.array(found).reshape(-1, 4) for found in frames]
    return [linked.tolist() for linked in tracks.link(boxes, np.arange(len(frames)) / rate_hz, looks)]


def test_a_face_that_moves_stays_one_track():
    assert link([box(100)], [box(140)], [box(180)]) == [[0], [0], [0]]


def test_two_people_keep_their_tracks_whatever_their_order():
    assert link([box(100), box(300)], [box(310), box(95)], [box(90), box(320)]) == [[0, 1], [1, 0], [0, 1]]


def test_a_jump_across_the_picture_is_someone_else():
    assert link([box(100)], [box(400)]) == [[0], [1]]


def test_a_face_of_another_size_is_someone_else():
    assert link([box(100, side=40)], [box(100, side=120)]) == [[0], [1]]


def test_when_the_camera_pans_everybody_goes_on():
    assert link([box(100), box(175)], [box(140), box(215)]) == [[0, 1], [0, 1]]


@pytest.mark.parametrize("rate_hz", [1, 2, 4, 8])
def test_a_face_missed_for_a_second_goes_on_at_any_rate(rate_hz: int):
    assert link([box(100)], *[[]] * rate_hz, [box(110)], rate_hz=rate_hz)[-1] == [0]


@pytest.mark.parametrize("rate_hz", [2, 4, 8])
def test_a_face_missed_for_long_is_new_at_any_rate(rate_hz: int):
    assert link([box(100)], *[[]] * (3 * rate_hz // 2), [box(100)], rate_hz=rate_hz)[-1] == [1]


def test_a_picture_that_stands_still_misses_nobody():
    frames = [np.array([box(100)])] * 3
    assert [one.tolist() for one in tracks.link(frames, np.array([0, 0.5, 12.0]), ALL_ALIKE)] == [[0], [0], [0]]


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


def test_a_cut_to_somebody_else_in_the_same_place_is_no_movement():
    """Three people framed alike, A B A C: the first is himself again, here by his place, since he was away for 1 s."""
    people = Given(np.stack([ANNA, ANNA, BORIS, BORIS, ANNA, CLARA]))
    assert link(*[[box(100)]] * 6, looks=people) == [[0], [0], [1], [1], [0], [2]]


def test_who_is_in_the_picture_twice_is_one():
    times = np.repeat(np.arange(4), 3)
    numbers, areas = np.tile([0, 1, 2], 4), np.tile([9.0, 8, 30], 4)
    looks = Given(np.stack([ANNA, ANNA, BORIS] * 4))
    assert tracks.copies(numbers, times, areas, looks).tolist() == [False, True, False] * 4
    assert not tracks.copies(numbers[:6], times[:6], areas[:6], looks).any(), "twice is not often enough to tell"
    one_changes = Given(np.stack([ANNA, ANNA, BORIS] * 2 + [ANNA, BORIS, BORIS] * 2))
    assert not tracks.copies(numbers, times, areas, one_changes).any()


def rejoin(*seen: tuple[float, int, np.ndarray]) -> list[int]:
    times, numbers, looks = zip(*seen)
    return tracks.rejoin(np.array(numbers), np.array(times), Given(np.stack(looks))).tolist()


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


def test_who_comes_back_twice_is_the_same_all_along():
    assert rejoin((0, 0, ANNA), (4, 1, ANNA_LAUGHING), (8, 2, ANNA)) == [0, 0, 0]


@pytest.mark.parametrize("rate_hz", [1, 2, 4, 8])
def test_a_look_is_that_of_the_same_seconds_at_any_rate(rate_hz: int):
    """Anna turns away for three seconds before she leaves: her look before that does not count."""
    times = np.arange(5 * rate_hz) / rate_hz
    seen = [(float(time), 0, ANNA if time < 2 else BORIS) for time in times]
    assert rejoin(*seen, (7, 1, ANNA))[-1] == 1
    assert rejoin(*seen, (7, 1, BORIS))[-1] == 0


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


COORDINATES = st.floats(-100, 740)


@settings(deadline=None)  # a machine that also trains is slow now and then
@given(
    st.lists(
        st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES, COORDINATES), max_size=5), min_size=1, max_size=8
    )
)
def test_tracks_are_numbered_by_first_appearance_and_once_a_frame(boxes: list[list[tuple[float, ...]]]):
    linked = link(*[[list(one) for one in frame] for frame in boxes])
    assert [len(frame) for frame in linked] == [len(frame) for frame in boxes]
    assert all(len(set(frame)) == len(frame) for frame in linked)
    flat = [track for frame in linked for track in frame]
    firsts = sorted(set(flat), key=flat.index)
    assert firsts == list(range(len(firsts)))


@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 360), st.floats(1, 200)), min_size=1, max_size=5))
def test_who_does_not_move_goes_on(places: list[tuple[float, float, float]]):
    frame = [box(*place) for place in places]
    assert link(frame, frame)[0] == list(range(len(places)))
    assert sorted(link(frame, frame)[1]) == list(range(len(places)))


def test_who_has_long_left_costs_nothing(monkeypatch: pytest.MonkeyPatch):
    compared = []

    def affinity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        compared.append(len(one))
        return np.zeros((len(one), len(other)))

    monkeypatch.setattr(tracks, "affinity", affinity)
    linked = tracks.link([np.tile([0.0, 0, 9, 9], (32, 1))] * 100, np.arange(100) / 2, ALL_ALIKE)
    assert np.concatenate(linked).max() == 3199, "everybody is new"
    assert max(compared) <= 32 * (tracks.MAX_MISSED_S * 2 + 1)
