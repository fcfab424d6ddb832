"""How many hand-marked faces does the face detector find, how many boxes are no face, and how sure is it of either?

python -m benchmarks.face_boxes --data DIR [--clips DIR]

The first DIR holds boxes.csv (file, left, top, width, height, ignore) and images/. A box is right when its
intersection over union with an unclaimed hand-made one is at least 0.5; boxes on marks to be ignored count neither way.
Of the people in the clips of the second DIR it says how sure the detector is of them at best.
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

from benchmarks.evidence import films
from benchmarks.measure import publish, table
from triptych.errors import ClipError
from triptych.face.boxes import iou
from triptych.media.pictures import MAX_SIDE_PX
from triptych.paths import MODEL_REPOSITORY

RIGHT_IOU = 0.5
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def read_marks(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return for each picture its boxes [k, 4] and which of them are to be ignored [k]."""
    rows = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
            rows[row["file"]].append((left, top, left + width, top + height, row["ignore"] == "1"))
    return {name: (np.array(marks)[:, :4], np.array(marks)[:, 4] > 0) for name, marks in rows.items()}


def detect(picture: np.ndarray, detector: ort.InferenceSession) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [k, 4] found in a picture, best first, and scores [k], after scaling it as `video_decode` does."""
    scale = min(1.0, MAX_SIDE_PX / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, scores, _ = map(np.asarray, detector.run(None, {"FRAMES": small[None]}))
    found = scores[0] > 0
    return boxes[0][found] / scale, scores[0][found]


def right(found: np.ndarray, marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which boxes found are on marks of their own, and which marks are found: BOOL [k] and [marks]."""
    claimed, is_right = np.zeros(len(marked), bool), np.zeros(len(found), bool)
    for box, row in enumerate(iou(found, marked)):
        free = np.where(claimed, 0, row)
        if free.max(initial=0) >= RIGHT_IOU:
            claimed[free.argmax()] = is_right[box] = True
    return is_right, claimed


def curve(scores: np.ndarray, is_right: np.ndarray, marks: int) -> str:
    """Return a table of recall and wrong boxes by threshold, from every box's score and whether it is a face."""
    rows = [
        (
            f"{limit:.2f}",
            f"{(is_right & (scores >= limit)).sum() / marks:.3f}",
            int((~is_right & (scores >= limit)).sum()),
        )
        for limit in THRESHOLDS
    ]
    return table(("threshold", "recall", "boxes that are no face"), rows)


def in_clips(folder: Path) -> str:
    """Return a table of the clips in which boxes are found: how sure the detector is of people, and of nobodies."""
    rows = []
    for path in sorted(folder.rglob("*")):
        try:
            seen = films.see(path.read_bytes()) if path.is_file() else None
        except ClipError:
            continue
        if seen and len(seen.scores):
            faces = seen.faces
            best = [faces.scores[faces.tracks == track].max() for track in range(seen.people)]
            nobody = seen.scores[~np.isin(seen.scores, faces.scores)]
            sure = [f"{min(scores):.2f}" if len(scores) else "" for scores in (best, faces.scores[: faces.count[0]])]
            rows.append((path.name, seen.people, *sure, f"{nobody.max():.2f}" if len(nobody) else ""))
    header = ("clip", "people", "least sure of, at best", "least sure face", "surest box left out")
    return table(header, rows)


def main(data: Annotated[Path, typer.Option()], clips: Annotated[Path | None, typer.Option()] = None) -> None:
    """Print and write a line for each picture, the totals, the curve and, with --clips, the people of clips."""
    detector = ort.InferenceSession(MODEL_REPOSITORY / "face_detector" / "1" / "model.onnx")
    rows, all_scores, all_right = [], [], []
    for name, (marked, ignored) in read_marks(data / "boxes.csv").items():
        picture = cv2.cvtColor(cv2.imread(str(data / "images" / name)), cv2.COLOR_BGR2RGB)
        boxes, scores = detect(picture, detector)
        is_right, claimed = right(boxes, marked)
        rows.append((name, int((claimed & ~ignored).sum()), int((~ignored).sum()), int((~is_right).sum())))
        all_scores.append(scores)
        all_right.append(is_right)
    found, marks, wrong = (sum(column) for column in list(zip(*rows))[1:])
    totals = f"Recall {found / marks:.3f} ({found} of {marks}), precision {found / max(found + wrong, 1):.3f}."
    header = ("picture", "faces found", "of", "boxes that are no face")
    parts = [table(header, rows), totals, curve(np.concatenate(all_scores), np.concatenate(all_right), marks)]
    if clips:
        parts.append(in_clips(clips))
    publish("face_boxes", "python -m benchmarks.face_boxes --data DIR --clips DIR", "\n\n".join(parts))


if __name__ == "__main__":
    typer.run(main)
