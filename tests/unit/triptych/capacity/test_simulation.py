"""A server in simulated time against what queues are known to do, and against a run of a real server."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from random import Random
from statistics import fmean

import pytest
import simpy

from triptych.capacity.costs import Point
from triptych.capacity.fleet import Autoscaling, jump
from triptych.capacity.simulation import Manners, Tally, Triton, open_loop
from triptych.paths import ROOT
from triptych.serving.door.admission import Bounds

CLIP = Point(3.0, lone_s=1.0, share=1.0, spread=0.0)


def finished_at(share: float, *jobs: tuple[float, float]) -> list[float]:
    """Return when clips are done that begin at a time and take so long alone."""
    env = simpy.Environment()
    triton, ends = Triton(env, share), {}

    def one(number: int, begins_s: float, work_s: float):
        yield env.timeout(begins_s)
        yield triton.begin(work_s)
        ends[number] = env.now

    for number, job in enumerate(jobs):
        env.process(one(number, *job))
    env.run()
    return [ends[number] for number in range(len(jobs))]


def test_a_clip_alone_takes_its_time():
    assert finished_at(1.0, (0, 2.0)) == pytest.approx([2.0])


def test_clips_that_take_turns_take_as_long_as_one_after_the_other():
    assert finished_at(1.0, (0, 1.0), (0, 1.0), (0, 1.0)) == pytest.approx([3.0] * 3)


def test_clips_that_batch_for_nothing_do_not_wait_for_each_other():
    assert finished_at(0.0, (0, 1.0), (0.5, 1.0)) == pytest.approx([1.0, 1.5])


def test_company_slows_only_as_long_as_it_is_there():
    """Half a clip alone, then both at half speed until the first is done, then the second alone."""
    assert finished_at(1.0, (0, 1.0), (0.5, 1.0)) == pytest.approx([1.5, 2.0])


def test_what_is_refused_and_answered_are_all_calls():
    tally = open_loop(CLIP, Bounds(2, 3), 5.0, 200.0, Manners(4.0, vanishing=0.2), seed=1)
    assert tally.calls == pytest.approx(1000, rel=0.1)
    assert min(tally.refused, tally.left, len(tally.waits_s)) > 0
    assert max(tally.waits_s) <= 4.0


def test_a_quiet_server_refuses_nobody_and_an_overloaded_one_answers_what_it_can():
    quiet = open_loop(CLIP, Bounds(), 0.05, 4000.0, Manners(60.0))
    assert quiet.refused == 0
    assert quiet.wait_s(0.5) == pytest.approx(1.0, rel=0.05)
    crowded = open_loop(CLIP, Bounds(), 10.0, 400.0, Manners(60.0))
    assert len(crowded.waits_s) / 400 == pytest.approx(1.0, rel=0.05)
    assert crowded.refused_share == pytest.approx(0.9, abs=0.02)


def test_waiting_is_that_of_a_queue_with_steady_service():
    """One at a time, no bound that matters: Pollaczek and Khinchine's mean wait of M/D/1 at 60 % is 0.75 s."""
    tally = open_loop(CLIP, Bounds(1, 1000), 0.6, 8000.0, Manners())
    assert fmean(tally.waits_s) == pytest.approx(1 + 0.6 / (2 * 0.4), rel=0.1)


def test_more_load_never_waits_less():
    waits = [
        open_loop(CLIP, Bounds(), load, 2000.0, Manners(60.0), seed=3).wait_s(0.95) for load in (0.2, 0.6, 0.9, 2.0)
    ]
    assert all(less <= more for less, more in pairwise(waits))


def test_nobody_answered_has_no_percentile():
    assert math.isnan(Tally().wait_s(0.95))
    assert Tally().refused_share == 0


def test_the_published_run_of_overload_is_foreseen():
    """Ten times the capacity, callers who wait 5 s and 5 % of whom vanish: answers and refusals of the page."""
    told = json.loads((ROOT / "benchmarks" / "results" / "overload.json").read_text(encoding="utf-8"))
    phase = next(it for it in told["phases"] if it["name"] == "tenfold")
    lone_s, seconds = phase["recovery_s"], phase["end_s"] - phase["start_s"]
    at_once = Bounds().in_flight
    share = min((at_once / told["capacity"] / lone_s - 1) / (at_once - 1), 1.0)
    cost = Point(3.0, lone_s, share, 0.1)
    calls = sum(phase["statuses"].values())
    tallies = [open_loop(cost, Bounds(), calls / seconds, seconds, Manners(5.0, 0.05), seed) for seed in range(5)]
    refused = phase["statuses"]["RESOURCE_EXHAUSTED"] / calls
    assert fmean(tally.refused_share for tally in tallies) == pytest.approx(refused, rel=0.2)
    answered = fmean(len(tally.waits_s) for tally in tallies)
    assert answered == pytest.approx(phase["statuses"]["OK"], rel=0.2)


def test_a_jump_is_refused_until_the_new_servers_answer():
    rule = Autoscaling(start_s=60.0)
    arguments = {"servers": 1, "most": 4, "a_second": 2.5, "manners": Manners(30.0)}
    early = jump(CLIP, Bounds(), rule, seconds=60.0, **arguments)
    late = jump(CLIP, Bounds(), rule, seconds=900.0, **arguments)
    assert (early.servers_after, late.servers_after) == (1, 4)
    assert early.tally.refused_share > 0.5 > late.tally.refused_share
    assert 60.0 < late.settled_s < 400.0


def test_no_server_is_added_to_a_fleet_that_is_large_enough():
    found = jump(
        CLIP, Bounds(), Autoscaling(60.0), servers=4, most=8, a_second=1.0, seconds=600.0, manners=Manners(30.0)
    )
    assert (found.servers_after, found.settled_s) == (4, 0.0)


def test_runs_of_one_seed_are_the_same():
    one, other = (open_loop(CLIP, Bounds(), 0.9, 300.0, Manners(10.0), seed=5).waits_s for _ in range(2))
    assert one == other
    assert one != open_loop(CLIP, Bounds(), 0.9, 300.0, Manners(10.0), seed=Random(0).randint(6, 99)).waits_s
