"""Callers who take turns against a peer that answers at once, perf_analyzer's file, and the page."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import load
from benchmarks.counters import Counted
from benchmarks.load import OK
from benchmarks.scenarios import loadgen, page, sweep
from benchmarks.scenarios.calls import Caller
from benchmarks.scenarios.loadgen import OFFLINE, SERVER, SINGLE, Latencies, Schedule
from benchmarks.scenarios.page import Run
from benchmarks.scenarios.search import Tried
from benchmarks.scenarios.stability import MOST_WINDOWS, Window
from benchmarks.scenarios.sweep import Level
from samples.scripted_server import BUSY, Refusal, ScriptedServer
from triptych_client.contract import ENSEMBLE, STEPS

BODY = load.message(b"a clip")
COUNTED = Counted(requests=10, executions=5, rows=20, queue_s=1.0, input_s=0.1, infer_s=4.0, output_s=0.2)


def level(callers: int, a_second: float, waits_s: tuple[float, ...] = (1.0, 2.0)) -> Level:
    windows = (Window(len(waits_s) / a_second, waits_s),) * 3
    return Level(callers, windows, True, {**dict.fromkeys(STEPS, COUNTED), ENSEMBLE: COUNTED})


def run(seconds: tuple[float, ...], failed: int = 0, scenario: str = SERVER) -> Run:
    return Run(
        Schedule(scenario, len(seconds), 0.9, bound_s=1.5), Latencies(seconds, len(seconds), 10.0), failed, "valid"
    )


def test_counters_are_counted_from_an_earlier_reading() -> None:
    later = Counted(12, 6, 26, 1.5, 0.2, 5.0, 0.3)
    since = later - COUNTED
    assert (since.requests, since.executions, since.rows) == (2, 1, 6)
    assert since.compute_s == pytest.approx(1.2)
    assert since.rows_an_execution == 6.0
    assert Counted(0, 0, 0, 0.0, 0.0, 0.0, 0.0).rows_an_execution == 0.0


async def test_callers_go_on_until_three_windows_are_alike_or_there_are_too_many() -> None:
    with ScriptedServer() as server:
        windows = await sweep._windows(server.url, BODY, callers=2, count=3)
    assert 3 <= len(windows) <= MOST_WINDOWS
    assert all(len(window.waits_s) == 3 for window in windows)


async def test_a_call_without_an_answer_ends_the_sweep_and_says_why() -> None:
    refused = pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED: 3 in flight")
    with ScriptedServer([Refusal(BUSY)]) as server, refused:
        await sweep._windows(server.url, BODY, callers=1, count=1)


def test_the_file_is_perf_analyzers_by_rising_throughput_in_microseconds() -> None:
    rows = list(csv.DictReader(sweep.perf_csv([level(8, 2.0), level(1, 1.0)]).splitlines()))
    assert [row["Concurrency"] for row in rows] == ["1", "8"]
    assert rows[0]["Server Compute Infer"] == "400000"
    assert rows[0]["Server Queue"] == "100000"
    assert rows[0]["Network+Server Send/Recv"] == str(1_500_000 - 100_000 - 10_000 - 400_000 - 20_000)
    assert list(rows[0]) == list(sweep.COLUMNS)


def test_loadgen_asks_over_grpc_and_failures_are_counted(tmp_path: Path) -> None:
    with ScriptedServer([Refusal(BUSY)]) as server, Caller(server.url, [BODY], at_once=2) as caller:
        found = loadgen.run(Schedule(OFFLINE, 8, 0.9), caller.ask, 1, tmp_path)
    assert found.clips == 8
    assert (caller.failed, caller.statuses[OK]) == (1, 7)


def test_a_rate_is_met_when_the_percentile_is_proven_to_keep_the_bound_and_nobody_failed() -> None:
    assert run((1.0,) * 64).met
    assert run((1.0,) * 63 + (2.0,)).met
    assert not run((1.0,) * 63).met
    assert not run((1.0,) * 64, failed=1).met
    assert not run((1.0,) * 62 + (2.0,) * 2).met


def test_the_page_says_a_percentile_only_where_there_are_queries_for_it() -> None:
    lines = page.runs_table([run((1.0,) * 64, scenario=SINGLE), run((1.0,) * 20, scenario=SINGLE)]).splitlines()
    enough, few = lines[-2:]
    assert enough.count("1.00") == 3  # the least, p50, p90
    assert few.count("1.00") == 2
    introduction = page.introduction("A clip", "three at once.")
    assert "MLPerf's scenarios and LoadGen, not an MLPerf result" in introduction
    assert "64 for p90, 130 for p95, 662 for p99, 6636 for p99.9" in introduction


def test_the_page_shows_the_search_the_sweep_and_the_steps(tmp_path: Path) -> None:
    tried = [Tried(0.5, True, run((1.0,) * 64)), Tried(0.75, False, run((2.0,) * 64))]
    assert "**0.500 clips a second**" in page.search_table(0.5, tried)
    assert "no rate was met" in page.search_table(0.0, tried[1:])
    levels = [level(callers, float(callers)) for callers in (1, 2, 4, 8)]
    assert "4.00" in page.sweep_table(levels)
    assert [one.callers for one in page.shown(levels)] == [1, 4, 8]
    page.draw(page.shown(levels), tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").stat().st_size > 0
    assert "`fusion`" in page.steps_table(levels[0])
