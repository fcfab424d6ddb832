"""How long from nothing to an answer: set-up, export, start, first answer; and how much lies on the disk then?

python -m benchmarks.cold [--repeats 3] [--set-up]

Starts are measured with every file in memory, and with the files of the model repository and of the environment put out
of it first, as after a boot. `--set-up` begins with less: a clone of this checkout, `make demo` in it without pip's
cache, which takes minutes and as long as the package index lets it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.load import short_clip
from benchmarks.measure import RESULTS, table
from benchmarks.publishing import Machine, Result, goals
from triptych.paths import BUILD, CACHE, ROOT
from triptych.serving.service import COMMAND, Service
from triptych_client import Client
from triptych_client.contract import STEPS

EXPORT = (*COMMAND[:-1], "export")
READY_GOAL_S = 10.0
SET_UP_GOAL_S = 0.6 * 202
"""0.6 of the 3 min 22 s that it took at commit 304a41b."""
DISK_GOAL_GB = 1.2
GB = 1e9


@dataclass(frozen=True)
class Start:
    """One start: seconds from the command to readiness, from there to the first answer, and for the next answer."""

    in_memory: bool
    ready_s: float
    first_s: float
    second_s: float


@dataclass(frozen=True)
class SetUp:
    """From nothing: seconds for the environment, then for the demo in it: weights, export, start, answer; and bytes."""

    environment_s: float
    demo_s: float
    environment_bytes: int
    weights_bytes: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.environment_s + self.demo_s


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Starts of each kind.")] = 3,
    set_up: Annotated[bool, typer.Option("--set-up", help="Begin with a clone: needs the package index.")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure, and write down."""
    machine = Machine.here()
    clip = short_clip(3.0)
    (BUILD / "benchmarks").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cold-", dir=BUILD / "benchmarks") as folder:  # the weights' file system
        export_s = export(Path(folder))
        repository = Path(folder, "model_repository")
        starts = [start(repository, clip, in_memory) for _ in range(repeats) for in_memory in (False, True)]
        steps = {name: bytes_below(repository / name) for name in STEPS}
        done = from_nothing(Path(folder, "clone")) if set_up else None
    sizes = {"environment": bytes_below(Path(sys.prefix)), "weights, as downloaded": bytes_below(CACHE)}
    command = f"python -m benchmarks.cold --repeats {repeats}{' --set-up' if set_up else ''}"
    parts = [
        goals(list(held(starts, done))),
        times_table(export_s, starts, done),
        sizes_table(sizes, steps, done),
    ]
    facts = {"export_s": export_s, "starts": starts, "bytes": sizes, "bytes_of_steps": steps, "set_up": done}
    Result("cold", "From nothing to an answer", command, machine, parts, facts).publish(out)


def export(home: Path) -> float:
    """Export every default model into a new home, the weights being there; return the seconds."""
    (home / "build").mkdir()
    (home / "build" / "cache").symlink_to(CACHE, target_is_directory=True)
    return seconds_of(EXPORT, environment={"TRIPTYCH_HOME": str(home)})


def start(repository: Path, clip: bytes, in_memory: bool) -> Start:
    """Start the service as users do, and ask for two short clips."""
    if not in_memory:
        for folder in (repository, Path(sys.prefix)):
            put_out(folder)
    began = time.perf_counter()
    with Service(repository, work=repository.parent / "served") as service:
        ready_s = time.perf_counter() - began
        with Client(service.grpc_url) as client:
            first_s, second_s = (_seconds(client, clip) for _ in range(2))
    return Start(in_memory, ready_s, first_s, second_s)


def _seconds(client: Client, clip: bytes) -> float:
    began = time.perf_counter()
    client.analyze(clip)
    return time.perf_counter() - began


