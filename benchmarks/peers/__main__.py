"""Is Triptych faster than what somebody would build instead, with the same weights, on the same cores?

python -m benchmarks.peers [--rounds 5] [--only script --only litserve --only ray]

Beside the service: a plain script of PyTorch and transformers, and the same ONNX graphs in one process behind LitServe
and behind Ray Serve, each in the better of two layouts (a worker a core, or one worker with all of them). Their
packages are installed into an environment of their own below build/. Speech alone is `benchmarks.peers.speech`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import load
from benchmarks.measure import RESULTS
from benchmarks.peers import environment, page, services
from benchmarks.peers.answers import compare
from benchmarks.peers.page import SCRIPT, Measured
from benchmarks.peers.services import Answer, Burst, OverHttp, Peer, Triptych
from benchmarks.publishing import Machine, Result
from benchmarks.sequential import Sequential
from triptych.errors import TriptychError
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.resources import cores
from triptych.serving.service import Service

SERVERS = {"litserve": "LitServe", "ray": "Ray Serve"}
ALL = ["script", *SERVERS]
ALONE, CALLERS = 3, 8
"""Clips of one caller in a round, and callers of the others."""


class Script:
    """The plain script, in this process: one clip at a time, however many ask."""

    name = SCRIPT

    def __init__(self) -> None:
        self._script = Sequential()

    def answer(self, clip: bytes) -> Answer:
        """Return the tensors of the answer for a clip."""
        return self._script.analyze(clip)

    def burst(self, clip: bytes, clips: int, callers: int) -> Burst:
        """Have a clip answered so often."""

        async def ask() -> object:
            return self.answer(clip)

        return asyncio.run(services.take_turns(ask, clips, callers))


def main(
    seconds: Annotated[float, typer.Option(help="How long the clip is: so much of the demo clip.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="Each asks every peer in turn.")] = 5,
    clips: Annotated[int, typer.Option(min=1, help=f"Clips of {CALLERS} callers in a round.")] = 16,
    only: Annotated[list[str], typer.Option(help=f"One of {', '.join(ALL)}; several times.")] = ALL,
    peers_python: Annotated[Path | None, typer.Option(help="An interpreter that has the peers' packages.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Compare the answers, then time everything in turn."""
    if unknown := ", ".join(sorted(set(only) - set(ALL))):
        raise typer.BadParameter(f"there is no {unknown}: there are {', '.join(ALL)}")
    machine, clip = Machine.here(), load.short_clip(seconds)
    with ExitStack() as stack:
        service = stack.enter_context(Service(MODEL_REPOSITORY, work=BUILD / "benchmarks" / "served"))
        peers: list[Peer] = [Triptych(service.grpc_url), *_others(only, peers_python, clip, stack)]
        ours, *others = measure(peers, clip, rounds, clips)
    kinds = " ".join(f"--only {kind}" for kind in ALL if kind in only)
    command = f"python -m benchmarks.peers --seconds {seconds:g} --rounds {rounds} --clips {clips} {kinds}"
    parts = [
        f"The first {seconds:g} s of the demo clip; {rounds} rounds of {ALONE} clips by one caller and {clips} by "
        f"{CALLERS} callers.",
        page.held(ours, others),
        page.peers_table(ours, others, CALLERS),
    ]
    facts = {"ours": ours, "others": others, "packages": environment.PACKAGES}
    Result("peers", "Beside what one would build instead", command, machine, parts, facts).publish(out)


def _others(only: Sequence[str], python: Path | None, clip: bytes, stack: ExitStack) -> Iterator[Peer]:
    """Yield the peers that are asked for, each of them running."""
    if "script" in only:
        yield Script()
    for kind, name in SERVERS.items():
        if kind in only:
            yield _better(name, environment.python(python), clip, stack)


def _better(name: str, python: Path, clip: bytes, stack: ExitStack) -> OverHttp:
    """Return a server in the layout in which it answers more clips a second: a worker a core, or one with all."""
    rates = {}
    for workers, threads in dict.fromkeys(((cores(), 1), (1, cores()))):
        with services.serving(name, python, workers, threads) as peer:
            for _ in range(workers):  # each worker loads what it loads late
                peer.answer(clip)
            rates[workers, threads] = peer.burst(clip, CALLERS, CALLERS).a_second
    return stack.enter_context(services.serving(name, python, *max(rates, key=rates.__getitem__)))


def measure(peers: Sequence[Peer], clip: bytes, rounds: int, clips: int) -> list[Measured]:
    """Compare every answer with the first peer's, then time all of them in turn; TriptychError for another answer."""
    ours = peers[0].answer(clip)
    found = [Measured(peer.name, compare(ours, peer.answer(clip))) for peer in peers]
    for one in found:
        if not one.agreement.holds:
            raise TriptychError(f"{one.name} gives another answer, so nothing is timed: {one.agreement}")
    for _ in range(rounds):
        for peer, one in zip(peers, found):
            one.alone.append(peer.burst(clip, ALONE, 1))
            if one.name != SCRIPT:
                one.many.append(peer.burst(clip, clips, CALLERS))
    return found


if __name__ == "__main__":
    typer.run(main)
