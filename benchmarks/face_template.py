"""Where do the face detector's landmarks lie in a picture of FER2013? Prints triptych.faces.TEMPLATE and BOX_HEIGHT.

`python -m benchmarks.face_template --data DIR`, where DIR holds fer2013_train_val.npz (training images are used only).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from triptych.faces import FACE_PX
from triptych.server import MODEL_REPOSITORY

IMAGES = 1500
ENLARGED = 4
SURE = 0.9
MIRRORED = [1, 0, 2, 4, 3]
"""Which landmark each one becomes in a mirror."""


def measure(pictures: np.ndarray, detector: ort.InferenceSession) -> tuple[np.ndarray, np.ndarray]:
    """Return landmarks [k, 5, 2] and boxes [k, 4], in sides of the picture, of the pictures with one sure face."""
    side, border = pictures.shape[1] * ENLARGED, pictures.shape[1] * ENLARGED // 2
    large = np.stack([cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in pictures])
    framed = np.pad(large, ((0, 0), (border, border), (border, border)), constant_values=110)
    boxes, scores, landmarks = detector.run(None, {"FRAMES": np.repeat(framed[..., None], 3, axis=-1)})
    one = (scores[:, 0] > SURE) & (scores[:, 1] == 0)
    return (landmarks[one, 0] - border) / side, (boxes[one, 0] - border) / side


def main() -> None:
    """Print the template and what it was measured on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = np.load(parser.parse_args().data / "fer2013_train_val.npz")
    training = np.flatnonzero(data["split"] == 0)
    chosen = data["images"][np.random.default_rng(0).choice(training, IMAGES, replace=False)]
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    parts = [measure(chosen[start : start + 100], detector) for start in range(0, IMAGES, 100)]
    landmarks, boxes = (np.concatenate(part) for part in zip(*parts))
    mean = landmarks.mean(axis=0)
    symmetric = (mean + [1, 0] + mean[MIRRORED] * [-1, 1]) / 2
    print(f"{len(landmarks)} of {IMAGES} pictures with one face above {SURE}")
    print("template in px:", (symmetric * FACE_PX).round(1).tolist())
    print("standard deviation in px:", (landmarks.std(axis=0) * FACE_PX).round(1).tolist())
    width, height = (boxes[:, 2:] - boxes[:, :2]).mean(axis=0)
    print(f"box: {width:.2f} wide, {height:.2f} high, in sides of the crop")


if __name__ == "__main__":
    main()
