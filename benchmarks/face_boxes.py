"""How many hand-marked faces does the face detector find, and how many boxes are no face?

`python -m benchmarks.face_boxes --data DIR`, where DIR holds boxes.csv (file, left, top, width, height, ignore) and
images/. A box is right when its intersection over union with an unclaimed hand-made one is at least 0.5.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from triptych.boxes import iou
from triptych.server import MODEL_REPOSITORY
from triptych.video import MAX_SIDE_PX

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
    boxes, scores, _ = detector.run(None, {"FRAMES": small[None]})
    return boxes[0][scores[0] > 0] / scale


def count(found: np.ndarray, marked: np.ndarray, ignored: np.ndarray) -> tuple[int, int, int]:
    """Return how many marks were found, how many are to be found, and how many boxes are wrong."""
    overlaps, claimed, wrong = iou(found, marked), np.zeros(len(marked), bool), 0
    for row in overlaps:
        free = np.where(claimed, 0, row)
        if free.max(initial=0) >= RIGHT_IOU:
            claimed[free.argmax()] = True
        else:
            wrong += 1
    return int((claimed & ~ignored).sum()), int((~ignored).sum()), wrong


def main() -> None:
    """Print a line for each picture and the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    totals = np.zeros(3, dtype=int)
    for name, (marked, ignored) in read_marks(folder / "boxes.csv").items():
        picture = cv2.cvtColor(cv2.imread(str(folder / "images" / name)), cv2.COLOR_BGR2RGB)
        counts = count(detect(picture, detector), marked, ignored)
        print(f"{name}: {counts[0]} of {counts[1]} faces found, {counts[2]} boxes that are none")
        totals += counts
    right, marks, wrong = totals
    print(f"recall {right / marks:.3f} ({right} of {marks}), precision {right / max(right + wrong, 1):.3f}")


if __name__ == "__main__":
    main()
