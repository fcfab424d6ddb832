"""Whom the answer is about, and each person's face over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from samples.fusion import HAPPY, POOL, SAD, towards
from triptych.answer import fusion, people, timeline
from triptych.answer.evidence import ChannelInput
from triptych.answer.people import FaceRows, MainTrack
from triptych.answer.status import OK, Status
from triptych.answer.timeline import windows

FACE = ChannelInput("face", OK)
NO_SPEECH = np.zeros((0, 2))


def faces(*seen: tuple[float, int, float, int], frames: int = 20) -> FaceRows:
    """Faces given as (time, track, side, emotion), in a clip of frames every half second."""
    times, tracks, sides, emotions = (np.array(column) for column in zip(*seen))
    boxes = np.stack([np.zeros(len(seen)), np.zeros(len(seen)), sides, sides], axis=1)
    logits = np.array([towards(emotion) for emotion in emotions])
    one_each = np.ones(len(seen), int)
    unknown, ones = np.full(len(seen), np.nan), np.ones(len(seen))
    return FaceRows(np.arange(frames) / 2, times, tracks.astype(int), boxes, ones, logits, one_each, unknown, ones)


def moving(rows: FaceRows, *mouths: Callable[[float], float]) -> FaceRows:
    """The same with mouths that move, each track's as it is told for a time."""
    moved = [mouths[track](time) for time, track in zip(rows.times.tolist(), rows.tracks.tolist())]
    return replace(rows, mouths=np.array(moved))


def crowd(count: int) -> FaceRows:
    return faces(*[(step / 2, track, 20 + track, track % 7) for step in range(20) for track in range(count)])


NOTHING = np.zeros(0)
NO_BOXES, NO_LOGITS = np.zeros((0, 4)), np.zeros((0, 7))
NOBODY = FaceRows(
    np.arange(20) / 2, NOTHING, NOTHING.astype(int), NO_BOXES, NOTHING, NO_LOGITS, NOTHING, NOTHING, NOTHING
)


def test_one_person_is_the_only_one():
    assert people.choose(faces((0, 0, 50, SAD)), NO_SPEECH) == MainTrack(0, "only")
    assert people.choose(NOBODY, NO_SPEECH) == MainTrack(-1, "")


def test_without_speech_it_is_the_largest():
    both = faces((0, 0, 60, SAD), (0, 1, 100, HAPPY), (0.5, 0, 60, SAD))
    assert people.choose(both, NO_SPEECH) == MainTrack(1, "size")


def test_who_is_seen_during_most_of_the_speech_comes_before_the_largest():
    turns = [(step / 2, int(step >= 10), 50 + 100 * (step >= 10), SAD) for step in range(20)]
    assert people.choose(faces(*turns), np.array([[0.0, 4.0]])) == MainTrack(0, "speech")
    assert people.choose(faces(*turns), np.array([[3.75, 5.75]])) == MainTrack(1, "size"), "both are seen as long"


SPEECH = np.array([[2.0, 8.0]])


def speaker(time: float) -> float:
    return 0.05 if 2 <= time <= 8 else 0.004


def listener(time: float) -> float:
    return 0.008


def laugher(time: float) -> float:
    return 0.05 if 2 <= time <= 8 else 0.2


def poster(time: float) -> float:
    return 0.001


@pytest.mark.parametrize(
    ("small", "large", "chosen"),
    [
        (speaker, listener, MainTrack(0, "mouth")),
        (speaker, poster, MainTrack(0, "mouth")),
        (speaker, laugher, MainTrack(0, "mouth")),
        (listener, poster, MainTrack(0, "moves")),
        (listener, listener, MainTrack(1, "size")),
        (poster, poster, MainTrack(1, "size")),
        (speaker, speaker, MainTrack(1, "size")),
    ],
)
def test_of_two_in_the_picture_it_is_the_one_whose_mouth_moves_with_the_speech(
    small: Callable, large: Callable, chosen: MainTrack
):
    both = faces(*[(step / 2, track, 50 + 100 * track, SAD) for step in range(20) for track in range(2)])
    assert people.choose(moving(both, small, large), SPEECH) == chosen


def test_without_silence_a_mouth_that_moves_in_the_speech_is_enough():
    both = faces(*[(step / 2, track, 50 + 100 * track, SAD) for step in range(20) for track in range(2)])
    assert people.choose(moving(both, speaker, listener), np.array([[0.0, 10.0]])) == MainTrack(0, "mouth")
    assert people.choose(moving(both, speaker, poster), NO_SPEECH) == MainTrack(0, "moves")


