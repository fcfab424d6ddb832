"""What Triton counts for each model: requests, executions, rows, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import tritonclient.grpc as triton

from triptych_client.contract import STEPS


@dataclass(frozen=True)
class Counted:
    """Of one model: what was asked, done, and how long it took, in seconds of all requests together."""

    requests: int
    executions: int
    rows: int
    queue_s: float
    input_s: float
    infer_s: float
    output_s: float

    @property
    def compute_s(self) -> float:
        """Taking the inputs, computing, and giving the outputs."""
        return self.input_s + self.infer_s + self.output_s

    @property
    def rows_an_execution(self) -> float:
        """How many rows were computed together; 0 when nothing was."""
        return self.rows / self.executions if self.executions else 0.0

    def __sub__(self, before: Counted) -> Counted:
        """Return what was counted since an earlier reading."""
        return Counted(*(getattr(self, field.name) - getattr(before, field.name) for field in fields(self)))


Counters = Mapping[str, Counted]


def read(url: str) -> dict[str, Counted]:
    """Return Triton's counters of every model, since it started."""
    with triton.InferenceServerClient(url) as client:
        statistics: Any = client.get_inference_statistics()
    return {model.name: _counted(model) for model in statistics.model_stats}


def _counted(model: Any) -> Counted:
    stats = model.inference_stats
    times = (stats.queue, stats.compute_input, stats.compute_infer, stats.compute_output)
    return Counted(
        stats.success.count, model.execution_count, model.inference_count, *(time.ns / 1e9 for time in times)
    )


def since(url: str, before: Counters) -> dict[str, Counted]:
    """Return what was counted of every model since an earlier reading."""
    return {name: counted - before[name] for name, counted in read(url).items()}


def rows(counters: Counters, clips: int) -> list[tuple[str, ...]]:
    """Return a line of a table for each step: executions, rows an execution, and milliseconds a clip."""
    lines = []
    for name in STEPS:
        one = counters[name]
        times = (f"{1000 * seconds / clips:.1f}" for seconds in (one.queue_s, one.compute_s))
        lines.append((f"`{name}`", str(one.executions), f"{one.rows_an_execution:.1f}", *times))
    return lines


HEADER = ("step", "executions", "rows an execution", "queue ms a clip", "compute ms a clip")
