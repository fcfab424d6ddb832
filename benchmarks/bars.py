"""What a service under load is held to: figures, their bars, and the page and the plot that show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.measure import RESULTS, finite, machine, table
from benchmarks.watching import MEASURES, Sample, Trend, trend

matplotlib.use("svg")

from matplotlib import pyplot as plt

SHARED_CORES = "The load ran on the cores that the server ran on."


@dataclass(frozen=True)
class Bar:
    """A figure and what it may be at most, or with `at_least` at the least."""

    name: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it holds; NaN does not."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        """Return its row of a table."""
        sign = "at least" if self.at_least else "at most"
        limit = f"{sign} {self.limit:g} {self.unit}".strip()
        return (self.name, limit, f"{self.value:.3g} {self.unit}".strip(), "yes" if self.met else "**no**")


def bars_table(bars: Sequence[Bar]) -> str:
    """Return the bars as a Markdown table."""
    return table(("what", "bar", "measured", "met"), [bar.row() for bar in bars])


def growth_bars(samples: Sequence[Sample], hours: float, tolerances: Mapping[str, float]) -> list[Bar]:
    """Return a bar for each measure: what it surely grows by in so many hours, as a share of its mean, in percent."""
    return [
        Bar(f"growth of {measure} in {60 * hours:.0f} min", _sure_growth(trend(samples, measure), hours), limit, "%")
        for measure, limit in tolerances.items()
    ]


def _sure_growth(line: Trend, hours: float) -> float:
    return max(0.0, 100 * line.low * hours / line.mean) if line.mean else 0.0


def trends_table(samples: Sequence[Sample]) -> str:
    """Return mean and slope of every measure."""
    lines = {measure: trend(samples, measure) for measure in MEASURES}
    rows = [
        (measure, f"{line.mean:.4g}", f"{line.per_hour:+.3g}", f"{line.low:+.3g} to {line.high:+.3g}")
        for measure, line in lines.items()
    ]
    return table(("measure", "mean", "slope an hour", "95 % interval"), rows)


def draw(file: Path, samples: Sequence[Sample], events: Mapping[str, float], rates: Mapping[str, Sequence[float]]):
    """Draw every measure over time, and how many replies of each kind came each second, with events as lines."""
    figure, axes = plt.subplots(len(MEASURES) + 1, 1, sharex=True, figsize=(9, 9), layout="constrained")
    for axis, measure in zip(axes, MEASURES):
        axis.plot([sample.at_s for sample in samples], [getattr(sample, measure) for sample in samples])
        axis.set_ylabel(measure)
        axis.set_ylim(bottom=0)
    for kind, times in rates.items():
        if len(times):
            axes[-1].hist(times, bins=range(int(max(times)) + 2), histtype="step", label=kind)
    axes[-1].set(yscale="symlog", ylabel="replies a second", xlabel="s")
    axes[-1].legend(fontsize="small")
    for axis in axes:
        for at_s in events.values():
            axis.axvline(at_s, color="grey", linewidth=0.6, linestyle=":")
    for name, at_s in events.items():
        axes[0].annotate(name, (at_s, 1.0), xycoords=("data", "axes fraction"), fontsize=6, rotation=30)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def write_json(name: str, command: str, bars: Sequence[Bar], samples: Sequence[Sample], **facts: Any) -> None:
    """Write what was measured to benchmarks/results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    page = {
        "command": command,
        "machine": machine(),
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars],
        **facts,
        "samples": [{key: round(value, 2) for key, value in asdict(sample).items()} for sample in samples],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(finite(page), indent=1) + "\n", encoding="utf-8")
