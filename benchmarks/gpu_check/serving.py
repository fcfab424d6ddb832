"""The service as users start it, in one profile: its answers, its steps' latencies, its throughput."""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu_check.card import Watch
from benchmarks.gpu_check.results import Load
from benchmarks.load import OK, Manners, Reply, closed_loop, message
from benchmarks.watching import percentile
from triptych.providers import RUNS_BY
from triptych.serving.profile import DEFAULT
from triptych.serving.service import Service

WAITING = 64
"""Clips that may wait at the door: more than there are callers, so that none is refused for their number."""
DEADLINE_S = 120.0


@dataclass(frozen=True)
class Served:
    """A running service, and the folder that Triton logs into."""

    url: str
    work: Path

    def runs_by(self) -> dict[str, str]:
        """Return by step with a network which execution provider it came to run by, from Triton's log."""
        said = re.compile(r"INFO (\w+): " + RUNS_BY % r"(\w+)")
        logs = (path.read_text(encoding="utf-8", errors="replace") for path in self.work.glob("triptych-*.log"))
        return dict(pair for log in logs for pair in said.findall(log))


@contextmanager
def serving(repository: Path, profile: str, in_flight: int, out: Path) -> Iterator[Served]:
    """Serve a repository in a profile until the end of the block; its logs stay below `out`."""
    chosen = [] if profile == DEFAULT else [f"--option=--model-config-name={profile}"]
    bounds = [f"--in-flight={in_flight}", f"--waiting={WAITING}"]
    work = out / f"served-{profile}"
    shutil.rmtree(work, ignore_errors=True)
    with Service(repository, work=work, arguments=[*chosen, *bounds]) as service:
        yield Served(service.grpc_url, work)


def load(url: str, clip: bytes, callers: int, seconds: float) -> Load:
    """Let so many callers ask for so long, and count what was answered from then on."""
    with Watch() as watch:
        replies = asyncio.run(closed_loop(url, message(clip), callers, seconds, Manners(DEADLINE_S)))
    return summary(callers, replies, watch)


def summary(callers: int, replies: list[Reply], watch: Watch) -> Load:
    """Return what a load came to; its time ends with the last answer, since all that began in time are waited for."""
    answered = [reply for reply in replies if reply.status == OK]
    refused = sum(reply.refused for reply in replies)
    seconds = max(reply.ended_s for reply in replies) - min(reply.began_s for reply in replies)
    taken = [reply.seconds for reply in answered] or [float("nan")]
    return Load(
        callers,
        seconds,
        len(answered),
        refused,
        len(replies) - len(answered) - refused,
        statistics.median(taken),
        percentile(taken, 0.95),
        watch.card,
    )
