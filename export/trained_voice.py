"""Exports the voice channel that `triptych train voice` made: a CNN over log-mel with attention pooling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from export import trained_graph
from networks.voice.spectrogram_cnn import ServedVoice
from triptych.sound.mel import VOICE_FRAMES, VOICE_N_MELS
from triptych_client.contract import STEPS


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx: FEATURES f32 [w, 64, 300] -> LOGITS f32 [w, 7]."""
    model = ServedVoice.load(sources["spectrogram-cnn"] / trained_graph.WEIGHTS)
    example = torch.zeros(2, VOICE_N_MELS, VOICE_FRAMES)
    trained_graph.save(model, example, STEPS["voice_emotion"], target / "model.onnx", ["LOGITS"])
