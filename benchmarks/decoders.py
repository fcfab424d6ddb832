"""What does decoding in a process of its own cost on a good clip, against the same function in this process?

python -m benchmarks.decoders [--clip FILE] [--repeats 30]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.measure import Seconds, interleave, publish, table
from triptych.commands.demo import make_clip
from triptych.media import audio, probe, video
from triptych.media.decoders.steps import Decoders
from triptych.media.limits import Limits


def main(clip: Path | None = None, repeats: Annotated[int, typer.Option(min=1)] = 30) -> None:
    """Measure each step's decoding both ways in turn, and write down by how much they differ."""
    data, limits = np.frombuffer((clip or make_clip()).read_bytes(), np.uint8), Limits()
    times = probe.probe(data, limits).planned_times
    probes, pictures, sounds = (Decoders(step, limits) for step in ("media_probe", "video_decode", "audio_decode"))
    pairs = {
        "media_probe": (lambda: probe.probe(data, limits), lambda: probes.probe(data)),
        "video_decode": (lambda: video.decode(data, times, limits), lambda: pictures.video(data, times)),
        "audio_decode": (lambda: audio.decode(data, limits.seconds), lambda: sounds.sound(data)),
    }
    rows = [_row(step, *interleave(repeats, *pair)) for step, pair in pairs.items()]
    for decoders in (probes, pictures, sounds):
        decoders.close()
    header = ("step", "here, ms: min", "median", "in a decoder, ms: min", "median", "difference, ms: of mins", "median")
    publish("decoders", f"python -m benchmarks.decoders --repeats {repeats}", table(header, rows))


def _row(step: str, here: Seconds, there: Seconds) -> tuple[str, ...]:
    difference = Seconds(tuple(b - a for a, b in zip(here.values, there.values)))
    values = (here.least, here.median, there.least, there.median, there.least - here.least, difference.median)
    return (f"`{step}`", *(f"{1000 * value:.1f}" for value in values))


if __name__ == "__main__":
    typer.run(main)
