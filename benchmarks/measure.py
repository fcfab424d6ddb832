"""What the benchmarks share: interleaved timing, Triton's statistics, memory, and tables."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pynvml
from tabulate import tabulate

RESULTS = Path(__file__).parent / "results"
MIB = 1 << 20


@dataclass(frozen=True)
class Seconds:
    """Repeated times of one thing, in seconds."""

    values: tuple[float, ...]

    @property
    def least(self) -> float:
        """The minimum: what the machine can do when nothing disturbs it."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The median: what to expect."""
        return statistics.median(self.values)


def interleave(repeats: int, *functions: Callable[[], object]) -> list[Seconds]:
    """Time functions in turn, A B A B .., so that a drift of the machine's speed meets all; one warm-up each."""
    for function in functions:
        function()
    rounds = [[_time(function) for function in functions] for _ in range(repeats)]
    return [Seconds(tuple(column)) for column in zip(*rounds)]


def _time(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def memory_mib(pid: int) -> float:
    """Return the memory of a process and its children in MiB, shared pages counted once (PSS)."""
    family = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in (family, *family.children(recursive=True))) / MIB


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; the cells are written as they are."""
    return tabulate(
        [list(map(str, row)) for row in rows], list(header), tablefmt="github", stralign=None, disable_numparse=True
    )


def machine() -> str:
    """Return what the figures were measured on."""
    return f"{psutil.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}, {gpus()}"


def gpus() -> str:
    """Return the GPUs that NVIDIA's driver knows, whether or not a library here can use them."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return "no GPU"
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        counts = Counter(map(pynvml.nvmlDeviceGetName, handles))
    finally:
        pynvml.nvmlShutdown()
    return ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items()) or "no GPU"


def publish(name: str, command: str, text: str) -> None:
    """Print a result and write it to benchmarks/results/<name>.md, with the command that makes it."""
    page = f"# {name.replace('_', ' ').capitalize()}\nMade by `{command}` on {machine()}.\n\n{text}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")
    print(page)


def finite(value: Any) -> Any:
    """Return what JSON can hold: null for numbers that are none, or infinite."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
