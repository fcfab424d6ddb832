"""What the model repository holds, as `triptych export` states it to the fusion step for each answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triptych.answer.adaptation import ADAPTATION_FILE, Adaptation
from triptych.answer.evidence import NO_MODEL, UNCALIBRATED, ChannelInput
from triptych.answer.parameters import CALIBRATION_FOLDER, FUSION_FILE, Calibration, Parameters
from triptych.answer.reliability import RELIABILITY_FILE, Reliability
from triptych.answer.status import OK, Status
from triptych.errors import TriptychError
from triptych.generations import whole
from triptych_client.contract import CHANNELS

MODELS_FILE = "models.json"
LABELS_FILE = "labels.txt"


@dataclass(frozen=True)
class Manifest:
    """What the repository holds: rows of MODELS, channels without a model, the tagger's class names, and numbers.

    `languages` are those that the words model knows, any when empty. `calibrations` are by channel; the model of a
    channel without one is not calibrated, and the channel's status says so. `adaptation` is to a user's own footage.
    `reliability` is of these numbers and models, unadapted.
    """

    models: tuple[tuple[str, str, str, str], ...]
    vacant: frozenset[str]
    labels: tuple[str, ...]
    parameters: Parameters
    languages: frozenset[str] = frozenset()
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    adaptation: Adaptation = field(default_factory=Adaptation)
    reliability: Reliability = field(default_factory=Reliability.nothing)

    @classmethod
    @whole
    def read(cls, folder: Path) -> Manifest:
        """Read what `triptych export` wrote into the version folder of the fusion step.

        TriptychError when a file is missing that belongs there, or is not what it should be.
        """
        try:
            lines = json.loads((folder / MODELS_FILE).read_text(encoding="utf-8"))
            labels = tuple((folder / LABELS_FILE).read_text(encoding="utf-8").splitlines())
            return cls._of(folder, lines, labels)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TriptychError(
                f"the manifest in {folder} is not whole ({type(error).__name__}: {error}): run `triptych export`"
            ) from error

    @classmethod
    def _of(cls, folder: Path, lines: list[dict[str, Any]], labels: tuple[str, ...]) -> Manifest:
        served = [line for line in lines if line["role"] and not line["vacant"]]
        in_slot = {line["role"]: line for line in served}
        named = {role: line["name"] for role, line in in_slot.items()}
        adaptation = Adaptation.read(folder / ADAPTATION_FILE).of(named)
        models = tuple((line["role"], line["name"], line["sha256"], line["licence"]) for line in served)
        known = Reliability.read(folder / RELIABILITY_FILE, folder / FUSION_FILE, named)
        return cls(
            models=models + adaptation.row,
            vacant=frozenset(line["role"] for line in lines if line["vacant"]),
            labels=labels,
            parameters=Parameters.read(folder / FUSION_FILE).expecting(adaptation.prior),
            languages=frozenset(in_slot.get("words", {}).get("languages", ())),
            calibrations={
                role: Calibration.read(folder / CALIBRATION_FOLDER / f"{role}.json", line["name"])
                for role, line in in_slot.items()
                if role in CHANNELS and line["calibrated"]
            },
            adaptation=adaptation,
            reliability=Reliability.nothing() if adaptation.channels else known,
        )

    def channel(self, name: str, stream: Status) -> ChannelInput:
        """Return what a channel's evidence is made with, from the status of the stream that it reads."""
        if name in self.vacant:
            return ChannelInput(name, NO_MODEL)
        status = UNCALIBRATED if stream == OK and name not in self.calibrations else stream
        calibration = self.calibrations.get(name, Calibration())
        return ChannelInput(name, status, self.adaptation.applied(name, calibration))
