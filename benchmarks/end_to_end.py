"""How long does one clip take, step by step, and against a plain PyTorch script with the same models?

python -m benchmarks.end_to_end [--clip FILE] [--repeats 10]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import counters
from benchmarks.measure import Seconds, interleave, memory_mib, publish, table
from benchmarks.sequential import Sequential
from triptych.commands.demo import make_clip
from triptych.serving.embedded import EmbeddedServer
from triptych_client import Client
from triptych_client.contract import ENSEMBLE


def main(clip: Path | None = None, repeats: Annotated[int, typer.Option(min=1)] = 10) -> None:
    """Measure the served ensemble and the script in turn, at concurrency 1, and write down both."""
    data = (clip or make_clip()).read_bytes()
    script = Sequential()
    with EmbeddedServer() as server, Client(server.grpc_url) as client:
        at_rest = memory_mib(server.pid)
        client.analyze(data)
        before = counters.read(server.grpc_url)
        served, sequential = interleave(repeats, lambda: client.analyze(data), lambda: script.analyze(data))
        steps = counters.since(server.grpc_url, before)
        used = memory_mib(server.pid)
    clips = steps[ENSEMBLE].requests
    counted = f"{clips} clips:\n\n{table(counters.HEADER, counters.rows(steps, clips))}"
    text = "\n\n".join([_totals(served, sequential), counted, _memory(at_rest, used)])
    publish("end_to_end", f"python -m benchmarks.end_to_end --repeats {repeats}", text)


def _totals(served: Seconds, sequential: Seconds) -> str:
    ratios = Seconds(tuple(a / b for a, b in zip(served.values, sequential.values)))
    rows = [
        ("served ensemble, from the client", f"{served.least:.2f}", f"{served.median:.2f}"),
        ("sequential PyTorch script", f"{sequential.least:.2f}", f"{sequential.median:.2f}"),
        ("ratio, pair by pair", f"{ratios.least:.2f}", f"{ratios.median:.2f}"),
    ]
    return table(("seconds a clip", "min", "median"), rows)


def _memory(at_rest: float, used: float) -> str:
    rows = [("after start, every model loaded", f"{at_rest:.0f}"), ("after the clips", f"{used:.0f}")]
    return table(("server and its steps", "MiB (PSS)"), rows)


if __name__ == "__main__":
    typer.run(main)
