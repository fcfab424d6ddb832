"""Whoever waits until clips are answered again."""

from __future__ import annotations

import asyncio

import pytest

from triptych.serving.door import readiness
from triptych.serving.door.readiness import Readiness
from triptych.serving.supervision.state import State

READY, BROKEN = State(True), State(False, "whisper died")
LONG = 60.0


def test_before_anything_is_said_clips_are_not_answered():
    assert not Readiness().state.ready


async def test_within_ends_when_clips_are_answered():
    one = Readiness()
    waiting = asyncio.create_task(one.within(LONG))
    await asyncio.sleep(0)
    one.change(READY)
    assert await waiting


async def test_within_ends_when_the_time_is_over():
    assert not await Readiness().within(0.01)


async def test_again_waits_for_a_loss_that_is_not_yet_seen_and_then_for_its_end():
    one = Readiness()
    one.change(READY)
    waiting = asyncio.create_task(one.again(LONG))
    await asyncio.sleep(0)
    assert not waiting.done()
    one.change(BROKEN)
    await asyncio.sleep(0)
    assert not waiting.done()
    one.change(READY)
    assert await waiting


async def test_again_does_not_wait_for_a_loss_that_nobody_sees(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readiness, "NOTICE_SECONDS", 0.01)
    one = Readiness()
    one.change(READY)
    assert await one.again(LONG)


async def test_a_fault_that_loses_what_is_inside_is_told_to_who_waits_for_it_and_no_other_is():
    one = Readiness()
    one.change(READY)
    waiting = asyncio.create_task(one.fault())
    await asyncio.sleep(0)
    for harmless in (BROKEN, READY, State(False, "being exchanged", planned=True), READY):
        one.change(harmless)
        await asyncio.sleep(0)
        assert not waiting.done()
    one.change(State(False, "fusion died", loses=True))
    await waiting
    late = asyncio.create_task(one.fault())
    await asyncio.sleep(0)
    assert not late.done()
    late.cancel()
