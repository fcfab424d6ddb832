"""Does a job on a cluster lose or double a clip when things die, and what does it cost beside a plain loop?

python -m benchmarks.batch survival [--clips 300] [--films 2]
python -m benchmarks.batch overhead [--clips 300] [--repeats 2] [--seconds 3]

Survival: two raylets of Ray on this machine, each with a `triptych serve` of its own, and moto's S3. The job is killed
and given again; the store answers 503 for ten seconds while clips are read, a worker is killed, a server is killed.
Then the rows of each clip are counted.
Overhead: the same clips through one server, by a plain loop of the client and by a job with the same concurrency.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.batch import overhead, proof
from benchmarks.batch.overhead import Pair
from benchmarks.batch.proof import Found
from benchmarks.batch.s3 import BUCKET, S3
from benchmarks.load import short_clip
from benchmarks.measure import publish, table
from triptych.commands.demo import make_clip
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych_client import Client

MOST = 1.1


class Part(str, Enum):
    """What is measured; each has a page of its own."""

    SURVIVAL = "survival"
    OVERHEAD = "overhead"


def main(
    part: Annotated[Part, typer.Argument(help="What is measured.")],
    clips: Annotated[int, typer.Option(min=20)] = 300,
    films: Annotated[int, typer.Option(min=0, help="Of the clips, for survival: each is cut into windows.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="For overhead.")] = 2,
    seconds: Annotated[
        float, typer.Option(min=0, help="For overhead: so much of the demo clip, not tiny clips without sound.")
    ] = 0.0,
) -> None:
    """Measure, and write it down."""
    with TemporaryDirectory(prefix="triptych-") as folder:
        log = Path(folder) / "log"
        if part is Part.SURVIVAL:
            found = survival(clips, films, log)
            publish(
                "batch_survival", f"python -m benchmarks.batch survival --clips {clips} --films {films}", told(found)
            )
            raise typer.Exit(1 if found.wrong else 0)
        pairs, gathered = costs(clips, repeats, seconds, log)
        command = f"python -m benchmarks.batch overhead --clips {clips} --repeats {repeats} --seconds {seconds:g}"
        publish("batch_overhead", command, compared(pairs, gathered))


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


def costs(clips: int, repeats: int, seconds: float, log: Path) -> tuple[list[Pair], float]:
    """Time the loop and the job in turn, against one server; and how many answers one process gathers in a second."""
    pairs = []
    with S3() as s3, Service(work=BUILD / "benchmarks" / "batch") as service:
        wanted = proof.put_clips(s3, clips, 0)
        for url in wanted.lengths if seconds else ():
            s3.files.pipe_file(url, short_clip(seconds))
        overhead.by_loop(service.grpc_url, s3, list(wanted.lengths)[:6])  # what is loaded late is loaded now
        for number in range(repeats):
            loop_s = overhead.by_loop(service.grpc_url, s3, list(wanted.lengths))
            job_s = overhead.by_job(service.grpc_url, s3, wanted, f"s3://{BUCKET}/out{number}", log)
            pairs.append(Pair(loop_s, *job_s))
        with Client(service.grpc_url) as client:
            answer = client.analyze(make_clip())
    return pairs, overhead.gathered_a_second(answer)


def told(found: Found) -> str:
    """Return what was found as a page."""
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
    own = [line for line in found.lines if not line.startswith(("[", "\x1b"))]
    lines = "\n".join(f"    {line}" for line in own[-8:])
    return f"{table(('what', 'found'), rows)}\n\nWhat it said:\n\n{lines}"


def compared(pairs: list[Pair], gathered: float) -> str:
    """Return both times as a page."""
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
    header = ("pair", "loop, s", "whole job, s", "ratio", "first answer to last write, s", "ratio")
    limit = f"One process takes in, and makes tables of, {gathered:.0f} answers a second like that of the demo clip."
    return f"{table(header, rows)}\n\nThe bar is {MOST}. {limit}"


if __name__ == "__main__":
    typer.run(main)
