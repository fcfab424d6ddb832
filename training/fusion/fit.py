"""Fits the calibration of each channel, and the regression over the channels' evidence."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold

from training.calibration import fit_scaling
from training.fusion.evidence import CONDITIONS, Bank
from training.fusion.pairs import LabelledClips, items
from triptych.answer.parameters import FEATURES, Calibration, Parameters, centred
from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
SUBSETS = tuple(part for size in range(1, 5) for part in combinations(range(len(CHANNELS)), size))
"""The 15 sets of channels that a clip can have."""
NOISE_SHARE = 0.3
"""In training each channel is in noise so often."""
DRAWS = 3
"""How often each clip is seen in training, each time with another set of channels."""
STRENGTHS = (0.003, 0.03, 0.3)
"""Inverse strengths of the L2 penalty to choose from, by log-loss across speakers."""
UNCALIBRATED = ("sound", "voice")
"""Channels whose own temperature stays. Most of what the sound channel hears in the data is speech, which speaks for
nothing: a scale for each emotion came out as -20 or 900. What suits the voice on the corpora that it was trained on
makes it surer than right on every other (expected calibration error 0.08 to 0.10, 0.26 to 0.29): its temperature is
fitted across corpora, see `training.voice.train_states`."""
PER_EMOTION = 400
"""Items of each emotion that a channel is calibrated on, with repetitions where there are fewer."""


def calibrate(bank: Bank, rows: Array, seed: int = 0) -> Calibration:
    """Fit a channel's scaling on clean items, each emotion as often as any other; see UNCALIBRATED."""
    if bank.channel in UNCALIBRATED:
        return Calibration()
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(EMOTIONS)), PER_EMOTION)
    chosen = items(bank, rows, labels, random)
    return Calibration(*fit_scaling(labels, centred(bank.logits()[chosen]), bank.groups[chosen]))


def fit(clips: LabelledClips, seed: int = 0) -> Parameters:
    """Fit the multinomial regression with channel dropout: each clip is seen with random sets of its channels."""
    random = np.random.default_rng(seed)
    rows = np.tile(np.arange(len(clips.labels)), DRAWS)
    x = mixed(clips, rows, random) * dropout(len(rows), random)[:, :, None]
    x = np.nan_to_num(x.reshape(len(rows), -1))
    rows, x = rows[x.any(axis=1)], x[x.any(axis=1)]
    search = GridSearchCV(
        LogisticRegression(max_iter=300),
        {"C": STRENGTHS},
        scoring="neg_log_loss",
        cv=list(GroupKFold(3).split(x, groups=clips.groups[rows, CHANNELS.index("voice")])),
    )
    best = search.fit(x, clips.labels[rows]).best_estimator_
    weights = best.coef_.reshape(len(EMOTIONS), len(CHANNELS), FEATURES).transpose(1, 0, 2)
    return Parameters(weights, best.intercept_ - best.intercept_.mean())


def mixed(clips: LabelledClips, rows: Array, random: np.random.Generator) -> Array:
    """Return x [rows, 4, 14] with each channel in noise now and then; sound and voice hear the same."""
    noisy = random.random((len(rows), len(CHANNELS))) < NOISE_SHARE
    noisy[:, CHANNELS.index("sound")] = noisy[:, CHANNELS.index("voice")]
    clean, noise = (clips.x[condition][rows] for condition in CONDITIONS)
    return np.where(noisy[:, :, None], noise, clean)


def dropout(count: int, random: np.random.Generator) -> Array:
    """Return masks bool [count, 4], each of the 15 sets of channels as often."""
    table = np.array([[column in part for column in range(len(CHANNELS))] for part in SUBSETS])
    return table[random.integers(len(table), size=count)]


def answers(parameters: Parameters, x: Array, subset: tuple[int, ...]) -> Array:
    """Return the logits [n, 7] that the served fusion gives for a subset of the channels of x [n, 4, 14].

    Channels that a clip does not have (NaN) are left out.
    """
    valid = np.isfinite(x).all(axis=2) & np.isin(np.arange(len(CHANNELS)), subset)
    terms = np.einsum("cef,ncf->nce", parameters.weights, np.where(valid[:, :, None], x, 0))
    count = np.maximum(valid.sum(axis=1), 1)[:, None] if parameters.pooled else 1
    return terms.sum(axis=1) / count + parameters.bias


def named(subset: tuple[int, ...]) -> str:
    """Return a subset of channels in words."""
    return " + ".join(CHANNELS[column] for column in subset)
