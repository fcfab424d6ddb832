"""How far a job is, in words. Time is a clock that the tests turn."""

from __future__ import annotations

from samples import client as samples
from triptych_client.batch.gathering import Finished
from triptych_client.batch.rates import OVER_S, Rates


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


ANSWER = samples.analysis()


def answered(number: int) -> Finished:
    return Finished(number, "/clip.mp4", ANSWER)


def failed(number: int, kind: str, retries: tuple[str, ...] = ()) -> Finished:
    return Finished(number, "/clip.mp4", None, kind, "why", retries)


def test_before_the_first_clip_nothing_is_known_but_the_number():
    assert Rates(2000, before=1200, clock=Clock()).line() == "1,200 of 2,000 clips"


def test_speed_failures_retries_and_what_is_left():
    clock = Clock()
    rates = Rates(1000, before=100, clock=clock)
    for number in range(10):
        clock.now += 2
        rates.add(answered(number))
    clock.now += 4
    rates.add(failed(10, "StoreError", ("slow", "slow")))
    rates.add(failed(11, "InvalidClip"))
    rates.add(failed(12, "InvalidClip"))
    assert rates.line() == (
        "113 of 1,000 clips, 0.55 clips/s, 2.5 x real time, 3 failed (InvalidClip 2, StoreError 1), 2 tried again, "
        "0:27:06 left"
    )
    assert rates.summary() == (
        "10 answered, 100 were there before, took 0:00:24, 3 have no answer: see dead_letters/, "
        "InvalidClip 2, StoreError 1"
    )


def test_speed_is_that_of_the_last_minutes():
    clock = Clock()
    rates = Rates(10_000, clock=clock)
    for number in range(100):
        clock.now += 100
        rates.add(answered(number))
    for number in range(2000):
        clock.now += 1
        rates.add(answered(number))
    assert abs(rates.clips_a_second - 1) < 0.01
    assert len(rates._marks) <= OVER_S + 2