def test_of_too_few_faces_no_movement_is_told():
    both = faces(*[(step / 2, track, 50 + 100 * track, SAD) for step in range(3) for track in range(2)])
    assert people.choose(moving(both, speaker, poster), np.array([[0.0, 10.0]])) == MainTrack(1, "size")


def test_ten_faces_have_ten_timelines():
    ten = crowd(10)
    found = people.describe(ten, FACE, POOL, windows(10.0))
    assert found.spans.shape == (10, 2)
    assert found.timelines.shape == (10, 9, 7)
    assert found.probabilities.argmax(axis=1).tolist() == [track % 7 for track in range(10)]
    assert people.choose(ten, NO_SPEECH) == MainTrack(9, "size")


def test_a_timeline_is_empty_while_a_person_is_away():
    leaves = faces((0.0, 0, 50, SAD), (0.5, 0, 50, SAD), (9.0, 0, 50, HAPPY))
    found = people.describe(leaves, FACE, POOL, windows(10.0))
    assert found.timelines[0, 0].argmax() == SAD
    assert np.isnan(found.timelines[0, 4]).all()
    assert found.timelines[0, -1].argmax() == HAPPY
    np.testing.assert_allclose(found.spans, [[0, 9]])
    speech = np.array([[0.0, 1.0], [8.9, 9.5]])
    np.testing.assert_allclose(people.speech_seconds(leaves, speech), [0.75 + 0.35])


def test_nobody_has_no_rows():
    found = people.describe(NOBODY, FACE, POOL, windows(10.0))
    assert (found.spans.shape, people.speech_seconds(NOBODY, NO_SPEECH).shape) == ((0, 2), (0,))
    assert (found.probabilities.shape, found.timelines.shape) == ((0, 7), (0, 9, 7))


def test_only_the_faces_of_one_person_are_that_person_s_evidence():
    both = faces((0, 0, 60, SAD), (0, 1, 100, HAPPY), (0.5, 0, 60, SAD))
    one = both.of(FACE, 0)
    assert one.summary().argmax() == SAD
    assert one.reliability.tolist() == [2 / 20] * 2
    assert both.of(FACE, -1).status == Status("absent", "no_face", "20")


def thinned(all_faces: FaceRows, every: int, track: int | None = None) -> FaceRows:
    """Every so many of the faces of a crowd, or of one of them, in time, each standing for as many."""
    fewer = np.full(len(all_faces.times), True) if track is None else all_faces.tracks == track
    kept = ~fewer | (np.round(all_faces.times * 2).astype(int) % every == every // 2)
    rows = (all_faces.times, all_faces.tracks, all_faces.boxes, all_faces.scores, all_faces.logits)
    stands_for = np.where(fewer, every, 1)[kept]
    return FaceRows(
        all_faces.frame_times, *(row[kept] for row in rows), stands_for, all_faces.mouths[kept], all_faces.visible[kept]
    )


@pytest.mark.parametrize("track", [None, 0, 2])
def test_fewer_faces_that_stand_for_all_give_the_same_answer(track: int | None):
    whole, speech = crowd(3), np.array([[1.0, 4.0]])
    few = thinned(whole, 5, track)
    assert len(few.times) < len(whole.times)
    assert people.choose(few, NO_SPEECH) == people.choose(whole, NO_SPEECH) == MainTrack(2, "size")
    assert people.speech_seconds(few, speech) == pytest.approx(people.speech_seconds(whole, speech))
    for person in range(3):
        one, same = few.of(FACE, person), whole.of(FACE, person)
        assert one.reliability[0] == same.reliability[0] == 1
        assert one.summary() == pytest.approx(same.summary())


def test_the_work_grows_with_the_faces_not_with_people_times_windows(monkeypatch: pytest.MonkeyPatch):
    fused = []
    monkeypatch.setattr(timeline, "fuse", lambda *arguments: fused.append(0) or fusion.fuse(*arguments))
    count, spans = 120, windows(60.0)
    once_each = faces(*[(track / 2, track, 50, SAD) for track in range(count)], frames=120)
    found = people.describe(once_each, FACE, POOL, spans)
    assert found.timelines.shape == (count, len(spans), 7)
    assert len(fused) <= 4 * count, "a moment is in at most three windows, and nothing is fused once for each person"
