"""The short forms of the benchmarks of speed, asked of the session's server."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from benchmarks import load
from benchmarks.growth import costs
from benchmarks.in_process import InProcess
from benchmarks.limit.crew import together
from benchmarks.load import Target
from benchmarks.peers.answers import compare, packed, unpacked
from benchmarks.peers.services import Triptych
from benchmarks.scenarios import __main__ as scenarios
from benchmarks.scenarios import sweep
from benchmarks.scenarios.loadgen import MULTI, OFFLINE, SINGLE, Schedule
from triptych.serving.service import Service
from triptych_client.contract import ENSEMBLE, STEPS

pytestmark = pytest.mark.server
SECONDS = 1.5


@pytest.fixture(scope="module")
def clip() -> bytes:
    return load.short_clip(SECONDS)


@pytest.fixture(scope="module")
def graph(repository: Path) -> InProcess:
    return InProcess(2, repository)


@pytest.mark.parametrize(
    ("schedule", "clips"),
    [
        (Schedule(SINGLE, 2, 0.9), 2),
        (Schedule(MULTI, 1, 0.9, streams=3), 3),
        (Schedule(OFFLINE, 3, 0.9), 3),
    ],
)
def test_loadgen_asks_the_service(server: Service, clip: bytes, schedule: Schedule, clips: int, tmp_path, monkeypatch):
    monkeypatch.setattr(scenarios, "LOGS", tmp_path)
    found = scenarios.run(server.grpc_url, load.message(clip), schedule)
    assert (found.latencies.clips, found.failed) == (clips, 0)
    assert not found.met  # nothing is proven by so few


def test_callers_who_take_turns_are_counted_step_by_step(server: Service, clip: bytes):
    level = sweep.measure(server.grpc_url, load.message(clip), callers=2, window=2)
    assert all(len(window.waits_s) == 2 for window in level.windows)
    assert level.answers >= 6
    assert level.steps[ENSEMBLE].compute_s > 0
    assert all(level.steps[name].executions > 0 for name in STEPS)


def test_the_graph_in_one_process_answers_as_the_service_does(server: Service, graph: InProcess, clip: bytes):
    ours, theirs = Triptych(server.grpc_url).answer(clip), unpacked(packed(graph.analyze(clip)))
    assert compare(ours, theirs).holds


def test_every_step_can_be_asked_alone_for_two_clips_together(graph: InProcess, clip: bytes):
    for name, question in graph.questions(clip).items():
        clips = 2 if STEPS[name].max_batch_size else 1
        one, several = (graph.run(name, together(question, count)) for count in (1, clips))
        assert one.keys() == several.keys() >= {tensor.name for tensor in STEPS[name].outputs}
        if clips > 1:
            assert all(len(several[tensor]) == 2 * len(one[tensor]) for tensor in one)


def test_a_call_costs_the_service_processor_time(server: Service, clip: bytes):
    assert server.process
    growth = costs.grow("seconds", Target(server.grpc_url, server.process.pid), {SECONDS: clip}, repeats=2)
    assert growth.found[SECONDS].people == 1
    assert all(cost > 0 for cost in growth.cpu_s(SECONDS))
    assert costs.cpu_s([psutil.Process(server.process.pid)]) > 0
