"""How often answers as sure as this one were right: measured on labelled clips, and said with each answer.

`triptych evaluate --reliability NAME` writes it; laid into `weights/fusion`, it goes with the fusion's numbers wherever
`triptych export` puts them. It speaks for those numbers and those models only, and for clips on which every channel
answers, as they were measured: after an exchange, and of other clips, it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np

from triptych.errors import TriptychError
from triptych_client.contract import RELIABILITY_FIELDS

RELIABILITY_FILE = "reliability.json"
FORMAT = "triptych-reliability/1"
FEWEST_CLIPS = 20
"""Fewer clips say too little: the 95 % interval of a share of 20 is 0.4 wide. Chosen."""


@dataclass(frozen=True)
class Reliability:
    """`bins` [b, 4], rows of RELIABILITY_FIELDS, in order of certainty; `on` names the clips they were measured on."""

    bins: np.ndarray
    on: str

    @classmethod
    def nothing(cls) -> Reliability:
        """Return what is known where nothing was measured."""
        return cls(np.zeros((0, len(RELIABILITY_FIELDS))), "")

    @classmethod
    def measure(cls, certainty: np.ndarray, right: np.ndarray, on: str) -> Reliability:
        """Return the share of right answers among clips of like certainty, of n answers.

        `certainty` [n] and `right` [n] are sorted by certainty and cut into parts of equal number, at least
        FEWEST_CLIPS; a part reaches to the middle of what lies between it and the next.
        """
        order = np.argsort(certainty, kind="stable")
        parts = np.array_split(order, max(1, len(order) // FEWEST_CLIPS))
        cuts = [(certainty[left[-1]] + certainty[next_[0]]) / 2 for left, next_ in pairwise(parts)]
        bounds = zip([0.0, *cuts], [*cuts, 1.0])
        rows = [(*bound, right[part].mean(), len(part)) for bound, part in zip(bounds, parts)]
        return cls(np.array(rows, np.float64), on)

    @classmethod
    def read(cls, path: Path, fusion: Path, models: Mapping[str, str]) -> Reliability:
        """Read a file; nothing is known when there is none, or when it is of another fusion or of other `models`.

        TriptychError when it is not such a file.
        """
        if not path.is_file():
            return cls.nothing()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']}, not {FORMAT}")
            if content["fusion_sha256"] != _digest(fusion) or content["models"] != dict(models):
                return cls.nothing()
            return cls(np.array([[row[name] for name in RELIABILITY_FIELDS] for row in content["bins"]]), content["on"])
        except (ValueError, KeyError, TypeError) as error:
            raise TriptychError(f"{path} tells no reliability: {error!r}. `triptych evaluate` writes it.") from error

    def write(self, path: Path, fusion: Path, models: Mapping[str, str], command: str) -> None:
        """Write the file for a fusion's numbers and the models, by role, whose answers were measured."""
        bins = [dict(zip(RELIABILITY_FIELDS, np.round(row, 4).tolist())) for row in self.bins]
        about = {"format": FORMAT, "on": self.on, "command": command}
        content = {**about, "fusion_sha256": _digest(fusion), "models": dict(models), "bins": bins}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def of(self, certainty: float) -> np.ndarray:
        """Return the row of RELIABILITY_FIELDS that holds answers as sure as this; NaN when nothing is known."""
        found = [row for row in self.bins if row[0] <= certainty <= row[1]]
        return found[-1] if found else np.full(len(RELIABILITY_FIELDS), np.nan)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
