"""Who is let in at the door, who waits, who is refused. Time is a clock that the tests turn."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode

from triptych.serving.door import admission
from triptych.serving.door.admission import Admission, Bounds, Refusal


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admission, "time", clock)
    return clock


def any_time() -> None:
    return None


async def enter(door: Admission):
    with door.place() as place:
        return await place.turn(any_time)


async def answer(door: Admission, clock: Clock, seconds: float) -> None:
    """Let one clip be answered after so many seconds."""
    stay = await enter(door)
    clock.now += seconds
    stay.answered = True
    door.end(stay)


async def test_no_more_than_the_bound_are_inside_and_the_next_enters_in_order(clock: Clock):
    door = Admission(Bounds(in_flight=2, waiting=5))
    inside = [await enter(door), await enter(door)]
    entered: list[int] = []

    async def come(number: int) -> None:
        with door.place() as place:
            await place.turn(any_time)
        entered.append(number)

    callers = [asyncio.create_task(come(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert (door.in_flight, door.waiting, entered) == (2, 3, [])
    for stay in inside:
        door.end(stay)
    await asyncio.wait(callers[:2])
    assert (door.in_flight, door.waiting, entered) == (2, 1, [0, 1])
    callers[2].cancel()


async def test_when_so_many_wait_the_next_is_refused_with_a_hint(clock: Clock):
    door = Admission(Bounds(in_flight=1, waiting=2))
    await answer(door, clock, 3.0)
    stay = await enter(door)
    with door.place(), door.place(), pytest.raises(Refusal, match="3 clips are being worked on or wait") as refused:
        door.check(None)
    assert (refused.value.status, refused.value.reason) == (StatusCode.RESOURCE_EXHAUSTED, "queue")
    assert refused.value.retry_after_s == pytest.approx(3.0)
    door.end(stay)
    door.check(None)


async def test_a_crowd_is_asked_to_come_again_later_than_one_and_not_later_than_the_bound(clock: Clock):
    door = Admission(Bounds(in_flight=1, waiting=0))
    await answer(door, clock, 1.0)
    stay = await enter(door)

    def hint_s() -> float:
        with pytest.raises(Refusal) as refused:
            door.check(None)
        assert refused.value.retry_after_s
        return refused.value.retry_after_s

    most = round(admission.CROWD_S)
    assert [hint_s() for _ in range(most + 2)] == pytest.approx([*range(1, most + 1), most, most])
    clock.now += admission.CROWD_S + 0.1
    assert hint_s() == pytest.approx(1)
    door.end(stay)


async def test_clips_whose_bytes_are_still_coming_keep_nobody_from_a_free_place(clock: Clock):
    door = Admission(Bounds(in_flight=2, waiting=0))
    with door.place():
        door.check(None)


async def test_a_clip_that_could_not_be_answered_in_time_is_refused(clock: Clock):
    door = Admission(Bounds(in_flight=1, waiting=5))
    await answer(door, clock, 2.0)
    await enter(door)
    door.check(2 * 2.0 * admission.MARGIN + 0.01)
    with pytest.raises(
        Refusal, match=r"with 1 clips ahead an answer takes about 4\.8 s, and 4\.0 s are left"
    ) as refused:
        door.check(4.0)
    assert refused.value.reason == "deadline"
    assert refused.value.retry_after_s == pytest.approx(2.0)


async def test_an_idle_server_lets_everybody_in_whatever_was_measured(clock: Clock):
    door = Admission(Bounds())
    await answer(door, clock, 60.0)
    door.check(0.001)


async def test_whose_turn_comes_too_late_is_refused_and_the_place_is_free(clock: Clock):
    door = Admission(Bounds(in_flight=1, waiting=5))
    await answer(door, clock, 2.0)
    with door.place() as place, pytest.raises(Refusal, match="turn came too late"):
        await place.turn(lambda: 1.0)
    assert (door.in_flight, door.waiting) == (0, 0)
    await asyncio.wait_for(enter(door), 30)


async def test_a_clip_s_time_is_shared_among_those_beside_it(clock: Clock):
    door = Admission(Bounds(in_flight=2, waiting=5))
    first, second = await enter(door), await enter(door)
    clock.now += 6.0
    for stay in (first, second):
        stay.answered = True
        door.end(stay)
    assert door.work_s == pytest.approx(3.0)


async def test_a_lone_part_of_a_stay_counts_whole(clock: Clock):
    door = Admission(Bounds(in_flight=2, waiting=5))
    first = await enter(door)
    clock.now += 2.0
    second = await enter(door)
    clock.now += 2.0
    first.answered = True
    door.end(first)
    assert door.work_s == pytest.approx(4.0 / 1.5)
    door.end(second)


async def test_what_was_not_answered_is_not_measured(clock: Clock):
    door = Admission(Bounds())
    stay = await enter(door)
    clock.now += 50.0
    door.end(stay)
    assert door.work_s == 0.0
    assert door.answered_at == 100.0


async def test_the_oldest_clip_inside_is_told(clock: Clock):
    door = Admission(Bounds())
    assert door.oldest_in_flight_s == 0.0
    await enter(door)
    clock.now += 7.0
    await enter(door)
    assert door.oldest_in_flight_s == pytest.approx(7.0)


async def test_who_leaves_the_queue_leaves_no_trace(clock: Clock):
    door = Admission(Bounds(in_flight=1, waiting=5))
    stay = await enter(door)
    waiting = asyncio.create_task(enter(door))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert door.waiting == 0
    door.end(stay)
    await asyncio.wait_for(enter(door), 30)
    assert door.in_flight == 1
