"""Exports the face channel that `training/face/tracks.py` made: a CNN with temporal convolutions over the track."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from export import trained_graph
from networks.face.cnn_time import ServedCnnTime
from triptych_client.contract import FACE_PX, STEPS


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx: FACES u8 [m, 112, 112, 3], TRACK_POSITIONS i64 [m, 2] -> LOGITS [m, 7], EMBEDDING [m, 192]."""
    model = ServedCnnTime.load(sources["cnn-time"] / trained_graph.WEIGHTS)
    faces = torch.zeros(3, FACE_PX, FACE_PX, 3, dtype=torch.uint8)
    positions = torch.tensor([[0, 0], [0, 500], [1, 0]])
    trained_graph.save(model, (faces, positions), STEPS["expression"], target / "model.onnx", ["LOGITS", "EMBEDDING"])
