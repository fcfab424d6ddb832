"""A job on two nodes while things are killed and the store fails; then every clip is looked for, once."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from benchmarks.batch.checks import Wanted, flaws
from benchmarks.batch.clips import film, length_s, short_clip
from benchmarks.batch.s3 import BUCKET, S3
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.host import free_port
from triptych_client.batch.rows import CLIPS, DEAD_LETTERS, WINDOWS

COMMAND = (sys.executable, "-c", "from triptych_client.cli import main; main()", "batch")
NODES = 2
PARTITION = 10
OUTAGE_S = 10.0
READ = 8
"""Clips that were read when the store begins to fail: so some are read meanwhile."""
WINDOW_S = 6.0
FILM_S = 12
PATIENCE_S = 540.0


@dataclass
class Found:
    """What a job wrote, and what is wrong with it; `killed` says what was killed meanwhile, or failed."""

    status: int
    seconds: float
    clips: int
    windows: int
    failed: int
    retries: Counter[str]
    killed: list[str]
    wrong: list[str]
    lines: list[str] = field(repr=False)


def put_clips(s3: S3, count: int, films: int) -> Wanted:
    """Write so many clips into the bucket, among them films, and one file that is no clip; say which there are."""
    lengths = {f"s3://{BUCKET}/in/{number:04d}.mkv": length_s(number) for number in range(count - films)}
    for number, url in enumerate(lengths):
        s3.files.pipe_file(url, short_clip(number))
    for number in range(films):
        url = f"s3://{BUCKET}/in/film{number}.mkv"
        s3.files.pipe_file(url, film(FILM_S + number))
        lengths[url] = float(FILM_S + number)
    s3.files.pipe_file(f"s3://{BUCKET}/in/notes.mkv", b"this is no clip")
    wanted = Wanted(lengths, [f"s3://{BUCKET}/in/notes.mkv", f"s3://{BUCKET}/in/gone.mkv"])
    s3.files.pipe_file(f"s3://{BUCKET}/manifest.txt", wanted.manifest.encode())
    return wanted


@contextmanager
def two_nodes(environment: Mapping[str, str]) -> Iterator[str]:
    """Give the address of a cluster of two raylets on this machine, whose workers have this environment."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ.update(environment)
    try:
        cluster = Cluster(initialize_head=True, head_node_args=_node())
        try:
            for _ in range(NODES - 1):
                cluster.add_node(**_node())
            cluster.wait_for_nodes()
            yield cluster.address
        finally:
            cluster.shutdown()
    finally:
        os.environ.clear()
        os.environ.update(before)


AGENT_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")


def _node() -> dict[str, Any]:
    """Return what a raylet is started with. Ports that are given are not waited for, which takes long on busy cores."""
    return {"num_cpus": 2, "include_dashboard": False, **{name: free_port() for name in AGENT_PORTS}}


Fault = Callable[[S3, psutil.Process], str]


def kill_worker(s3: S3, here: psutil.Process) -> str:
    """Kill a process of Ray that asks a server."""
    return _kill(here, "a worker", lambda words: words[0].startswith("ray::") and "Asking" in words[0])


def kill_server(s3: S3, here: psutil.Process) -> str:
    """Kill a node's `triptych serve`, and with it its Triton."""
    return _kill(here, "a server", lambda words: "serve" in words and any(w.startswith("--grpc-port") for w in words))


def fail_store(s3: S3, here: psutil.Process) -> str:
    """Let the store answer errors for ten seconds."""
    s3.failing.set()
    time.sleep(OUTAGE_S)
    s3.failing.clear()
    return f"the store answered {s3.errors} requests with 503 within {OUTAGE_S:g} s"


FAULTS: Sequence[Fault] = (fail_store, kill_worker, kill_server)


def _kill(here: psutil.Process, what: str, is_it: Callable[[list[str]], bool]) -> str:
    for process in here.children(recursive=True):
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words and is_it(words):
            process.send_signal(signal.SIGKILL)
            return f"{what} (process {process.pid}) was killed"
    raise RuntimeError(f"there is no process of {what} to kill")


@dataclass
class Run:
    """`triptych batch` as a child, its lines in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Run:
        """Start it."""
        with log.open("ab") as output:
            command = [*COMMAND, *arguments]
            process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        return cls(process, log)

    @property
    def lines(self) -> list[str]:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()


def arguments(address: str, out: str, repository: Path = MODEL_REPOSITORY) -> list[str]:
    """Return the command line of the proof's job."""
    return [
        f"s3://{BUCKET}/manifest.txt",
        *("--out", out, "--partition", str(PARTITION), "--window", str(WINDOW_S)),
        *("--cluster", address, "--serve", f"--repository {repository}"),
    ]


def partitions(s3: S3, out: str) -> int:
    """Return how many partitions are there."""
    files = s3.files
    folder = f"{out}/_triptych/done"
    return len(files.ls(folder)) if files.exists(folder) else 0


def kill_early(s3: S3, run: Run, out: str) -> int:
    """Kill the job itself when its first partitions are there; return how many they are."""
    began_s = time.monotonic()
    while (there := partitions(s3, out)) < 2:
        if run.process.poll() is not None or time.monotonic() > began_s + PATIENCE_S:
            raise RuntimeError("the job ended before it could be killed:\n" + "\n".join(run.lines[-20:]))
        time.sleep(0.25)
    run.process.kill()
    run.process.wait()
    return there


def survive(s3: S3, run: Run, wanted: Wanted, out: str, faults: Sequence[Fault] = FAULTS) -> Found:
    """Let the store fail while the job reads, and things evenly over its partitions; look at what it has written."""
    began_s, here = time.monotonic(), psutil.Process()
    there, read = partitions(s3, out), s3.reads
    left = math.ceil((len(wanted.lengths) + len(wanted.lost)) / PARTITION) - there
    killed: list[str] = []
    while run.process.poll() is None:
        if time.monotonic() > began_s + PATIENCE_S:
            run.process.kill()
            raise TimeoutError(f"the job is not done after {PATIENCE_S:g} s:\n" + "\n".join(run.lines[-20:]))
        due = there + 1 + len(killed) * left / (len(faults) + 1)
        fault = faults[len(killed)] if len(killed) < len(faults) else None
        if (fault is fail_store and s3.reads > read + READ) or (fault and partitions(s3, out) >= due):
            killed.append(fault(s3, here))
        time.sleep(0.1)
    return look(s3, run, wanted, out, killed, time.monotonic() - began_s)


def look(s3: S3, run: Run, wanted: Wanted, out: str, killed: list[str], seconds: float) -> Found:
    """Compare what was written with what there should be."""
    clips, windows, dead = (_rows(s3, f"{out}/{table}") for table in (CLIPS, WINDOWS, DEAD_LETTERS))
    wrong = flaws(wanted, clips, windows, dead)
    reasons = Counter(
        reason.partition(":")[0] for row in clips for reason in (row["retries"] or "").split("\n") if reason
    )
    return Found(run.process.wait(), seconds, len(clips), len(windows), len(dead), reasons, killed, wrong, run.lines)


def _rows(s3: S3, folder: str) -> list[dict[str, Any]]:
    """Return the rows of every file in a folder, also of those that nothing says are whole."""
    files = s3.files
    found = files.find(folder)
    return [row for name in found for row in pq.read_table(files.open(name, "rb")).to_pylist()]
