"""Vector scaling: a gain and an offset for each class, so that the softmax over them is likeliest (Guo et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

Array = np.ndarray


def fit_vector_scaling(labels: Array, logits: Array) -> tuple[Array, Array]:
    """Return scale and offset [classes] for which `softmax(scale * logits + offset)` is likeliest.

    Labels int [n], logits [n, classes].
    """
    rows, classes = np.arange(len(labels)), logits.shape[1]
    truth = np.eye(classes)[labels]

    def loss(parameters: Array) -> tuple[float, Array]:
        scale, offset = parameters.reshape(2, classes)
        probabilities = softmax(scale * logits + offset, axis=1)
        error = (probabilities - truth) / len(labels)
        value = -np.log(np.maximum(probabilities[rows, labels], 1e-12)).mean()
        return float(value), np.concatenate([(error * logits).sum(0), error.sum(0)])

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    best: Any = minimize(loss, start, jac=True, method="L-BFGS-B")
    scale, offset = best.x.reshape(2, classes)
    return scale, offset - offset.mean()
