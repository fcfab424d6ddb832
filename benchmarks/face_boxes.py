"""How many hand-marked faces does the face detector find, and how many boxes are no face?

python -m benchmarks.face_boxes --data DIR

DIR holds boxes.csv (file, left, top, width, height, ignore) and images/. A box is right when its intersection over
union with an unclaimed hand-made one is at least 0.5; boxes on marks to be ignored count neither way.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import onnxruntime as ort
import typer

from benchmarks.measure import publish, table
from triptych.face.boxes import iou
from triptych.media.pictures import MAX_SIDE_PX
from triptych.paths import MODEL_REPOSITORY

RIGHT_IOU = 0.5


def read_marks(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return for each picture its boxes [k, 4] and which of them are to be ignored [k]."""
    rows = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
            rows[row["file"]].append((left, top, left + width, top + height, row["ignore"] == "1"))
    return {name: (np.array(marks)[:, :4], np.array(marks)[:, 4] > 0) for name, marks in rows.items()}


def detect(picture: np.ndarray, detector: ort.InferenceSession) -> np.ndarray:
    """Return the boxes [k, 4] found in a picture, best first, after scaling it as `video_decode` does."""
    scale = min(1.0, MAX_SIDE_PX / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, scores, _ = map(np.asarray, detector.run(None, {"FRAMES": small[None]}))
    return boxes[0][scores[0] > 0] / scale


def count(found: np.ndarray, marked: np.ndarray, ignored: np.ndarray) -> tuple[int, int, int]:
    """Return how many marks were found, how many are to be found, and how many boxes are wrong."""
    claimed, wrong = np.zeros(len(marked), bool), 0
    for row in iou(found, marked):
        free = np.where(claimed, 0, row)
        if free.max(initial=0) >= RIGHT_IOU:
            claimed[free.argmax()] = True
        else:
            wrong += 1
    return int((claimed & ~ignored).sum()), int((~ignored).sum()), wrong


def main(data: Annotated[Path, typer.Option()]) -> None:
    """Print and write a line for each picture, and the totals."""
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    rows = []
    for name, (marked, ignored) in read_marks(data / "boxes.csv").items():
        picture = cv2.cvtColor(cv2.imread(str(data / "images" / name)), cv2.COLOR_BGR2RGB)
        rows.append((name, *count(detect(picture, detector), marked, ignored)))
    right, marks, wrong = (sum(column) for column in list(zip(*rows))[1:])
    totals = f"Recall {right / marks:.3f} ({right} of {marks}), precision {right / max(right + wrong, 1):.3f}."
    header = ("picture", "faces found", "of", "boxes that are no face")
    publish("face_boxes", "python -m benchmarks.face_boxes --data DIR", f"{table(header, rows)}\n\n{totals}")


if __name__ == "__main__":
    typer.run(main)
