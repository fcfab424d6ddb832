"""The manifest of the model repository: what each step holds, and the fusion's numbers that fit it."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from export.catalog import Entry, load
from export.fetch import sha256
from export.stamp import SOURCES, STAMP, Origin, Stamp, write_json
from triptych.answer.parameters import CALIBRATION_FILE, CALIBRATION_FOLDER, FUSION_FILE, Calibration
from triptych.paths import OWN_WEIGHTS
from triptych_client.contract import CHANNELS

STEP = "fusion"
"""The step that reports the manifest, and whose version folder holds it: a step sees its own folder only."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """One line of the manifest: what a step of the repository holds, and the checkpoint that it is of, if any.

    `languages`: of a words model, those that it knows; none: any.
    """

    step: str
    role: str
    name: str
    title: str
    sha256: str
    licence: str
    vacant: bool
    source: str
    source_sha256: str
    languages: tuple[str, ...]


def write(repository: Path, entries: Sequence[Entry]) -> None:
    """Write the manifest of a repository that holds these entries, the tagger's labels and the fusion's numbers."""
    target = repository / STEP / "1"
    target.mkdir(parents=True, exist_ok=True)
    served = [_served(entry, repository / entry.step / "1") for entry in entries]
    write_json(target / "models.json", [asdict(line) for line in served])
    shutil.copyfile(repository / "sound_tagger" / "1" / "labels.txt", target / "labels.txt")
    replace_numbers(target, served)


def replace_numbers(target: Path, served: Sequence[Served]) -> None:
    """Copy the fusion's trained numbers and the calibration of each channel's model; what is not trained is not there.

    A calibration that was fitted on other weights of the model is left out, with a warning.
    """
    (target / FUSION_FILE).unlink(missing_ok=True)
    shutil.rmtree(target / CALIBRATION_FOLDER, ignore_errors=True)
    (target / CALIBRATION_FOLDER).mkdir()
    regression = OWN_WEIGHTS / STEP / FUSION_FILE
    if regression.is_file():
        shutil.copyfile(regression, target / FUSION_FILE)
    for line in served:
        path = OWN_WEIGHTS / line.name / CALIBRATION_FILE
        if line.role in CHANNELS and not line.vacant and path.is_file():
            if Calibration.fitted_on(path) == _weights(line):
                shutil.copyfile(path, target / CALIBRATION_FOLDER / f"{line.role}.json")
            else:
                LOG.warning("%s is of other weights: run `triptych train fusion --calibrate %s`", path, line.role)


def _served(entry: Entry, target: Path) -> Served:
    """Return the manifest's line of an exported step; a checkpoint's own licence stands for that of the entry."""
    origin = Stamp.read(target).origins.get(entry.name, Origin("", "", entry.licence))
    return Served(
        step=entry.step,
        role=entry.role,
        name=entry.name,
        title=entry.title,
        sha256=_digest(target),
        licence=origin.licence,
        vacant=entry.vacant,
        source=origin.source,
        source_sha256=origin.sha256,
        languages=entry.languages,
    )


def _digest(target: Path) -> str:
    """Return the sha256 of what is served: model.onnx, else that of `cat *.onnx | sha256sum`, else of all files."""
    served = target / "model.onnx"
    if served.is_file():
        return sha256(served)
    digest = hashlib.sha256()
    files = (path for path in sorted(target.iterdir()) if path.is_file() and path.name not in {STAMP, *SOURCES})
    for path in sorted(target.glob("*.onnx")) or files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _weights(line: Served) -> str:
    """Return what tells a model's weights from others of its name: the sha256 of its checkpoint, or of ours; or ""."""
    own = load()[line.name].weights
    return line.source_sha256 or (own.sha256 if own else "")
