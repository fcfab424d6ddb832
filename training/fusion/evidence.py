"""What each channel's model says of labelled items, in the little that fusion needs of it; computed once, kept.

Fusion sees of an item (`Evidence.features`) the weighted mean of its rows' logits, and the same with each row times its
reliability. Calibration is linear, so it can be fitted and applied after those means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from triptych.answer.evidence import Evidence
from triptych.answer.parameters import Calibration, centred
from triptych.errors import TriptychError
from triptych.files import write_atomically
from triptych_client.contract import EMOTIONS

Array = np.ndarray
CONDITIONS = ("clean", "noise")


@dataclass(frozen=True)
class Bank:
    """A channel's items: moments f64 [n, 15] and weights [n] by condition, labels [n] and groups [n] (who, or which).

    Items of one group are never on both sides of a split.
    """

    channel: str
    moments: dict[str, Array]
    weights: dict[str, Array]
    labels: Array
    groups: Array

    def features(self, calibration: Calibration, condition: str) -> Array:
        """Return x [n, 14] of each item, its logits calibrated."""
        return features(self.moments[condition], calibration)

    def logits(self, condition: str = "clean") -> Array:
        """Return the uncalibrated logits [n, 7] of each item."""
        return self.moments[condition][:, : len(EMOTIONS)]


def features(moments: Array, calibration: Calibration) -> Array:
    """Return x [n, 14] from moments [n, 15]: calibration is linear in the logits, so it goes through means."""
    plain, sure, reliability = np.split(moments, [len(EMOTIONS), 2 * len(EMOTIONS)], axis=1)
    first = centred(calibration.scale * plain + calibration.offset)
    return np.hstack([first, centred(calibration.scale * sure + reliability * calibration.offset)])


def moments(part: Evidence) -> Array:
    """Return the moments [15] of uncalibrated evidence."""
    shares = part.weights / part.weights.sum()
    return np.concatenate([part.features().sum(axis=0), [shares @ part.reliability]])


def bank(channel: str, rows: dict[str, list[Evidence]], labels: Array, groups: Array) -> Bank:
    """Return the items of a channel from their uncalibrated evidence in each condition."""
    means = {name: np.array([moments(part) for part in parts]) for name, parts in rows.items()}
    totals = {name: np.array([part.weights.sum() for part in parts]) for name, parts in rows.items()}
    return Bank(channel, means, totals, labels, groups)


def cached(path: Path, channel: str, make: Callable[[], Bank]) -> Bank:
    """Read a bank from a file; made and written first where there is none. TriptychError when it is damaged."""
    if not path.is_file():
        made = make()
        arrays = {f"moments_{name}": made.moments[name] for name in CONDITIONS}
        arrays |= {f"weights_{name}": made.weights[name] for name in CONDITIONS}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda partial: _save(partial, labels=made.labels, groups=made.groups, **arrays))
    try:
        with np.load(path, allow_pickle=False) as file:
            means, totals = ({name: file[f"{kind}_{name}"] for name in CONDITIONS} for kind in ("moments", "weights"))
            return Bank(channel, means, totals, file["labels"], file["groups"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise TriptychError(f"{path} is damaged: {error}. Delete it, then run the same command.") from error


def _save(path: Path, **arrays: Array) -> None:
    with path.open("wb") as file:  # numpy would give a path another suffix
        np.savez_compressed(file, **arrays)
