"""The words of the CNN with time's model card, and what it gains over the CNN alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import bootstrap

from networks.face.cnn_time import CnnTime
from training.card import Card
from training.data.fer import Faces
from training.face.teacher import predict
from training.face.tracks import Tracks, answer, watch
from training.metrics import RESAMPLES, Scores, expected_calibration_error, fit_temperature, score

CONDITIONS = {"undisturbed": 0.0, "disturbed": 1.0}
SEQUENCES = 600
"""Validation sequences of each condition."""
SEED = 10
"""Other sequences than those that chose the epoch."""

CARD = Card(
    title="Face: CNN with time",
    summary=(
        "The expression of a face, over anger, disgust, fear, happiness, sadness, surprise and neutral, seen in the "
        "track of the same person's faces up to 2.5 s before and after. A residual CNN looks at each frame (the "
        "teacher of this project's Swin-V2, kept as it is); two temporal convolutions with continuous kernels (Romero "
        "et al. 2022), normalised by a learnt certainty of each face (Knutsson and Westin 1993), relate its features; "
        "the CNN's last layer answers. A face alone in its track is answered as the CNN answers. Neither the order of "
        "the faces nor other tracks in the same batch change an answer.\n\n"
        "As served the graph takes aligned faces u8 [m, 112, 112, 3] RGB and, for each, the key of its track and its "
        "time in ms, i64 [m, 2]. It converts to grey, shrinks to 48 x 48 with antialiasing, and brings each picture to "
        "zero mean and unit variance."
    ),
    data=(
        "FER2013 faces, 48 x 48 grey, with FER+ votes (single votes dropped), as for the teacher. The temporal layers "
        "learn from **synthetic sequences of stills**, of 8 frames 0.1 to 0.7 s apart: one picture that moves (40 %), "
        "two pictures of a class (20 %), or a neutral and another one (40 %), blended into each other; all drift in "
        "turn, size, place and light and shake a little; 60 % are disturbed: some frames blurred, covered or noisy. "
        "No video was used: nothing in these faces moves on its own, and where two pictures meet they are of two "
        "people."
    ),
    terms=(
        "Terms: FER2013 is the data of a challenge, its pictures gathered from the web, terms unknown: **these weights "
        "are for research only**. FER+ votes: MIT."
    ),
    splits=(
        "Training: the challenge's training split without pictures that are pixel-identical to one of the validation "
        "split. Validation: its public test split (3,579 pictures), which also chose the teacher's epoch and, as 400 "
        "other sequences of its pictures, that of the temporal layers. Results in the first two tables are on single "
        "pictures, against FER2013's own labels, so they are those of the CNN."
    ),
    limits=(
        "Sequences of stills are not video: real expressions move, and a face differs less from frame to frame than "
        "two people do. The gain on real video was not measured, for want of labelled video. People agree with "
        "FER2013's labels in about 65 % of the pictures: what is learnt is the expression that others would name, not "
        "what someone feels. Posed and exaggerated web pictures in grey, mostly frontal; ages and ethnicities are not "
        "balanced and were not measured. Not for emotion inference at work or in education."
    ),
    command="triptych train face --model cnn-time --data DIR --out DIR",
    parameters=0,
    temperature=1.0,
)


@torch.inference_mode()
def measure(model: CnnTime, validation: Faces) -> tuple[Card, Scores, Scores]:
    """Return the card with the temperature, and the scores on single pictures, calibrated and not."""
    labels = validation.labels.numpy()
    logits = predict(model.cnn, validation.images).numpy()
    seen = {name: watch(model.cnn, validation, SEQUENCES, share, SEED) for name, share in CONDITIONS.items()}
    temperature = fit_temperature(labels, logits)
    card = replace(
        CARD,
        parameters=sum(p.numel() for p in model.parameters()),
        temperature=temperature,
        note=_gains(model, seen),
        calibration=_calibration(model, seen, temperature),
    )
    return card, score(labels, logits / temperature), score(labels, logits)


def _gains(model: CnnTime, seen: dict[str, Tracks]) -> str:
    """Return a table of accuracy on sequences, frame by frame and in the track."""
    head = (
        "Accuracy on synthetic sequences of validation pictures, frame by frame (the CNN alone) and in the track; a "
        "frame's label is the class that prevails in it; intervals resample sequences.\n\n"
        "| sequences | of | CNN alone | with time | gain (95 % bootstrap interval) |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(row for name, tracks in seen.items() for row in _rows(name, model, tracks))


def _rows(name: str, model: CnnTime, tracks: Tracks) -> Iterator[str]:
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
        yield f"| {name} | {len(truth)} {part} | {before.mean():.3f} | {after.mean():.3f} | {gain} |"


def _calibration(model: CnnTime, seen: dict[str, Tracks], temperature: float) -> str:
    """Return how the temperature was fitted, and what it does to the frames of sequences."""
    errors = []
    for name, tracks in seen.items():
        labels, logits = tracks.targets.argmax(2).flatten().numpy(), answer(model, tracks).flatten(0, 1).numpy()
        before, after = (expected_calibration_error(labels, softmax(x, axis=1)) for x in (logits, logits / temperature))
        errors.append(f"from {before:.3f} to {after:.3f} on frames of {name} sequences")
    return f"temperature {temperature:.3f}, fitted on the single pictures (it takes the error {' and '.join(errors)})"
