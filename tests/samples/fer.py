"""FER2013 in miniature: what tests train face models on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data import fer
from training.loop import Settings
from triptych_client.contract import EMOTIONS

COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
ONE_EPOCH = Settings(epochs=1, learning_rate=1e-3, warmup_epochs=0.5, precision="fp32")


def fer_arrays(count: int = 84) -> dict[str, np.ndarray]:
    """Two thirds training, one third validation; every class in both; all votes for the label."""
    random = np.random.default_rng(0)
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    labels = (np.arange(count) % 7).astype(np.uint8)
    votes = np.zeros((count, 10), np.uint8)
    votes[np.arange(count), [COLUMNS.index(EMOTIONS[label]) for label in labels]] = 10
    return {
        "images": random.integers(0, 256, (count, 48, 48), dtype=np.uint8),
        "labels": labels,
        "split": (np.arange(count) >= count * 2 // 3).astype(np.uint8),
        "ferplus_votes": votes,
        "class_names": np.array(names),
        "ferplus_columns": np.array(COLUMNS),
    }


def write(folder: Path, **changes: np.ndarray) -> Path:
    np.savez(folder / fer.FILE, **(fer_arrays() | changes))
    return folder
