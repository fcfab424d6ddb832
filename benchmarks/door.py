"""What does the door cost a clip? The same Triton asked through it, and past it on its own socket, in turn.

python -m benchmarks.door
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import grpc
import typer

from benchmarks import load
from benchmarks.measure import Seconds, interleave, publish, table
from benchmarks.watching import family
from triptych.paths import BUILD
from triptych.serving.service import Service
from triptych.serving.supervision.canary import clip

ADDRESS = "--grpc-address="
"""The flag of tritonserver that names its socket; Triton appends the port to it."""
SIZES_MIB = (0, 8, 60)
"""What is appended to the clip: FFmpeg reads nothing after the end, and the door must carry it."""

Infer = grpc.UnaryUnaryMultiCallable


def main(repeats: Annotated[int, typer.Option(min=3)] = 30) -> None:
    """Time clips of one second, one at a time."""
    with Service(work=BUILD / "benchmarks" / "door") as service:
        through, past = infer(service.grpc_url), infer(triton_address(service))
        rows = [row(size, *time_both(through, past, size, repeats)) for size in SIZES_MIB]
    text = table(("clip of 1 s and", "through the door, ms", "past it, ms", "the door costs, ms", "ratio"), rows)
    publish("door", f"python -m benchmarks.door --repeats {repeats}", f"Minimum / median.\n\n{text}")


def time_both(through: Infer, past: Infer, size_mib: int, repeats: int) -> list[Seconds]:
    """Time a clip with so many MiB after its end on both ways."""
    message = load.message(clip().tobytes() + bytes(size_mib << 20))
    return interleave(repeats, partial(through, message), partial(past, message))


def row(size_mib: int, through: Seconds, past: Seconds) -> tuple[str, str, str, str, str]:
    """Return a row of the table: what the door costs is taken pair by pair."""
    costs = Seconds(tuple(one - other for one, other in zip(through.values, past.values)))
    ratios = Seconds(tuple(one / other for one, other in zip(through.values, past.values)))
    times = (f"{1000 * times.least:.1f} / {1000 * times.median:.1f}" for times in (through, past))
    cost = f"{1000 * (through.least - past.least):.1f} / {1000 * costs.median:.1f}"
    return (f"{size_mib} MiB", *times, cost, f"{ratios.median:.3f}")


def infer(address: str) -> Infer:
    """Return the call of a server that sends a serialised request."""
    return grpc.insecure_channel(address, load.CHANNEL_OPTIONS).unary_unary(load.METHOD)


def triton_address(service: Service) -> str:
    """Return the address of the Triton behind a service, from its command line."""
    assert service.process
    for process in family(service.process.pid):
        flags = [word for word in process.cmdline() if word.startswith(ADDRESS)]
        if flags:
            return f"{flags[0].removeprefix(ADDRESS)}:1"
    raise SystemExit("there is no tritonserver below the service")


if __name__ == "__main__":
    typer.run(main)
