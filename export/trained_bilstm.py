"""Exports the words channel's BiLSTM with attention, which `triptych train words` made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export import trained_graph
from networks.words import comparison
from networks.words.bilstm import ServedBilstm
from triptych_client.contract import STEPS


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx: what the step gives, and ATTENTION f32 [u, length] for `triptych.words.attention`."""
    model = ServedBilstm.load(sources["bilstm"] / trained_graph.WEIGHTS)
    step = STEPS["text_emotion"]
    names = [tensor.name for tensor in (*step.outputs, *step.optional)]
    comparison.save_graph(model, target / "model.onnx", names)
