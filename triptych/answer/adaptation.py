"""What footage of a user's own, without labels, tells of how each channel answers there: an offset of its logits.

A model of another language, camera or person leans to some emotions whatever is expressed: a voice is heard as angry
in every clip, a mouth that speaks is seen as surprise. If it is known how often each emotion is expressed in some
footage, such a leaning shows without labels, and can be taken away: the offset is that under which the channel names
each emotion as often as it is expressed. Seven numbers a channel; they belong to the model that they were made for.
What is known of the footage holds for the answer too: where neutral is frequent, it is expected to be.

`triptych adapt` makes the file, beside the fusion's numbers in the model repository.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from triptych.answer.parameters import Calibration, centred
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS

ADAPTATION_FILE = "adaptation.json"
FORMAT = "triptych-adaptation/1"
ROLE = "adaptation"
"""The role under which answers name it among the models."""

UNTOLD_CLIPS = 2.0
"""The footage counts as if it had so many more clips of which the channel can tell nothing: few clips move little.
Chosen: on 126 clips at hand 0 to 5 do the same, 20 take back half of what is gained."""
STEPS, SETTLED = 500, 1e-6
"""Each step multiplies the odds of every emotion by how much too seldom it was named, until hardly any moves."""


def equal() -> np.ndarray:
    """Return how often each emotion is expressed where all are as often, [7]."""
    return np.full(len(EMOTIONS), 1 / len(EMOTIONS))


def with_neutral(share: float) -> np.ndarray:
    """Return how often each emotion is expressed [7] where neutral has a `share`, and the rest are equally frequent."""
    neutral = np.array([name == "neutral" for name in EMOTIONS])
    return np.where(neutral, share, (1 - share) / (len(EMOTIONS) - 1))


def fit(logits: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return the offset [7], of sum 0, under which logits [n, 7] name each emotion as often as `prior` [7] says.

    The logits are calibrated: of a world where the emotions are equally frequent. That is the maximum of the
    likelihood of a prior that is known and an offset that is not; estimating it the other way round is Saerens et al.
    2002, "Adjusting the outputs of a classifier to new a priori probabilities", whose iteration this is.
    """
    odds = np.log(prior)
    offset = np.zeros(len(prior))
    for _ in range(STEPS):
        named = softmax(logits + offset + odds, axis=1).sum(axis=0) + UNTOLD_CLIPS * softmax(offset + odds)
        step = odds - np.log(named / (len(logits) + UNTOLD_CLIPS))
        offset += step
        if np.ptp(step) < SETTLED:
            break
    return centred(offset)


@dataclass(frozen=True)
class Offset:
    """A channel's `offset` [7], of the model that is the catalogue's `entry`, from so many `clips`."""

    entry: str
    clips: int
    offset: np.ndarray


@dataclass(frozen=True)
class Adaptation:
    """Offsets by channel, and the `name` of the footage that they are from; without any, nothing is changed.

    `neutral` is the share of it that was taken to be neutral. `sha256` is that of the file, "" where there is none.
    """

    name: str = ""
    neutral: float = 1 / len(EMOTIONS)
    channels: Mapping[str, Offset] = field(default_factory=dict)
    sha256: str = ""

    @property
    def prior(self) -> np.ndarray:
        """How often each emotion is taken to be expressed, [7]."""
        return with_neutral(self.neutral) if self.channels else equal()

    @property
    def row(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return the row of MODELS that names it in each answer; none where nothing is adapted."""
        named = f"{self.name} ({', '.join(self.channels)})"
        return ((ROLE, named, self.sha256, ""),) if self.channels else ()

    def of(self, entries: Mapping[str, str]) -> Adaptation:
        """Return it without the channels whose model, the `entries` by channel, is another by now."""
        return replace(
            self, channels={name: one for name, one in self.channels.items() if entries.get(name) == one.entry}
        )

    def applied(self, channel: str, calibration: Calibration) -> Calibration:
        """Return a channel's calibration with its offset."""
        known = self.channels.get(channel)
        return calibration if known is None else replace(calibration, offset=calibration.offset + known.offset)

    def taken_back(self, channel: str, logits: np.ndarray) -> np.ndarray:
        """Return the calibrated logits [n, 7] that adapted ones of a channel are of."""
        known = self.channels.get(channel)
        return logits if known is None else logits - known.offset

    @classmethod
    def read(cls, path: Path) -> Adaptation:
        """Read a file; nothing is adapted where there is none. TriptychError when it is not such a file."""
        if not path.is_file():
            return cls()
        try:
            text = path.read_bytes()
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']}, not {FORMAT}")
            channels = {name: _offset(content["channels"][name]) for name in CHANNELS if name in content["channels"]}
            return cls(str(content["name"]), float(content["neutral"]), channels, sha256(text).hexdigest())
        except (ValueError, KeyError, TypeError) as error:
            raise TriptychError(f"{path} is no adaptation: {error!r}. `triptych adapt FOLDER` makes one.") from error

    def text(self) -> bytes:
        """Return the file's content."""
        channels = {
            name: {"entry": one.entry, "clips": one.clips, "offset": np.round(one.offset, 5).tolist()}
            for name, one in self.channels.items()
        }
        content = {"format": FORMAT, "name": self.name, "neutral": round(self.neutral, 5), "channels": channels}
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _offset(content: Mapping[str, Any]) -> Offset:
    offset = np.array(content["offset"], np.float64)
    if offset.shape != (len(EMOTIONS),) or not np.isfinite(offset).all():
        raise ValueError(f"an offset is {len(EMOTIONS)} finite numbers")
    return Offset(str(content["entry"]), int(content["clips"]), offset)
