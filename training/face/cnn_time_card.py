"""The numbers of the CNN with time's model card: what it gains over the CNN alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import bootstrap

from networks.face.cnn_time import CnnTime
from training.card import Card
from training.data.fer import LabelledFaces
from training.face.teacher import predict
from training.face.tracks import Tracks, answer, extract_features
from training.metrics import RESAMPLES, Scores, expected_calibration_error, fit_temperature, score

CONDITIONS = {"undisturbed": 0.0, "disturbed": 1.0}
SEQUENCES = 600
"""Validation sequences of each condition."""
SEED = 10
"""Other sequences than those that chose the epoch."""


@torch.inference_mode()
def measure(model: CnnTime, validation: LabelledFaces, device: str) -> tuple[Card, Scores, Scores]:
    """Return the card, whose values hold the temperature, and the scores on single pictures, calibrated and not."""
    labels = validation.labels.numpy()
    logits = predict(model.cnn, validation.images).numpy()
    tracks = {
        name: extract_features(model.cnn, validation, SEQUENCES, share, SEED) for name, share in CONDITIONS.items()
    }
    temperature = fit_temperature(labels, logits)
    values = {
        "temperature": temperature,
        "gains": [row for name, part in tracks.items() for row in _gains(name, model, part)],
        "errors": [_errors(name, model, part, temperature) for name, part in tracks.items()],
    }
    command = "triptych train face --model cnn-time --data DIR --out DIR"
    card = Card("face/cnn_time.md", command, sum(p.numel() for p in model.parameters()), device, values)
    return card, score(labels, logits / temperature), score(labels, logits)


def _gains(name: str, model: CnnTime, tracks: Tracks) -> Iterator[tuple[str, ...]]:
    """Yield rows of a table: accuracy on sequences, frame by frame and in the track, and the gain with its interval."""
    labels = tracks.targets.argmax(2)
    alone, timed = model.cnn.head(tracks.features), answer(model, tracks)
    changing = labels[:, 0] != labels[:, -1]
    parts = {
        "all frames": (labels, alone, timed),
        "frames, the expression changing": (labels[changing], alone[changing], timed[changing]),
        "sequences of one expression, by the mean of the logits": (
            labels[~changing, :1],
            alone[~changing].mean(1, keepdim=True),
            timed[~changing].mean(1, keepdim=True),
        ),
    }
    for part, (truth, *answers) in parts.items():
        before, after = ((logits.argmax(2) == truth).double().mean(1).numpy() for logits in answers)
        interval = bootstrap((after - before,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=0)
        low, high = interval.confidence_interval
        gain = f"{(after - before).mean():+.3f} ({low:+.3f} to {high:+.3f})"
        yield name, f"{len(truth)} {part}", f"{before.mean():.3f}", f"{after.mean():.3f}", gain


def _errors(name: str, model: CnnTime, tracks: Tracks, temperature: float) -> str:
    """Return what the temperature does to the calibration error of the frames of sequences."""
    labels, logits = tracks.targets.argmax(2).flatten().numpy(), answer(model, tracks).flatten(0, 1).numpy()
    before, after = (expected_calibration_error(labels, softmax(x, axis=1)) for x in (logits, logits / temperature))
    return f"from {before:.3f} to {after:.3f} on frames of {name} sequences"
