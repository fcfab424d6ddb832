"""Exports the face channel that `training/face/swin.py` made: Swin-V2 on convolutions, with its own preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from export import trained_graph
from networks.face.swin import ServedFace
from triptych_client.contract import FACE_PX, STEPS


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx: FACES u8 [m, 112, 112, 3] RGB -> LOGITS f32 [m, 7], EMBEDDING f32 [m, 384]."""
    model = ServedFace.load(sources["swinv2"] / trained_graph.WEIGHTS)
    example = torch.zeros(2, FACE_PX, FACE_PX, 3, dtype=torch.uint8)
    trained_graph.save(model, example, STEPS["expression"], target / "model.onnx", ["LOGITS", "EMBEDDING"])
