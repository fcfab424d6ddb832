"""How alike do faces of one person and of two people look, to the texture that re-joins tracks?

python -m benchmarks.face_looks --data DIR

DIR holds clips of one face each. "Colours around": how alike those around a face are from one sample to the next, at
least (what tells a movement from a cut). For each pair of clips the likeness of the best pair of faces is given (what
tracks.rejoin compares), on the diagonal the likeness of faces of one clip, a second or more apart: who is who in the
clips is for the reader to see.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.evidence import films
from benchmarks.measure import publish, table
from triptych.face import appearance
from triptych.face import boxes as box_ops
from triptych.media import probe

APART = round(1.0 * probe.FRAMES_PER_SECOND)
"""Sampled frames in a second: so far apart at least are two faces of one clip."""


def seen(path: Path) -> films.Seen:
    """Return what the steps see in a clip."""
    return films.see(path.read_bytes())


def looks(clip: films.Seen) -> np.ndarray:
    """Return the looks f32 [m, width] of a clip's faces, in order of time."""
    return appearance.describe(clip.faces.crops) if clip.faces.count[0] else np.zeros((0, appearance.WIDTH), np.float32)


def surroundings(clip: films.Seen) -> np.ndarray:
    """Return how alike the colours around faces one after the other are, of the clip's least alike: a number."""
    size = clip.frames.frames.shape[2], clip.frames.frames.shape[1]
    boxes = box_ops.scaled(clip.faces.boxes, (clip.facts.width_px, clip.facts.height_px), size)
    frames = np.searchsorted(clip.frames.times, clip.faces.times)
    around = np.stack(
        [appearance.colours(appearance.around(clip.frames.frames[frame], box)) for frame, box in zip(frames, boxes)]
    )
    return (around[1:] * around[:-1]).sum(axis=1)


def within(one: np.ndarray) -> float:
    """Return the median likeness of faces of one clip that are APART or more."""
    rows, columns = np.triu_indices(len(one), APART)
    return float(np.median(appearance.likeness(one, one)[rows, columns]))


def main(data: Annotated[Path, typer.Option()]) -> None:
    """Print and write a row for each clip."""
    clips = {path.name: seen(path) for path in sorted(data.iterdir())}
    described = {name: looks(clip) for name, clip in clips.items() if clip.faces.count[0] > APART}
    rows = [
        [
            name,
            f"{surroundings(clips[name]).min():.3f}",
            *(
                f"{within(one) if one is other else appearance.likeness(one, other).max():.2f}"
                for other in described.values()
            ),
        ]
        for name, one in described.items()
    ]
    header = ["clip", "colours around", *map(str, range(1, len(described) + 1))]
    publish("face_looks", "python -m benchmarks.face_looks --data DIR", table(header, rows))


if __name__ == "__main__":
    typer.run(main)
