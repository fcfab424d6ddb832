"""Which of two services is faster, and by how much: two versions, two exports or two configurations, asked in turn.

python -m benchmarks.pair HOST:PORT HOST:PORT

Both run at once, each with all of the cores while the other rests; so whatever slows the machine slows both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Annotated

import typer
from tritonclient.grpc.service_pb2 import ModelInferRequest

from benchmarks import load
from benchmarks.load import OK, Reply
from benchmarks.measure import Seconds, publish, table

PATIENCE_S = 120.0


def main(
    first: Annotated[str, typer.Argument(help="host:port of the service that is asked about.")],
    second: Annotated[str, typer.Argument(help="host:port of the one that it is held against.")],
    repeats: Annotated[int, typer.Option(min=3, help="Pairs of bursts.")] = 12,
    clips: Annotated[int, typer.Option(min=1, help="Clips of a burst.")] = 6,
    callers: Annotated[int, typer.Option(min=1, help="Callers of a burst, who take turns.")] = 3,
    seconds: Annotated[float, typer.Option(help="How long a clip is.")] = 3.0,
    about: Annotated[str, typer.Option(help="What the two are, for the page.")] = "",
    name: Annotated[str, typer.Option(help="Of the page in benchmarks/results.")] = "pair",
) -> None:
    """Time single clips and bursts."""
    body = message(load.short_clip(seconds))
    rows = []
    for title, count, together in (("one clip", 1, 1), (f"{clips} clips, {callers} callers", clips, callers)):
        times = in_turn(repeats, *(partial(burst, url, body, count, together) for url in (first, second)))
        rows.append(row(title, *times))
    header = ("what", "first, s", "second, s", "first / second, least", "median", "10 % to 90 %")
    notes = (
        f"{about} Clips of {seconds:g} s. Minimum / median of {repeats} pairs; a ratio above 1: the first is slower."
    )
    command = f"python -m benchmarks.pair HOST:PORT HOST:PORT --repeats {repeats} --clips {clips} --callers {callers}"
    publish(name, command, f"{notes.strip()}\n\n{table(header, rows)}")


def message(clip: bytes) -> bytes:
    """Return a request for every output that a version has, whichever those are."""
    request = ModelInferRequest.FromString(load.message(clip))
    del request.outputs[:]
    return request.SerializeToString()


def in_turn(repeats: int, one: Callable[[], object], other: Callable[[], object]) -> tuple[Seconds, Seconds]:
    """Time both A B, B A, A B, ..: neither always comes first; one warm-up each."""
    one(), other()
    pairs = []
    for number in range(repeats):
        times = {work: _seconds(work) for work in ((one, other) if number % 2 == 0 else (other, one))}
        pairs.append((times[one], times[other]))
    firsts, seconds = zip(*pairs)
    return Seconds(firsts), Seconds(seconds)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def burst(url: str, body: bytes, clips: int, callers: int) -> None:
    """Have so many clips answered, by so many callers who take turns; SystemExit if one is not."""
    replies = asyncio.run(_burst(url, body, clips, callers))
    wrong = next((reply for reply in replies if reply.status != OK), None)
    if wrong:
        raise SystemExit(f"{url}: {wrong.status}: {wrong.words}")


async def _burst(url: str, body: bytes, clips: int, callers: int) -> list[Reply]:
    left = iter(range(clips))

    async def caller() -> list[Reply]:
        async with load.channel(url) as opened:
            return [await load.call(opened, body, PATIENCE_S) for _ in left]

    return [*chain.from_iterable(await asyncio.gather(*(caller() for _ in range(callers))))]


def row(title: str, first: Seconds, second: Seconds) -> tuple[str, ...]:
    """Return a row of the table: ratios are taken pair by pair, that of the minima apart."""
    ratios = sorted(one / other for one, other in zip(first.values, second.values))
    spread = f"{ratios[len(ratios) // 10]:.3f} to {ratios[-1 - len(ratios) // 10]:.3f}"
    times = (f"{time.least:.3f} / {time.median:.3f}" for time in (first, second))
    return (title, *times, f"{first.least / second.least:.3f}", f"{Seconds(tuple(ratios)).median:.3f}", spread)


if __name__ == "__main__":
    typer.run(main)
