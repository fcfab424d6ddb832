"""Sound: the classes of an Audio Spectrogram Transformer -> emotions, by the method of `export.sound_emotion`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from export import ast_tagger, sound_emotion


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx for the classes of the checkpoint in `sources["ast"]`."""
    sound_emotion.write(ast_tagger.labels(sources["ast"]), sources, target)
