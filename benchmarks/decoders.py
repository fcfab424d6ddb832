"""What does decoding in a process of its own cost on a good clip, against the same function in this process?

python -m benchmarks.decoders [--clip FILE] [--repeats 30]

A decoder is for several clips; how much longer one takes that is for this clip alone is measured as well.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.measure import Seconds, interleave, publish, table
from triptych.commands.demo import make_clip
from triptych.media import audio, probe, video
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits

STEPS = ("media_probe", "video_decode", "audio_decode")


def main(clip: Path | None = None, repeats: Annotated[int, typer.Option(min=1)] = 30) -> None:
    """Measure each step's decoding each way in turn, and write down by how much they differ."""
    data, limits = np.frombuffer((clip or make_clip()).read_bytes(), np.uint8), Limits()
    times = probe.probe(data, limits).planned_times
    here: dict[str, Callable[[], object]] = {
        "media_probe": lambda: probe.probe(data, limits),
        "video_decode": lambda: video.decode(data, times, limits),
        "audio_decode": lambda: audio.decode(data, limits.seconds),
    }
    there: dict[str, Callable[[Decoders], object]] = {
        "media_probe": lambda decoders: decoders.probe(data),
        "video_decode": lambda decoders: decoders.video(data, times),
        "audio_decode": lambda decoders: decoders.sound(data),
    }
    with ExitStack() as stack:
        pools = {step: stack.enter_context(closing(Decoders(step, limits))) for step in STEPS}
        rows = [_row(step, repeats, here[step], there[step], pools[step]) for step in STEPS]
    header = ("step", "way", "min, ms", "median, ms", "more than here, ms: of mins", "median of pairs")
    text = table(header, [cells for row in rows for cells in row])
    publish("decoders", f"python -m benchmarks.decoders --repeats {repeats}", text)


def _row(
    step: str, repeats: int, here: Callable[[], object], there: Callable[[Decoders], object], decoders: Decoders
) -> list[tuple[str, ...]]:
    def fresh() -> None:
        there(decoders)
        decoders.pool.retire()

    in_turn = interleave(repeats, here, lambda: there(decoders))
    alone = interleave(repeats, here, fresh)
    ways = ("in this process", "in a decoder", "in this process", "in a decoder for one clip")
    times = [*in_turn, *alone]
    return [_cells(step, way, time, times[index // 2 * 2]) for index, (way, time) in enumerate(zip(ways, times))]


def _cells(step: str, way: str, time: Seconds, base: Seconds) -> tuple[str, ...]:
    more = Seconds(tuple(b - a for a, b in zip(base.values, time.values)))
    values = (time.least, time.median, time.least - base.least, more.median)
    return (f"`{step}`", way, *(f"{1000 * value:.1f}" for value in values))


if __name__ == "__main__":
    typer.run(main)
