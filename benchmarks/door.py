"""What does the door cost a clip? The same Triton asked through it, past it on its own socket, and in shared memory.

python -m benchmarks.door --bare    (a step that computes nothing: only the way to it is timed)
python -m benchmarks.door           (the real graph, in whose noise the way is hard to see)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Annotated

import grpc
import typer

from benchmarks import load
from benchmarks.measure import Seconds, interleave, publish, table
from benchmarks.watching import family
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.service import COMMAND, Service
from triptych.serving.supervision.canary import clip
from triptych_client import contract
from triptych_client.shared_memory import SharedClip
from triptych_client.wire import infer_request

ADDRESS = "--grpc-address="
"""The flag of tritonserver that names its socket; Triton appends the port to it."""
SIZES_MIB = (0, 8, 60)
"""What is appended to the clip: FFmpeg reads nothing after the end, and the door must carry it."""
BARE = (sys.executable, "-m", "benchmarks.bare_graph")

Infer = grpc.UnaryUnaryMultiCallable
Way = Callable[[bytes], object]


def main(repeats: Annotated[int, typer.Option(min=3)] = 30, bare: bool = False) -> None:
    """Time clips of one second, one at a time, from the bytes in the caller's memory to the answer."""
    outputs = ["SIZE"] if bare else [tensor.name for tensor in contract.ANSWER]
    work = BUILD / "benchmarks" / "door"
    repository = work / "bare" if bare else MODEL_REPOSITORY
    command = BARE if bare else COMMAND
    with Service(repository, work=work, command=command, arguments=["--client-shared-memory"]) as service:
        through, past = infer(service.grpc_url), infer(triton_address(service))
        ways = (partial(send, through, outputs), partial(hand_over, through, outputs), partial(send, past, outputs))
        rows = [row(size, *time_all(ways, size, repeats)) for size in SIZES_MIB]
    header = (
        *("clip of 1 s and", "sent through the door, ms", "handed over in memory, ms", "sent past the door, ms"),
        *("the door costs, sent, ms", "handed over, ms"),
    )
    options = f"--repeats {repeats}{' --bare' if bare else ''}"
    publish(
        f"door{'_bare' if bare else ''}",
        f"python -m benchmarks.door {options}",
        f"Minimum / median.\n\n{table(header, rows)}",
    )


def send(to: Infer, outputs: list[str], video: bytes) -> None:
    """Ask with the clip in the message."""
    to(infer_request(contract.ENSEMBLE, "", {}, contract.VIDEO, video, outputs))


def hand_over(to: Infer, outputs: list[str], video: bytes) -> None:
    """Ask with the clip in memory."""
    with closing(SharedClip([video])) as memory:
        to(infer_request(contract.ENSEMBLE, "", {}, contract.VIDEO, memory, outputs))


def time_all(ways: tuple[Way, ...], size_mib: int, repeats: int) -> list[Seconds]:
    """Time a clip with so many MiB after its end on all ways, in turn."""
    video = clip().tobytes() + bytes(size_mib << 20)
    return interleave(repeats, *(partial(way, video) for way in ways))


def row(size_mib: int, sent: Seconds, handed_over: Seconds, past: Seconds) -> tuple[str, ...]:
    """Return a row of the table: what the door costs is taken round by round."""
    times = [f"{1000 * way.least:.1f} / {1000 * way.median:.1f}" for way in (sent, handed_over, past)]
    costs: list[str] = []
    for way in (sent, handed_over):
        each = Seconds(tuple(one - other for one, other in zip(way.values, past.values)))
        costs.append(f"{1000 * (way.least - past.least):.1f} / {1000 * each.median:.1f}")
    return (f"{size_mib} MiB", *times, *costs)


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
