"""Where do the face detector's landmarks lie in a picture of FER2013? Gives triptych.face.crop.TEMPLATE and BOX_HEIGHT.

python -m benchmarks.face_template --data DIR

DIR holds fer2013_train_val.npz; only training images are used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import onnxruntime as ort
import typer

from benchmarks.measure import publish, table
from triptych.face.crop import FACE_PX
from triptych.paths import MODEL_REPOSITORY

IMAGES = 1500
ENLARGED = 4
SURE = 0.9
POINTS = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")
MIRRORED = [1, 0, 2, 4, 3]
"""Which landmark each one becomes in a mirror."""


def measure(pictures: np.ndarray, detector: ort.InferenceSession) -> tuple[np.ndarray, np.ndarray]:
    """Return landmarks [k, 5, 2] and boxes [k, 4], in sides of the picture, of the pictures with one sure face."""
    side, border = pictures.shape[1] * ENLARGED, pictures.shape[1] * ENLARGED // 2
    large = np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in pictures])
    framed = np.pad(large, ((0, 0), (border, border), (border, border)), constant_values=110)
    results = detector.run(None, {"FRAMES": np.repeat(framed[..., None], 3, axis=-1)})
    boxes, scores, landmarks = map(np.asarray, results)
    one = (scores[:, 0] > SURE) & (scores[:, 1] == 0)
    return (landmarks[one, 0] - border) / side, (boxes[one, 0] - border) / side


def main(data: Annotated[Path, typer.Option()]) -> None:
    """Print and write the template, and what it was measured on."""
    faces = np.load(data / "fer2013_train_val.npz")
    training = np.flatnonzero(faces["split"] == 0)
    chosen = faces["images"][np.random.default_rng(0).choice(training, IMAGES, replace=False)]
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    parts = [measure(chosen[start : start + 100], detector) for start in range(0, IMAGES, 100)]
    landmarks, boxes = (np.concatenate(part) for part in zip(*parts))
    mean, spread = landmarks.mean(axis=0), landmarks.std(axis=0) * FACE_PX
    symmetric = (mean + [1, 0] + mean[MIRRORED] * [-1, 1]) / 2 * FACE_PX
    rows = [(name, *xy.round(1), *sd.round(1)) for name, xy, sd in zip(POINTS, symmetric, spread)]
    width, height = (boxes[:, 2:] - boxes[:, :2]).mean(axis=0)
    text = (
        f"{len(landmarks)} of {IMAGES} training images have one face with a score above {SURE}. Pixels of a crop of "
        f"{FACE_PX} px:\n\n{table(('landmark', 'x', 'y', 'sd of x', 'sd of y'), rows)}\n\n"
        f"The detector's box is {width:.2f} wide and {height:.2f} high, in sides of the crop."
    )
    publish("face_template", "python -m benchmarks.face_template --data DIR", text)


if __name__ == "__main__":
    typer.run(main)
