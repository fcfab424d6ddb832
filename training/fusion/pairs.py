"""Clips put together by label: a face, a recording, a text and a sound, most of which express the same emotion.

No corpus at hand has all four channels labelled. So a pair of channels is as independent, given the emotion, as can be:
errors that channels of a real clip share (a person hard to read, a mixed feeling) cannot show here. How often a channel
says another emotion than the clip's is given: `disagreement` estimates it on real clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from training.fusion.disagreement import NONE, Rates
from training.fusion.evidence import CONDITIONS, Bank, features
from triptych.answer.parameters import Calibration
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
TEST_SHARE = 0.5
EVENT_SHARE = 0.25
"""In so many clips a sound beside the voice is heard: one that expresses the emotion if there is such, else any other.
An assumption: how often people laugh when happy is not known from these data."""


@dataclass(frozen=True)
class LabelledClips:
    """n clips: x [n, 4, 14] by condition (NaN: the channel is not there), labels [n], and groups [n, 4].

    A group names what the channel's evidence was drawn from: who speaks, which face, which text.
    """

    x: dict[str, Array]
    labels: Array
    groups: Array

    def choose(self, rows: Array) -> LabelledClips:
        """Return some of the clips."""
        return LabelledClips({name: x[rows] for name, x in self.x.items()}, self.labels[rows], self.groups[rows])


def split(banks: Mapping[str, Bank], seed: int = 0) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the rows of each bank to fit on and to test on: speakers, faces, texts and sounds on one side only."""
    fit, test = {}, {}
    for name, bank in banks.items():
        if name == "sound":  # the same recordings as the voice's
            continue
        splitter = GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed)
        ((fit[name], test[name]),) = splitter.split(bank.labels, bank.labels, bank.groups)
    return {**fit, "sound": fit["voice"]}, {**test, "sound": test["voice"]}


def draw(
    banks: Mapping[str, Bank], rows: Mapping[str, Array], calibrations: Mapping[str, Calibration],
    per_emotion: int, seed: int, rates: Rates = NONE,
) -> LabelledClips:  # fmt: skip
    """Draw as many clips of each emotion, so that the emotions are equally frequent; items may occur again.

    The same clips are there in each condition. TriptychError when a channel has no item of an emotion.
    """
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(EMOTIONS)), per_emotion)
    chosen = {
        name: items(banks[name], rows[name], rates[name].said(labels, random), random)
        for name in ("face", "voice", "words")
    }
    chosen["sound"] = chosen["voice"]
    event = _events(banks["event"], rows["event"], labels, random)
    x = {name: np.zeros((len(labels), len(CHANNELS), 2 * len(EMOTIONS))) for name in CONDITIONS}
    for condition in CONDITIONS:
        for column, channel in enumerate(CHANNELS):
            moments = banks[channel].moments[condition][chosen[channel]]
            if channel == "sound":
                moments = _with_events(banks, condition, chosen["sound"], event)
            x[condition][:, column] = features(moments, calibrations[channel])
    groups = np.stack([banks[channel].groups[chosen[channel]].astype(str) for channel in CHANNELS], axis=1)
    return LabelledClips(x, labels, groups)


def items(bank: Bank, rows: Array, labels: Array, random: np.random.Generator) -> Array:
    """Return an item, of those in `rows`, for each label [n]; TriptychError when there is none of an emotion."""
    chosen = np.zeros(len(labels), np.intp)
    for emotion in np.unique(labels):
        fitting = rows[bank.labels[rows] == emotion]
        if not len(fitting):
            raise TriptychError(f"the {bank.channel} channel has no item of {EMOTIONS[emotion]} among the data")
        where = labels == emotion
        chosen[where] = fitting[random.integers(len(fitting), size=where.sum())]
    return chosen


def _events(bank: Bank, rows: Array, labels: Array, random: np.random.Generator) -> Array:
    """Return the sound that is heard beside the voice, -1 for none."""
    chosen = np.full(len(labels), -1)
    for emotion in np.unique(labels):
        own = rows[bank.labels[rows] == emotion]
        fitting = own if len(own) else rows[bank.labels[rows] == -1]
        where = np.flatnonzero((labels == emotion) & (random.random(len(labels)) < EVENT_SHARE))
        if len(fitting):
            chosen[where] = fitting[random.integers(len(fitting), size=len(where))]
    return chosen


def _with_events(banks: Mapping[str, Bank], condition: str, recordings: Array, event: Array) -> Array:
    """Return the moments of the sound channel: the recording and the sound beside it, by their length."""
    sound, other = banks["sound"], banks["event"]
    first, second = sound.weights[condition][recordings], other.weights[condition][event] * (event >= 0)
    share = (second / (first + second))[:, None]
    return (1 - share) * sound.moments[condition][recordings] + share * other.moments[condition][event]
