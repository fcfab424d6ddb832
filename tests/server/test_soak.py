"""The short form of the soak: traffic of every kind, SIGTERM and SIGKILL under load, and what is left of a service."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from benchmarks import load, soak
from benchmarks.watching import Watch
from triptych.serving.service import Service

CALLERS = 3
SECONDS = 8.0


@pytest.fixture(scope="module")
def good() -> bytes:
    return load.short_clip()


@pytest.mark.parametrize("kind", soak.KINDS)
def test_traffic_has_clips_of_every_kind(good: bytes, kind: str) -> None:
    assert len(soak.Traffic(good).makers[kind](Random(0))) > 0


async def test_mixed_traffic_is_answered_and_a_service_that_is_told_to_end_leaves_nothing(
    repository: Path, tmp_path: Path, good: bytes
) -> None:
    with Service(repository, work=tmp_path) as service, Watch(soak.pid_of(service)) as watch:
        await load.until_answered(service.grpc_url, load.message(good), soak.DEADLINE_S)
        sent = await soak.Traffic(good).run(service.grpc_url, CALLERS, SECONDS)
        told = await soak.end(service, watch, good, CALLERS, "SIGTERM")
    assert [one for one in sent if one.unexpected] == []
    assert told.status == 0
    assert told.in_flight.keys() <= {load.OK, *load.REFUSED}, "what was let in is answered"
    assert (told.processes_left, told.files_left) == ([], [])


def test_a_service_that_was_killed_leaves_no_process_and_the_next_sweeps_its_files(
    repository: Path, tmp_path: Path, good: bytes
) -> None:
    killed, _ = soak.kill_and_start(good, CALLERS, repository, tmp_path)
    assert killed.status != 0
    assert killed.processes_left == []
    assert soak.still_there(killed.files_left) == []
