"""The same clips through the same server: by a plain loop of the client, and by a job on Ray."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.batch.checks import Wanted
from benchmarks.batch.proof import Run, partitions
from benchmarks.batch.s3 import BUCKET, S3
from triptych_client import Analysis, Client
from triptych_client.batch import rows
from triptych_client.batch.gathering import Gathering
from triptych_client.batch.pieces import Piece, packed

LANES = 3
GATHERED = 300


@dataclass(frozen=True)
class Pair:
    """Seconds of both for the same clips, and those of the job from the first answer to the last write."""

    loop_s: float
    job_s: float
    running_s: float


def gathered_a_second(analysis: Analysis) -> float:
    """Return how many answers like this one the one process takes in, and makes tables of, in a second."""
    pieces = [Piece(number, **packed(analysis)) for number in range(GATHERED)]
    gathering = Gathering([f"clips/{number}.mp4" for number in range(GATHERED)])
    began_s = time.monotonic()
    clips = [clip for piece in pieces if (clip := gathering.add(piece))]
    for table in rows.TABLES:
        rows.written(table, clips)
    return GATHERED / (time.monotonic() - began_s)


def by_loop(url: str, s3: S3, clips: Sequence[str]) -> float:
    """Return how long the plainest program takes: read from the store, ask, look at the label, write nothing."""
    files = s3.files

    def read() -> Iterator[bytes]:
        yield from map(files.cat_file, clips)

    began_s = time.monotonic()
    with Client(url) as client:
        for outcome in client.stream(read(), concurrency=LANES):
            if outcome.error:
                raise outcome.error
    return time.monotonic() - began_s


def by_job(url: str, s3: S3, wanted: Wanted, out: str, log: Path) -> tuple[float, float]:
    """Return how long `triptych batch` takes from its start to its end, and from its first answer to its last write."""
    manifest = f"s3://{BUCKET}/plain.txt"
    s3.files.pipe_file(manifest, "\n".join(wanted.lengths).encode())
    command = [manifest, "--out", out, "--url", url, "--lanes", str(LANES), "--partition", "25"]
    began_s = time.monotonic()
    run = Run.start(command, s3.environment, log)
    while run.process.poll() is None and not any(line.startswith("1 of ") for line in run.lines):
        time.sleep(0.05)
    first_s = time.monotonic()
    if run.process.wait():
        raise RuntimeError("\n".join(run.lines))
    assert partitions(s3, out)
    ended_s = time.monotonic()
    return ended_s - began_s, s3.written_s - first_s
