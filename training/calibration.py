"""Calibration of logits, so that the softmax over them is likeliest (Guo et al. 2017).

Temperature scaling has one gain for all classes, vector scaling a gain and an offset for each. That needs many
independent samples: of a few speakers it learns who they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold

from training.metrics import fit_temperature

Array = np.ndarray
FOLDS = 5


def fit_vector_scaling(labels: Array, logits: Array) -> tuple[Array, Array]:
    """Return scale and offset [classes] for which `softmax(scale * logits + offset)` is likeliest.

    Labels int [n], logits [n, classes].
    """
    rows, classes = np.arange(len(labels)), logits.shape[1]
    truth = np.eye(classes)[labels]

    def loss(parameters: Array) -> tuple[float, Array]:
        scale, offset = parameters.reshape(2, classes)
        scaled = scale * logits + offset
        error = (softmax(scaled, axis=1) - truth) / len(labels)
        return -float(log_softmax(scaled, axis=1)[rows, labels].mean()), np.concatenate(
            [(error * logits).sum(0), error.sum(0)]
        )

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    best: Any = minimize(loss, start, jac=True, method="L-BFGS-B")
    scale, offset = best.x.reshape(2, classes)
    return scale, offset - offset.mean()


def fit_temperature_scaling(labels: Array, logits: Array) -> tuple[Array, Array]:
    """Return the same, with one gain for all classes and no offsets."""
    classes = logits.shape[1]
    return np.full(classes, 1 / fit_temperature(labels, logits)), np.zeros(classes)


def fit_scaling(labels: Array, logits: Array, groups: Array) -> tuple[Array, Array]:
    """Return the same, by vector or temperature scaling: what makes groups [n] that it was not fitted on likelier."""
    folds = list(GroupKFold(FOLDS).split(logits, groups=groups))

    def held_out_loss(fit: Callable[[Array, Array], tuple[Array, Array]]) -> float:
        return float(
            np.mean([_loss(fit(labels[kept], logits[kept]), labels[held], logits[held]) for kept, held in folds])
        )

    return min((fit_temperature_scaling, fit_vector_scaling), key=held_out_loss)(labels, logits)


def _loss(scaling: tuple[Array, Array], labels: Array, logits: Array) -> float:
    scale, offset = scaling
    return float(-log_softmax(scale * logits + offset, axis=1)[np.arange(len(labels)), labels].mean())
