"""How often channels disagree: drawn at known rates, and found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from training.fusion.disagreement import NEUTRAL, NONE, Disagreement, estimate, of_evidence
from triptych.answer.parameters import FEATURES
from triptych_client.contract import CHANNELS, EMOTIONS

COUNT = 4000


def said(labels: np.ndarray, random: np.random.Generator, strength: float = 2.0) -> np.ndarray:
    """Logits of a calibrated channel that means `labels`: Gaussian evidence of equal variance."""
    return strength * np.eye(len(EMOTIONS))[labels] * strength + strength * random.normal(
        size=(len(labels), len(EMOTIONS))
    )


@pytest.mark.parametrize(
    "rates", [Disagreement(), Disagreement(still=0.4), Disagreement(0.2, 0.3), Disagreement(other=1)]
)
def test_the_rates_are_found_again(rates: Disagreement):
    random = np.random.default_rng(0)
    labels = random.integers(len(EMOTIONS), size=COUNT)
    found = estimate(softmax(said(rates.said(labels, random), random), axis=1), labels)
    assert (found.still, found.other) == pytest.approx((rates.still, rates.other), abs=0.05)


def test_what_is_said_follows_the_rates():
    labels = np.zeros(COUNT, int)
    drawn = Disagreement(0.3, 0.2).said(labels, np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=len(EMOTIONS)) / COUNT
    assert shares[NEUTRAL] == pytest.approx(0.3 + 0.2 / 7, abs=0.03)
    assert shares[0] == pytest.approx(0.5 + 0.2 / 7, abs=0.03)
    assert (NONE["face"].said(labels, np.random.default_rng(0)) == labels).all()


def test_a_channel_that_no_clip_has_never_disagrees():
    random = np.random.default_rng(0)
    labels = random.integers(len(EMOTIONS), size=COUNT)
    x = np.full((COUNT, len(CHANNELS), FEATURES), np.nan)
    x[:, 0] = np.hstack([said(labels, random)] * 2)
    x[::2, 2] = np.hstack([said(Disagreement(still=0.5).said(labels[::2], random), random)] * 2)
    rates = of_evidence(x, labels)
    assert rates["words"] == Disagreement()
    assert rates["face"].still + rates["face"].other < 0.05
    assert rates["voice"].still == pytest.approx(0.5, abs=0.06)
