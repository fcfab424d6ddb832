"""Does a job on a cluster lose or double a clip when things die, and what does it cost beside a plain loop?

python -m benchmarks.batch [--clips 300] [--films 2] [--only survival|overhead] [--repeats 2]

Survival: two raylets of Ray on this machine, each with a `triptych serve` of its own, and moto's S3; the job is killed
and given again, then a worker is killed, the store answers 503 for ten seconds, and a server is killed. Then the rows
of each clip are counted.
Overhead: the same clips through one server, by a plain loop of the client and by a job with the same concurrency.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.batch import overhead, proof
from benchmarks.batch.overhead import Pair
from benchmarks.batch.proof import Found
from benchmarks.batch.s3 import BUCKET, S3
from benchmarks.measure import machine, publish, table
from triptych.commands.demo import make_clip
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych_client import Client

MOST = 1.1


def main(
    clips: Annotated[int, typer.Option(min=20)] = 300,
    films: Annotated[int, typer.Option(min=0)] = 2,
    only: Annotated[str, typer.Option(help="survival or overhead; both by default.")] = "",
    repeats: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Measure, and write down both."""
    text: list[str] = []
    with TemporaryDirectory(prefix="triptych-") as folder:
        if only != "overhead":
            found = survival(clips, films, Path(folder) / "survival.log")
            text.append(_survival(found))
        if only != "survival":
            pairs, gathered = costs(clips - films, repeats, Path(folder) / "overhead.log")
            text.append(_overhead(pairs, gathered))
    command = f"python -m benchmarks.batch --clips {clips} --films {films} --repeats {repeats}"
    if only:
        print("\n\n".join(text), machine())
    else:
        publish("batch", command, "\n\n".join(text))
    sys.exit(1 if only != "overhead" and found.wrong else 0)


def survival(clips: int, films: int, log: Path, repository: Path = MODEL_REPOSITORY) -> Found:
    """Run the job on two nodes while things fail, and look at what it wrote."""
    out = f"s3://{BUCKET}/out"
    with S3() as s3:
        wanted = proof.put_clips(s3, clips, films)
        with proof.two_nodes(s3.environment) as address:
            arguments = proof.arguments(address, out, repository)
            there = proof.kill_early(s3, proof.Run.start(arguments, s3.environment, log), out)
            run = proof.Run.start(arguments, s3.environment, log)
            found = proof.survive(s3, run, wanted, out)
            return replace(found, killed=[f"the job was killed with {there} partitions there", *found.killed])


def costs(clips: int, repeats: int, log: Path) -> tuple[list[Pair], float]:
    """Time the loop and the job in turn, against one server; and how many answers one process gathers in a second."""
    pairs = []
    with S3() as s3, Service(work=BUILD / "benchmarks" / "batch") as service:
        wanted = proof.put_clips(s3, clips, 0)
        overhead.by_loop(service.grpc_url, s3, list(wanted.lengths)[:20])  # what is loaded late is loaded now
        for number in range(repeats):
            loop_s = overhead.by_loop(service.grpc_url, s3, list(wanted.lengths))
            job_s = overhead.by_job(service.grpc_url, s3, wanted, f"s3://{BUCKET}/out{number}", log)
            pairs.append(Pair(loop_s, *job_s))
        with Client(service.grpc_url) as client:
            answer = client.analyze(make_clip())
    return pairs, overhead.gathered_a_second(answer)


def _survival(found: Found) -> str:
    retries = ", ".join(f"{reason} {count}" for reason, count in found.retries.most_common()) or "none"
    rows = [
        ("rows of clips, each clip once", found.clips),
        ("rows of windows, each window once", found.windows),
        ("dead letters: no media file, and a file that is not there", found.failed),
        ("what is wrong", "; ".join(found.wrong) or "nothing"),
        ("what happened meanwhile", "; ".join(found.killed)),
        ("tried again, by reason", retries),
        ("seconds, the start of two servers included", f"{found.seconds:.0f}"),
        ("exit code", found.status),
    ]
    lines = "\n".join(f"    {line}" for line in found.lines[-8:])
    return f"## What it survives\n\n{table(('what', 'found'), rows)}\n\nIts last lines:\n\n{lines}"


def _overhead(pairs: list[Pair], gathered: float) -> str:
    rows = [
        (
            number,
            f"{pair.loop_s:.1f}",
            f"{pair.job_s:.1f}",
            f"{pair.job_s / pair.loop_s:.2f}",
            f"{pair.running_s:.1f}",
            f"{pair.running_s / pair.loop_s:.2f}",
        )
        for number, pair in enumerate(pairs, 1)
    ]
    header = ("pair", "loop, s", "job, s", "ratio", "job from its first answer on, s", "ratio")
    limit = f"One process takes in, and makes tables of, {gathered:.0f} answers a second like that of the demo clip."
    return f"## What it costs\n\n{table(header, rows)}\n\nThe bar is {MOST}. {limit}"


if __name__ == "__main__":
    typer.run(main)
