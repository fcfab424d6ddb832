"""How long a clip will stay, learnt from stays that were computed here."""

from __future__ import annotations

import pytest

from triptych.serving.door.pace import LEAST_SHARE, Pace

CHANGING = [1, 2, 3] * 60


def learnt(alone_s: float, beside_s: float, loads: list[int], pace: Pace | None = None) -> Pace:
    """Return what is known after stays of `alone_s` + `beside_s` x load."""
    pace = pace or Pace()
    for load in loads:
        pace.learn(load, alone_s + beside_s * load)
    return pace


def stays(pace: Pace) -> list[float]:
    return [pace.stay_s(clips) for clips in (1, 2, 3)]


def test_nothing_is_known_at_first():
    assert Pace().stay_s(3) == 0


def test_until_the_load_changes_clips_are_expected_to_take_turns():
    assert stays(learnt(1, 1, [1, 1, 1])) == pytest.approx([2, 4, 6])
    assert stays(learnt(1, 1, [3])) == pytest.approx([4 / 3, 8 / 3, 4])


def test_what_clips_take_of_each_other_is_learnt_from_changing_loads():
    assert stays(learnt(1, 1, CHANGING)) == pytest.approx([2, 3, 4], rel=0.05)


def test_one_load_unlearns_nothing():
    assert stays(learnt(1, 1, [1] * 100, learnt(1, 1, CHANGING))) == pytest.approx([2, 3, 4], rel=0.05)


def test_a_machine_that_gets_slower_does_so_at_every_load():
    """The first slow stays may look as if company were to blame, or solitude; what is known of it hardly moves."""
    assert stays(learnt(2, 2, [1] * 100, learnt(1, 1, CHANGING))) == pytest.approx([4, 6, 8], rel=0.15)
    assert stays(learnt(2, 2, [3] * 100, learnt(1, 1, CHANGING))) == pytest.approx([4, 6, 8], rel=0.15)


def test_clips_that_take_turns_stay_so():
    assert stays(learnt(0, 1.5, CHANGING)) == pytest.approx([1.5, 3, 4.5])


def test_stays_that_look_shorter_in_company_promise_no_such_thing():
    pace = learnt(3, -0.9, CHANGING)
    assert pace.share == LEAST_SHARE
    assert pace.stay_s(3) > pace.stay_s(1) > 0
