"""The page of the scenarios, and the picture of where the time goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks import counters
from benchmarks.measure import table
from benchmarks.scenarios.confidence import CONFIDENCE, SHARES, percentile, proven, queries_needed
from benchmarks.scenarios.loadgen import Latencies, Schedule
from benchmarks.scenarios.search import Tried
from benchmarks.scenarios.stability import MOST_WINDOWS, TOLERANCE, WINDOWS
from benchmarks.scenarios.sweep import Level
from triptych_client.contract import STEPS

matplotlib.use("svg")

from matplotlib import pyplot as plt

NO_RESULT = "MLPerf's scenarios and LoadGen, not an MLPerf result"
PICTURE = "scenarios.svg"
SHOWN = 3
"""So many numbers of callers are drawn: the fewest, one between, the most."""


@dataclass(frozen=True)
class Run:
    """One run of LoadGen: what it was to do, what came of it, how many calls had no answer, and what LoadGen says."""

    schedule: Schedule
    latencies: Latencies
    failed: int
    verdict: str

    @property
    def met(self) -> bool:
        """Whether every call was answered, there are queries enough for the percentile, and few enough were late."""
        seconds, share = self.latencies.seconds, self.schedule.share
        late = self.latencies.late(self.schedule.bound_s)
        return not self.failed and percentile(seconds, share) is not None and proven(len(seconds), late, share)


def introduction(clip: str, bounds: str) -> str:
    """Return what the figures are of."""
    needed = ", ".join(f"{queries_needed(share)} for p{100 * share:g}" for share in SHARES)
    return (
        f"**{NO_RESULT}.** {clip}, over gRPC, no cache of results, fixed seeds; {bounds} Latency counts from the time "
        f"for which a query was scheduled. A percentile is what {CONFIDENCE:.0%} confidence allows to say (MLPerf's "
        f"early stopping): with one late query it needs {needed} queries; a run with fewer says -. The callers and "
        "LoadGen run on the cores that the server runs on."
    )


def runs_table(runs: Sequence[Run]) -> str:
    """Return a line for each run."""
    header = (
        "scenario",
        "queries",
        "of clips",
        "clips a second",
        "least s",
        *(f"p{100 * share:g} s" for share in SHARES),
    )
    return table((*header, "no answer", "LoadGen says"), [_run(run) for run in runs])


def _run(run: Run) -> tuple[str, ...]:
    seconds = run.latencies.seconds
    many = len(seconds) > 1  # the one query of Offline has no distribution
    return (
        run.schedule.scenario,
        str(len(seconds)),
        str(run.latencies.clips // len(seconds)),
        f"{run.latencies.a_second:.3f}",
        f"{min(seconds):.2f}" if many else "-",
        *(_seconds(percentile(seconds, share)) if many else "-" for share in SHARES),
        str(run.failed),
        run.verdict,
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def search_table(rate: float, tried: Sequence[Tried[Run]]) -> str:
    """Return the search for the largest rate."""
    schedule = tried[0].what.schedule
    found = f"the largest rate that is met is **{rate:.3f} clips a second**" if rate else "**no rate was met**"
    rows = [
        (
            f"{one.rate:.3f}",
            str(one.what.latencies.late(schedule.bound_s)),
            _seconds(percentile(one.what.latencies.seconds, schedule.share)),
            str(one.what.failed),
            "yes" if one.met else "no",
        )
        for one in tried
    ]
    title = f"p{100 * schedule.share:g} s"
    return (
        f"Server, clips at random times (Poisson), p{100 * schedule.share:g} within {schedule.bound_s:g} s: {found}. "
        f"{schedule.queries} queries a try.\n\n" + table(("rate", "late", title, "no answer", "met"), rows)
    )


def sweep_table(levels: Sequence[Level]) -> str:
    """Return the closed loop."""
    rows = [
        (
            str(level.callers),
            f"{level.last.a_second:.3f}",
            f"{level.last.a_second / levels[0].last.a_second:.2f}",
            f"{level.last.mean_s:.2f}",
            *(_seconds(percentile(level.last.waits_s, share)) for share in (0.5, 0.9)),
            str(len(level.last.waits_s)),
            "yes" if level.stable else f"no, after {MOST_WINDOWS} windows",
        )
        for level in levels
    ]
    header = ("callers", "clips a second", f"over {levels[0].callers}", "mean s", "p50 s", "p90 s", "answers", "stable")
    return (
        "Callers who take turns, as perf_analyzer has them; its columns are in scenarios.csv. Stable: throughput and "
        f"mean latency of {WINDOWS} windows in a row are within {TOLERANCE:.0%} of their mean.\n\n"
        + table(header, rows)
    )


def steps_table(level: Level) -> str:
    """Return what Triton counted of each step."""
    return (
        f"Steps with {_callers(level)}, {level.answers} clips. Compute is how long a clip waited for an execution, "
        "whether its rows were alone in it or with others' rows.\n\n"
        + table(counters.HEADER, counters.rows(level.steps, level.answers))
    )


def _callers(level: Level) -> str:
    return "one caller" if level.callers == 1 else f"{level.callers} callers"


def shown(levels: Sequence[Level]) -> list[Level]:
    """Return the levels that are shown step by step."""
    places = np.linspace(0, len(levels) - 1, SHOWN).round().astype(int)
    return [levels[place] for place in dict.fromkeys(places.tolist())]


def draw(levels: Sequence[Level], file: Path) -> None:
    """Draw queue and compute of each step as a stacked bar, for some numbers of callers side by side."""
    figure, axes = plt.subplots(
        1, len(levels), figsize=(4 * len(levels) + 1, 6), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, level in zip(axes[0], levels):
        counted = [level.steps[name] for name in STEPS]
        queue, compute = (
            [1000 * seconds / level.answers for seconds in column]
            for column in ([one.queue_s for one in counted], [one.compute_s for one in counted])
        )
        axis.barh(list(STEPS), compute, label="compute", color="tab:blue")
        axis.barh(list(STEPS), queue, left=compute, label="queue", color="tab:orange")
        for place, one in enumerate(counted):
            words = f" {one.executions} x {one.rows_an_execution:.1f}"
            axis.annotate(words, (compute[place] + queue[place], place), va="center", fontsize="x-small")
        axis.set(title=_callers(level), xlabel="ms a clip")
        axis.margins(x=0.25)
    axes[0][0].invert_yaxis()
    axes[0][0].legend(fontsize="small")
    figure.suptitle("Where a clip's time goes; executions x rows an execution", fontsize="medium")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
