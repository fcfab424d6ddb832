"""The numbers of the fusion and of each channel's calibration, as small versioned JSON files.

`fusion.json` holds the regression; a calibration belongs to the model in a channel's slot, so that swapping the model
swaps that file and nothing else. `triptych train fusion` makes both as `weights/fusion/fusion.json` and
`weights/<catalogue entry>/calibration.json`; `triptych export` copies them into the version folder of the fusion step,
as `fusion.json` and `calibration/<channel>.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS

FUSION_FILE = "fusion.json"
CALIBRATION_FILE = "calibration.json"
CALIBRATION_FOLDER = "calibration"
FUSION_FORMAT = "triptych-fusion/1"
CALIBRATION_FORMAT = "triptych-calibration/1"

FEATURES = 2 * len(EMOTIONS)
"""Length of a channel's x: its logits, and its logits times their reliability."""

ABSTAIN_BELOW = 2 / len(EMOTIONS)
"""No emotion is named when the best is less than twice as probable as by chance. Chosen, not fitted."""

CONFLICT_ABOVE = 0.15
"""Channels conflict when their Jensen-Shannon divergence, in nats, is larger. Two sure and different channels have
ln 2 = 0.69; 0.15 is about that of two channels that give each other's favourite a fifth of their own. Chosen."""


@dataclass(frozen=True)
class Calibration:
    """A channel's calibration: `scale` [7] times its centred logits, plus `offset` [7].

    That is vector scaling (Guo et al. 2017). Calibrated logits are those of a world where the seven emotions are
    equally frequent.
    """

    scale: np.ndarray = field(default_factory=lambda: np.ones(len(EMOTIONS)))
    offset: np.ndarray = field(default_factory=lambda: np.zeros(len(EMOTIONS)))

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Return calibrated logits [.., 7], of sum 0, of a model's logits [.., 7]."""
        return centred(self.scale * centred(logits) + self.offset)

    @classmethod
    def read(cls, path: Path, entry: str = "") -> Calibration:
        """Read a file. TriptychError: there is none, it is not such a file, or it was made for another `entry`."""
        content = _read(path, CALIBRATION_FORMAT)
        if entry and content.get("entry") != entry:
            raise TriptychError(f"{path} calibrates {content.get('entry')}, not {entry}: run `triptych export` again")
        return cls(*(_array(path, content, name, (len(EMOTIONS),)) for name in ("scale", "offset")))

    @staticmethod
    def fitted_on(path: Path) -> str:
        """Return which weights of its entry a file calibrates; TriptychError when it is not such a file."""
        return str(_read(path, CALIBRATION_FORMAT).get("weights", ""))

    def write(self, path: Path, entry: str, weights: str, facts: Mapping[str, object]) -> None:
        """Write the file of a catalogue entry and the `weights` that it was fitted on; `facts` say how."""
        values = {name: _rounded(value) for name, value in asdict(self).items()}
        _write(path, {"format": CALIBRATION_FORMAT, "entry": entry, "weights": weights, **facts, **values})


@dataclass(frozen=True)
class Parameters:
    """The regression: `weights` [4, 7, 14] = W_c of each channel, `bias` [7] = b.

    `pooled`: contributions are divided by the number of channels that are there.
    """

    weights: np.ndarray
    bias: np.ndarray
    pooled: bool = False
    abstain_below: float = ABSTAIN_BELOW
    conflict_above: float = CONFLICT_ABOVE

    @classmethod
    def opinion_pool(cls) -> Parameters:
        """Return what a regression is compared with: the mean of the channels' logits.

        That is the logarithmic opinion pool with equal weights (Genest and Zidek 1986, "Combining probability
        distributions", Statistical Science); reliability counts within a channel only.
        """
        one = np.hstack([np.eye(len(EMOTIONS)), np.zeros((len(EMOTIONS), len(EMOTIONS)))])
        return cls(np.stack([one] * len(CHANNELS)), np.zeros(len(EMOTIONS)), pooled=True)

    def expecting(self, prior: np.ndarray) -> Parameters:
        """Return them for a world where emotions are as frequent as `prior` [7] says, instead of equally."""
        return replace(self, bias=self.bias + centred(np.log(prior)))

    @classmethod
    def read(cls, path: Path) -> Parameters:
        """Read a file. TriptychError when there is none, or it is not such a file."""
        content = _read(path, FUSION_FORMAT)
        weights = [_array(path, content.get("weights", {}), c, (len(EMOTIONS), FEATURES)) for c in CHANNELS]
        return cls(
            np.stack(weights),
            _array(path, content, "bias", (len(EMOTIONS),)),
            abstain_below=float(content["abstain_below"]),
            conflict_above=float(content["conflict_above"]),
        )

    def write(self, path: Path, facts: Mapping[str, object]) -> None:
        """Write a trained regression; `facts` say how it was made."""
        weights = {channel: _rounded(matrix) for channel, matrix in zip(CHANNELS, self.weights)}
        thresholds = {"abstain_below": self.abstain_below, "conflict_above": self.conflict_above}
        _write(path, {"format": FUSION_FORMAT, **thresholds, **facts, "bias": _rounded(self.bias), "weights": weights})


def centred(logits: np.ndarray) -> np.ndarray:
    """Return logits [.., 7] shifted to sum 0: softmax sees no difference."""
    return logits - logits.mean(axis=-1, keepdims=True)


def _read(path: Path, wanted: str) -> dict[str, Any]:
    if not path.is_file():
        raise TriptychError(f"{path} is missing: `triptych export` writes it into the model repository")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TriptychError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != wanted:
        raise TriptychError(f"{path} is not of the format {wanted}: make it anew with `triptych train fusion`")
    return content


def _array(path: Path, content: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.array(content[name], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise TriptychError(f"{path} has no numbers {name}: make it anew with `triptych train fusion`") from error
    if array.shape != shape or not np.isfinite(array).all():
        raise TriptychError(
            f"{name} in {path} is not {shape} finite numbers: make it anew with `triptych train fusion`"
        )
    return array


def _rounded(array: np.ndarray) -> list[float]:
    return np.round(array, 5).tolist()


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON with one innermost row a line, so that a change can be read in a diff."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
