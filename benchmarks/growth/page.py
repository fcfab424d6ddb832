"""The page of growth, and its picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib
import numpy as np

from benchmarks.growth.costs import Growth, Memory
from benchmarks.growth.lines import CONFIDENCE
from benchmarks.measure import table
from benchmarks.publishing import goals

matplotlib.use("svg")

from matplotlib import pyplot as plt

PICTURE = "growth.svg"
PEOPLE_GOAL, MEMORY_GOAL_MIB = 1.3, 2500.0
PER = 1000
"""Memory's slope is told for so many answers."""


def held(people: Growth | None, memory: Memory | None) -> str:
    """Return what is held against a goal."""
    ratio = people.ratio(people.sizes[-1], people.sizes[0]) if people else float("nan")
    pair = f"{people.sizes[-1]:g} against {people.sizes[0]:g}" if people else "64 against 1"
    peak = memory.peak_mib if memory else float("nan")
    still = memory is not None and memory.line.low <= 0 <= memory.line.high
    rows: list[tuple[str, str, str, bool | None]] = [
        (
            f"people: {pair}, whole answer, medians",
            f"at most {PEOPLE_GOAL:g} times",
            f"{ratio:.2f}" if people else "-",
            ratio <= PEOPLE_GOAL if people else None,
        ),
        (
            f"memory, at most, over {memory.answers if memory else PER} answers",
            f"less than {MEMORY_GOAL_MIB:g} MiB",
            f"{peak:.0f} MiB" if memory else "-",
            peak < MEMORY_GOAL_MIB if memory else None,
        ),
        (
            "memory, its slope is about 0",
            f"0 within {CONFIDENCE:.0%}",
            memory_line(memory) if memory else "-",
            still if memory else None,
        ),
    ]
    return goals(rows)


def memory_line(memory: Memory) -> str:
    """Return the slope of memory in words."""
    low, slope, high = (PER * value for value in (memory.line.low, memory.line.slope, memory.line.high))
    return f"{slope:+.1f} MiB for {PER} answers ({low:+.1f} to {high:+.1f})"


def section(growth: Growth) -> str:
    """Return a thing that grows: its line in words, then each size."""
    line = growth.line()
    words = (
        f"Each one more costs {1000 * line.slope:.1f} ms of processor time ({1000 * line.low:.1f} to "
        f"{1000 * line.high:.1f}, {CONFIDENCE:.0%}), beside {line.fixed:.2f} s that are always paid."
    )
    rows = []
    for size in growth.sizes:
        found, cpu, wall = growth.found.get(size), growth.cpu_s(size), growth.wall_s(size)
        rows.append(
            (
                f"{size:g}",
                *((str(found.faces), str(found.people)) if found else ("-", "-")),
                f"{min(cpu):.2f}",
                f"{median(cpu):.2f}",
                f"{min(wall):.2f}",
                f"{median(wall):.2f}",
            )
        )
    header = (growth.what, "faces found", "people found", "CPU s, least", "median", "seconds, least", "median")
    return f"## {growth.what.capitalize()}\n\n{words}\n\n{table(header, rows)}"


def draw(grown: Sequence[Growth], file: Path) -> None:
    """Draw processor time over each thing that grows, each call a dot, with its line."""
    figure, axes = plt.subplots(1, len(grown), figsize=(3.2 * len(grown), 3), squeeze=False, layout="constrained")
    for axis, growth in zip(axes[0], grown):
        line = growth.line()
        axis.plot([one.size for one in growth.asked], [one.cpu_s for one in growth.asked], ".", color="tab:blue")
        ends = np.array([growth.sizes[0], growth.sizes[-1]])
        axis.plot(ends, [line.at(end) for end in ends], color="tab:orange")
        axis.set(xlabel=growth.what, ylabel="CPU s a clip")
        axis.set_ylim(bottom=0)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
