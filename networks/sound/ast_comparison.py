"""Sound: the classes of an Audio Spectrogram Transformer -> emotions, by the method of `networks.sound.comparison`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from networks.sound import ast, comparison


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx for the classes of the checkpoint in `sources["ast"]`."""
    comparison.write(ast.labels(sources["ast"]), sources, target)
