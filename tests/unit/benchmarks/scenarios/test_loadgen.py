"""LoadGen itself, asking something that answers at once, and what is read of its trace and its log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from threading import Timer

import pytest

from benchmarks.scenarios import loadgen
from benchmarks.scenarios.confidence import percentile
from benchmarks.scenarios.loadgen import MULTI, OFFLINE, SERVER, SINGLE, Done, Latencies, Schedule
from triptych.errors import TriptychError

BEGIN = '{"name":"Sample","cat":"default","ph":"b","pid":1,"id":%d,"ts":%.3f,"args":{"sample_seq":%d,"query_seq":%d,'
REST = '"sample_idx":0,"issue_start_ns":230,"complete_ns":%d}},'


def line(sample: int, query: int, scheduled_us: float, taken_ns: int) -> str:
    return (BEGIN % (sample, scheduled_us, sample, query)) + (REST % taken_ns)


def test_a_query_ends_with_the_last_of_its_clips_and_is_counted_from_its_scheduled_time() -> None:
    trace = "\n".join(
        [
            '{"name":"IssueQuery","ph":"X","pid":1,"tid":1,"ts":114.225,"dur":344.265,"args":{}},',
            line(0, 0, 1_000_000, 500_000_000),
            line(1, 0, 1_000_000, 2_000_000_000),
            '{"name":"Sample","cat":"default","ph":"e", "pid":1,"id":0,"ts":1500000.000},',
            line(2, 1, 4_000_000, 1_000_000_000),
        ]
    )
    assert loadgen.latencies(trace) == Latencies((2.0, 1.0), clips=3, span_s=4.0)


def test_late_queries_are_counted_and_clips_a_second() -> None:
    found = Latencies((1.0, 2.0, 3.0), clips=6, span_s=4.0)
    assert (found.late(1.5), found.late(3.0), found.a_second) == (2, 0, 1.5)


def test_the_log_is_read_by_its_names() -> None:
    told = {"key": "result_validity", "value": "VALID", "time_ms": 1.0}
    assert loadgen.said(f"some line\n:::MLLOG {json.dumps(told)}\n") == {"result_validity": "VALID"}


@pytest.mark.parametrize(
    ("schedule", "queries", "clips"),
    [
        (Schedule(SINGLE, 64, 0.9), 64, 64),
        (Schedule(MULTI, 5, 0.9, streams=3), 5, 15),
        (Schedule(SERVER, 20, 0.9, a_second=1000.0), 20, 20),
        (Schedule(OFFLINE, 12, 0.9), 1, 12),
    ],
)
def test_loadgen_asks_as_it_is_told(schedule: Schedule, queries: int, clips: int, tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(clip: int, done: Done) -> None:
        asked.append(clip)
        Timer(0.001, done).start()

    found = loadgen.run(schedule, ask, 3, tmp_path)
    assert (len(found.seconds), found.clips, len(asked)) == (queries, clips, clips)
    assert set(asked) <= {0, 1, 2}
    assert all(0 < seconds <= found.span_s for seconds in found.seconds)
    told = loadgen.said((tmp_path / loadgen.LOG).read_text(encoding="utf-8"))
    if schedule.scenario == SINGLE:
        assert percentile(found.seconds, 0.9) == pytest.approx(told["early_stopping_latency_ss"] / 1e9)


def test_it_says_in_a_sentence_that_loadgen_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(TriptychError, match=r"pip install 'triptych\[bench\]'"):
        loadgen.package()
