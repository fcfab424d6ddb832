"""MLPerf's LoadGen: it makes the schedule and keeps the clock; this module says what to schedule and reads its trace.

LoadGen counts a query from the time for which it was scheduled, so whoever falls behind cannot hide it. All that is
random in it has a fixed seed here. Its own summary and log stay beside the results of a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import TriptychError

SEEDS = {"qsl_rng_seed": 1, "sample_index_rng_seed": 2, "schedule_rng_seed": 3}
"""Of the clips that are loaded, of the order in which they are asked, and of the times at which they come."""
SINGLE, MULTI, SERVER, OFFLINE = "SingleStream", "MultiStream", "Server", "Offline"
NAMES = {SINGLE: "single_stream", MULTI: "multi_stream", SERVER: "server"}
"""How LoadGen's settings begin in a scenario that has a percentile."""
TRACE, LOG = "mlperf_log_trace.json", "mlperf_log_detail.txt"
SAMPLE = re.compile(
    r'"name":"Sample",.*"ph":"b",.*"ts":(?P<ts>[\d.]+),"args":\{"sample_seq":\d+,"query_seq":(?P<query>\d+),'
    r'.*"complete_ns":(?P<ns>\d+)\}'
)
LOG_MARK = ":::MLLOG "

Done = Callable[[], None]
Ask = Callable[[int, Done], None]
"""Asks for the clip of a number without waiting, and calls the second argument when the answer is there."""


@dataclass(frozen=True)
class Schedule:
    """What LoadGen is to do: a scenario, how many queries, of how many clips each, and at which rate they come.

    `share` of the queries are to be answered within `bound_s`: in the scenario Server it decides whether LoadGen calls
    a run valid, which it says of no other.
    """

    scenario: str
    queries: int
    share: float
    streams: int = 1
    a_second: float = 1.0
    bound_s: float = 1.0


@dataclass(frozen=True)
class Latencies:
    """What a schedule came to: seconds of each query from the scheduled time, clips, and the time of them all."""

    seconds: tuple[float, ...]
    clips: int
    span_s: float

    @property
    def a_second(self) -> float:
        """Clips a second, from the first scheduled time to the last answer."""
        return self.clips / self.span_s

    def late(self, bound_s: float) -> int:
        """Return how many queries took longer."""
        return sum(seconds > bound_s for seconds in self.seconds)


def package() -> Any:
    """Return LoadGen; TriptychError, which says how to install it, where it is missing."""
    try:
        import mlperf_loadgen
    except ModuleNotFoundError as error:
        raise TriptychError("MLPerf's LoadGen is missing: pip install 'triptych[bench]'") from error
    return mlperf_loadgen


def run(schedule: Schedule, ask: Ask, clips: int, out: Path) -> Latencies:
    """Let LoadGen ask for clips, of which there are so many, by a schedule; its logs go below `out`."""
    loadgen = package()
    out.mkdir(parents=True, exist_ok=True)

    def issue(samples: Sequence[Any]) -> None:
        for sample in samples:
            answered = loadgen.QuerySampleResponse(sample.id, 0, 0)
            ask(sample.index, lambda answered=answered: loadgen.QuerySamplesComplete([answered]))

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(clips, clips, lambda indices: None, lambda indices: None)
    try:
        loadgen.StartTestWithLogSettings(system, library, _settings(loadgen, schedule), _logging(loadgen, out))
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
    return latencies((out / TRACE).read_text(encoding="utf-8"))


def _settings(loadgen: Any, schedule: Schedule) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, schedule.scenario)
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = 0
    settings.min_query_count = settings.max_query_count = schedule.queries
    for name, seed in SEEDS.items():
        setattr(settings, name, seed)
    if schedule.scenario in NAMES:
        setattr(settings, f"{NAMES[schedule.scenario]}_target_latency_percentile", schedule.share)
    settings.multi_stream_samples_per_query = schedule.streams
    settings.server_target_qps = schedule.a_second
    settings.server_target_latency_ns = round(1e9 * schedule.bound_s)
    return settings


def _logging(loadgen: Any, out: Path) -> Any:
    log = loadgen.LogSettings()
    log.enable_trace = True
    log.log_output = loadgen.LogOutputSettings()
    log.log_output.outdir = str(out)
    log.log_output.copy_summary_to_stdout = False
    return log


def latencies(trace: str) -> Latencies:
    """Read LoadGen's trace: a query ends with the last of its clips."""
    queries: dict[int, float] = {}
    samples = [(float(found["ts"]) / 1e6, int(found["query"]), int(found["ns"]) / 1e9) for found in _samples(trace)]
    for _, query, taken_s in samples:
        queries[query] = max(queries.get(query, 0.0), taken_s)
    first_s = min(scheduled_s for scheduled_s, _, _ in samples)
    last_s = max(scheduled_s + taken_s for scheduled_s, _, taken_s in samples)
    return Latencies(tuple(queries[query] for query in sorted(queries)), len(samples), last_s - first_s)


def _samples(trace: str) -> list[re.Match[str]]:
    return [found for line in trace.splitlines() if (found := SAMPLE.search(line))]


def said(log: str) -> dict[str, Any]:
    """Read LoadGen's log: what it says of a run, by its own names, such as `result_validity`."""
    lines = (json.loads(line.removeprefix(LOG_MARK)) for line in log.splitlines() if line.startswith(LOG_MARK))
    return {line["key"]: line["value"] for line in lines}
