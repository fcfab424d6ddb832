"""What does a clip cost as it grows longer, has more faces or people, or is asked for by more callers at once?

python -m benchmarks.growth [--only length ..] [--repeats 3] [--answers 1000]

Clips differ in one thing alone; the cost is the processor time of the whole service. Memory is read while one clip
after another is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.growth import clips, costs, page
from benchmarks.growth.costs import Growth
from benchmarks.load import Target
from benchmarks.measure import RESULTS
from benchmarks.publishing import Machine, Result
from triptych.commands.demo import make_clip
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import Service

LENGTHS_S = [3.0, 10.0, 20.0, 40.0, 60.0]
FACES = [0, 1, 2, 4, 6, 8, 10]
PEOPLE = [1, 4, 16, 64]
CALLERS = [1, 2, 4, 8, 16]
WAITING = 64
SATURATED = 8
SHORT_S = 3.0
"""Of the clip that callers ask for, and that memory is read with."""
LENGTH, IN_PICTURE, PERSONS, AT_ONCE, MEMORY = KINDS = ("length", "faces", "people", "callers", "memory")
ALL = list(KINDS)
SCALE = {LENGTH: LENGTHS_S, IN_PICTURE: FACES, PERSONS: PEOPLE, AT_ONCE: CALLERS}

TITLES = {
    LENGTH: "seconds of a clip",
    IN_PICTURE: "faces in the picture",
    PERSONS: "people, one after another",
    AT_ONCE: "callers at once",
}


def main(
    only: Annotated[list[str], typer.Option(help=f"One of {', '.join(KINDS)}; several times.")] = ALL,
    repeats: Annotated[int, typer.Option(min=2, help="Rounds; each asks for every clip once.")] = 3,
    answers: Annotated[int, typer.Option(min=20, help="Answers while memory is read.")] = 1000,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure what is asked for, and write it down."""
    if unknown := ", ".join(sorted(set(only) - set(KINDS))):
        raise typer.BadParameter(f"there is no {unknown}: there are {', '.join(KINDS)}")
    machine, clip, body = Machine.here(), make_clip(), load.message(load.short_clip(SHORT_S))
    arguments = [f"--waiting={WAITING}"]
    with Service(MODEL_REPOSITORY, work=BUILD / "benchmarks" / "served", arguments=arguments) as service:
        assert service.process
        target = Target(service.grpc_url, service.process.pid)
        grown = {kind: measured(kind, target, clip, body, repeats) for kind in SCALE if kind in only}
        memory = costs.remember(target, body, SATURATED, answers) if MEMORY in only else None
    if grown:
        page.draw(list(grown.values()), out / page.PICTURE)
    kinds = " ".join(f"--only {kind}" for kind in KINDS if kind in only)
    command = f"python -m benchmarks.growth {kinds} --repeats {repeats} --answers {answers}"
    parts = [page.held(grown.get(PERSONS), memory), *map(page.section, grown.values())]
    facts = {"growth": grown, "lines": {kind: growth.line() for kind, growth in grown.items()}, "memory": memory}
    parts += [f"![Processor time over each thing that grows]({page.PICTURE})"] if grown else []
    Result("growth", "What grows with a clip", command, machine, parts, facts).publish(out)


def measured(kind: str, service: Target, clip: Path, body: bytes, repeats: int) -> Growth:
    """Measure one thing that grows."""
    sizes = SCALE[kind]
    if kind == AT_ONCE:
        return costs.crowd(TITLES[kind], service, body, [int(size) for size in sizes], repeats)
    make: Callable[[float], bytes] = {
        LENGTH: lambda seconds: clips.long(clip, seconds),
        IN_PICTURE: lambda faces: clips.crowded(clip, int(faces)),
        PERSONS: lambda people: clips.people(clip, int(people)),
    }[kind]
    return costs.grow(TITLES[kind], service, {size: make(size) for size in sizes}, repeats)


if __name__ == "__main__":
    typer.run(main)
