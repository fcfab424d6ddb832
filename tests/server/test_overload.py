"""The short forms of the benchmarks of overload and of chaos: a service that is asked too much, and that is shot at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import chaos, load, overload
from benchmarks.load import LEFT, OK, Target
from benchmarks.watching import Watch
from triptych.serving.service import Service

SECONDS = 4.0
VICTIMS = ("voice_features", "a decoder", chaos.SERVER)
"""A step in the middle of the graph, what a step starts, and all of them at once."""


@pytest.fixture(scope="module")
def service(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A service of its own: what is shot at is nobody else's."""
    with Service(repository, work=tmp_path_factory.mktemp("work")) as running:
        assert running.process is not None
        yield Target(running.grpc_url, running.process.pid)


async def test_whoever_cannot_be_answered_is_refused_with_a_hint_and_the_next_is_answered(service: Target) -> None:
    with Watch(service.pid) as watch:
        capacity, phases = await overload.measure(service, watch, load.short_clip(), SECONDS)
    assert load.statuses(capacity.replies).keys() == {OK}
    assert [phase.name for phase in phases] == ["tenfold", "64 callers", "256 callers"]
    replies = [reply for phase in phases for reply in phase.replies]
    counts = load.statuses(replies)
    assert counts.keys() <= {OK, LEFT, "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED"}, counts
    assert counts["RESOURCE_EXHAUSTED"] > len(replies) / 2
    assert all(reply.hint_ms is not None for reply in replies if reply.refused)
    assert all(math.isfinite(phase.recovery_s) for phase in phases)


async def test_clips_are_answered_again_after_any_process_was_killed_and_no_answer_is_wrong(
    service: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos, "CALM_NEWCOMERS", 1)
    monkeypatch.setattr(chaos, "CALM_ANSWERS", 1)
    found = {name: find for name, find in chaos.victims(service.pid).items() if name in VICTIMS}
    with Watch(service.pid) as watch:
        calm, kills, events, reference = await chaos.measure(service, watch, load.short_clip(), 2, found)
    assert len(calm) == chaos.CALM_NEWCOMERS
    assert {kill.victim for kill in kills if math.isfinite(kill.back_s)} == set(VICTIMS)
    assert chaos.wrong(events, reference) == []
    assert sum(event.analysis is not None for event in events) >= chaos.CALM_ANSWERS * len(VICTIMS)
