"""Valence and arousal, derived from the probabilities of the seven emotions. Nothing here was trained or measured.

Each emotion stands for the mean rating of its term, and an answer for the mean of those, weighted by probability: the
expected rating. That is a mapping between two descriptions, not a second reading of the clip: it knows nothing that the
probabilities do not say, and what the seven words cannot tell apart (calm from neutral, say) it cannot either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

SOURCE = "russell-mehrabian-1977"
"""What the numbers are derived by."""

TERMS: Mapping[str, tuple[float, float]] = {
    "anger": (-0.51, 0.59),
    "disgust": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happiness": (0.81, 0.51),
    "sadness": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
    "neutral": (0.0, 0.0),
}
"""Mean pleasure and arousal of the terms angry (82), disgusted (75), fearful (101), happy (31), sad (151) and surprised
(52), on scales from -1 to 1: Russell, J. A. and Mehrabian, A. (1977), "Evidence for a three-factor theory of emotions",
Journal of Research in Personality 11(3), 273-294, table 1 (the numbers are its rows). The table has no neutral: that is
the middle of both scales. English-speaking raters imagined the states; dominance, its third factor, is left out."""

Rating = Annotated[float, Meta(ge=-1, le=1)]


@dataclass(frozen=True)
class Dimensions:
    """How pleasant (`valence`) and how roused (`arousal`) the expression is, from -1 to 1.

    Derived from the probabilities by the mapping that `derived_by` names, not read from the clip.
    """

    valence: Rating
    arousal: Rating
    derived_by: Annotated[str, Meta(extra_json_schema={"const": SOURCE})] = SOURCE


def derived(probabilities: Mapping[str, float] | None) -> Dimensions | None:
    """Return valence and arousal of probabilities by emotion; None without evidence."""
    if probabilities is None:
        return None
    total = sum(probabilities.values()) or 1.0  # shares of float32 add up to 1 but for a hair
    valence, arousal = (
        sum(share * TERMS[emotion][axis] for emotion, share in probabilities.items()) / total for axis in (0, 1)
    )
    return Dimensions(round(valence, 4), round(arousal, 4))
