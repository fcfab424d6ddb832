"""Is what the answer is made of true? The table of bars, by one command.

python -m benchmarks.evidence --data DIR [--only CHECK]

DIR is the data folder. The server is started here, with what is exported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.bars import bars_table
from benchmarks.evidence import (
    detector,
    folders,
    hiding,
    lead_in,
    levels,
    no_words,
    people,
    pictures,
    recall,
    repeats,
    tracks,
)
from benchmarks.evidence.check import Bench
from benchmarks.measure import publish
from triptych.serving.embedded import EmbeddedServer
from triptych_client import Client

MODULES = (no_words, detector, recall, lead_in, repeats, tracks, levels, pictures, people, hiding, folders)
CHECKS = {module.CHECK.name: module.CHECK for module in MODULES}


def main(
    data: Annotated[Path, typer.Option(help="The data folder.")],
    only: Annotated[list[str] | None, typer.Option(help="Names of checks; else all.")] = None,
) -> None:
    """Measure every check, or some; all of them together are published."""
    names = only or list(CHECKS)
    with EmbeddedServer() as server, Client(server.grpc_url) as client:
        bench = Bench(data, client)
        parts = [(name, bars_table(CHECKS[name].measure(bench))) for name in names]
    text = "\n\n".join(f"## {name.capitalize()}\n{table}" for name, table in parts)
    if only:
        print(text)
    else:
        publish("evidence", "python -m benchmarks.evidence --data DIR", text)


if __name__ == "__main__":
    typer.run(main)
