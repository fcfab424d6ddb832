"""Who made a checkpoint of words: `triptych train words --init`, which leaves a head beside it, or somebody else."""

from __future__ import annotations

from pathlib import Path

HEAD = "words.safetensors"
"""Beside a checkpoint that `triptych train words --init` made: head, thresholds and calibration."""


def is_ours(folder: Path) -> bool:
    """Tell whether `triptych train words --init` made the checkpoint in a folder."""
    return (folder / HEAD).is_file()