def put_out(folder: Path) -> None:
    """Ask the kernel to keep none of the files below a folder in memory: as after a boot. Linux only.

    Pages that a process has mapped stay, such as the interpreter's, which this one shares with the server.
    """
    for path in files_below(folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # what is not written yet cannot be put out
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, links left out."""
    for parent, _, names in os.walk(folder):
        paths = (Path(parent, name) for name in names)
        yield from (path for path in paths if path.is_file() and not path.is_symlink())


def bytes_below(folder: Path) -> int:
    """Return how much the files below a folder take on the disk; what has several names counts once."""
    stats = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in map(os.stat, files_below(folder))}
    return sum(stats.values())


def from_nothing(clone: Path) -> SetUp:
    """Clone this checkout, make its environment without pip's cache, and run the demo."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    python = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    make = ("make", "--directory", str(clone), f"PYTHON={python}")
    bare = {"PIP_NO_CACHE_DIR": "1", "PYTHONPATH": "", "TRIPTYCH_HOME": str(clone)}
    environment_s = seconds_of((*make, ".venv/demo"), environment=bare)
    demo_s = seconds_of((*make, "demo"), environment=bare)
    return SetUp(environment_s, demo_s, bytes_below(clone / ".venv"), bytes_below(clone / "build" / "cache"))


def seconds_of(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return how long a command takes; RuntimeError with its last words when it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr or done.stdout)[-2000:]}")
    return time.perf_counter() - began


def held(starts: Sequence[Start], done: SetUp | None) -> Iterator[tuple[str, str, str, bool | None]]:
    """Yield what is held against a goal; the slowest start counts."""
    for in_memory, what in ((False, "as after a boot"), (True, "its files in memory")):
        worst = max(one.ready_s for one in starts if one.in_memory is in_memory)
        yield (
            f"ready after `serve`, {what}, slowest",
            f"at most {READY_GOAL_S:g} s",
            f"{worst:.1f} s",
            worst <= READY_GOAL_S,
        )
    seconds = "-" if done is None else f"{done.seconds:.0f} s"
    size = "-" if done is None else f"{done.environment_bytes / GB:.2f} GB"
    yield (
        "set-up from nothing to the demo's answer",
        f"at most {SET_UP_GOAL_S:.0f} s",
        seconds,
        None if done is None else done.seconds <= SET_UP_GOAL_S,
    )
    yield (
        "the environment that it makes",
        f"at most {DISK_GOAL_GB:g} GB",
        size,
        None if done is None else done.environment_bytes <= DISK_GOAL_GB * GB,
    )


def times_table(export_s: float, starts: Sequence[Start], done: SetUp | None) -> str:
    """Return how long each stretch takes: least, median and most."""
    rows = [("export of every default model, weights there", f"{export_s:.1f}", "", "")]
    for in_memory, what in ((False, "as after a boot"), (True, "files in memory")):
        chosen = [one for one in starts if one.in_memory is in_memory]
        for field, stretch in (
            ("ready_s", "start to ready"),
            ("first_s", "first answer"),
            ("second_s", "second answer"),
        ):
            times = [getattr(one, field) for one in chosen]
            rows.append((f"{stretch}, {what}", *(f"{of(times):.2f}" for of in (min, median, max))))
    if done:
        rows += [("environment, from nothing", f"{done.environment_s:.0f}", "", "")]
        rows += [("demo in it: weights, export, start, answer", f"{done.demo_s:.0f}", "", "")]
    return table(("seconds", "least", "median", "most"), rows)


def sizes_table(sizes: Mapping[str, int], steps: Mapping[str, int], done: SetUp | None) -> str:
    """Return what lies on the disk."""
    rows = [(f"this {name}" if name == "environment" else name, f"{size / 1e6:.0f}") for name, size in sizes.items()]
    rows.append(("model repository", f"{sum(steps.values()) / 1e6:.0f}"))
    rows += [(f"`{name}`", f"{size / 1e6:.1f}") for name, size in sorted(steps.items(), key=lambda item: -item[1])]
    if done:
        rows += [("environment of the demo, from nothing", f"{done.environment_bytes / 1e6:.0f}")]
        rows += [("weights that the demo downloads", f"{done.weights_bytes / 1e6:.0f}")]
    return table(("on the disk", "MB"), rows)


if __name__ == "__main__":
    typer.run(main)
