"""How alike do faces of one person and of two people look, to the texture that re-joins tracks?

python -m benchmarks.face_looks --data DIR

DIR holds clips of one face each. For each pair of clips the likeness of the best pair of faces is written down (what
tracks.rejoin compares), on the diagonal the likeness of faces of one clip, a second or more apart: who is who in the
clips is for the reader to see.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import onnxruntime as ort
import typer

from benchmarks.measure import publish, table
from triptych.face import appearance, crop
from triptych.media import probe, video
from triptych.media.limits import Limits
from triptych.paths import MODEL_REPOSITORY

APART = round(1.0 * probe.FRAMES_PER_SECOND)
"""Sampled frames in a second: so far apart at least are two faces of one clip."""


def looks(path: Path, detector: ort.InferenceSession) -> np.ndarray:
    """Return the looks f32 [m, width] of a clip's faces, in order of time."""
    data = path.read_bytes()
    facts = probe.probe(data, Limits())
    seen = video.decode(data, facts.planned_times)
    found = [detector.run(None, {"FRAMES": frame[None]}) for frame in seen.frames]
    boxes, scores, landmarks = (np.concatenate([np.asarray(part[index]) for part in found]) for index in range(3))
    size = (facts.width_px, facts.height_px)
    detected = crop.DetectedFrames(seen.frames, seen.times, boxes, scores, landmarks, size)
    cut = crop.crop_all(detected, crop.max_faces(Limits()))
    return appearance.describe(cut.crops) if cut.count[0] else np.zeros((0, appearance.WIDTH), np.float32)


def within(one: np.ndarray) -> float:
    """Return the median likeness of faces of one clip that are APART or more."""
    rows, columns = np.triu_indices(len(one), APART)
    return float(np.median(appearance.likeness(one, one)[rows, columns]))


def main(data: Annotated[Path, typer.Option()]) -> None:
    """Print and write a row for each clip."""
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    clips = {path.name: looks(path, detector) for path in sorted(data.iterdir())}
    clips = {name: rows for name, rows in clips.items() if len(rows) > APART}
    rows = [
        [
            name,
            *(
                f"{within(one) if one is other else appearance.likeness(one, other).max():.2f}"
                for other in clips.values()
            ),
        ]
        for name, one in clips.items()
    ]
    header = ["clip", *map(str, range(1, len(clips) + 1))]
    publish("face_looks", "python -m benchmarks.face_looks --data DIR", table(header, rows))


if __name__ == "__main__":
    typer.run(main)
