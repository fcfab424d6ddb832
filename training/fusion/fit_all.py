"""Trains the fusion: calibrates each channel, fits the regression, and measures every subset of channels.

triptych train fusion --data DIR --out DIR --voice-run DIR        all of it
triptych train fusion .. --real FILE                              by real clips: how often channels disagree
triptych train fusion --data DIR --out DIR --calibrate face       a new face model: its calibration, no other number
triptych train fusion --clips DIR --out DIR                       from clips that have all channels (clips.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax

from training.evaluation.answered import Answered
from training.fusion import clips as fusion_clips
from training.fusion import fit as fusion_fit
from training.fusion import items, pairs, report
from training.fusion.disagreement import NONE, Rates, of_evidence
from training.fusion.evidence import CONDITIONS, Bank
from training.fusion.items import VoiceCheck
from training.fusion.models import Models
from training.fusion.report import ChannelCalibration
from training.metrics import expected_calibration_error
from triptych.answer.parameters import CALIBRATION_FILE, FUSION_FILE, Calibration, Parameters
from triptych.errors import TriptychError
from triptych.paths import MODEL_REPOSITORY, OWN_WEIGHTS
from triptych.serving.embedded import EmbeddedServer
from triptych_client import Client
from triptych_client.contract import CHANNELS, EMOTIONS

Array = np.ndarray
VOICE_CHECK = VoiceCheck()
FIT_CLIPS, TEST_CLIPS = 800, 500
"""Clips of each emotion that are put together to fit on, and to test on."""
EVIDENCE, WEIGHTS, FOLDER = "evidence", "weights", "fusion"
"""Folders of a run: what the models said, and what is to be copied into the repository's `weights/`, its card in
`weights/fusion`."""


@dataclass(frozen=True)
class Source:
    """What is fitted on: the exported models, the items of each channel, which of them to fit and to test on."""

    models: Models
    banks: Mapping[str, Bank]
    fit_rows: Mapping[str, Array]
    test_rows: Mapping[str, Array]

    @classmethod
    def collect(cls, data: Path, out: Path, repository: Path, check: VoiceCheck) -> Source:
        """Read `data` through the models of `repository`; what they said is kept in `out` for the next time."""
        models = Models(repository)
        banks = items.collect(data, out / EVIDENCE, models, check)
        return cls(models, banks, *pairs.split(banks))

    def calibrate(self, channel: str) -> Calibration:
        """Fit a channel's calibration."""
        return fusion_fit.calibrate(self.banks[channel], self.fit_rows[channel])


def train_fusion(
    data: Path,
    out: Path,
    check: VoiceCheck = VOICE_CHECK,
    repository: Path = MODEL_REPOSITORY,
    real: Path | None = None,
) -> None:
    """Calibrate every channel and fit the regression on `data`; all goes to `out/weights`, laid out as `weights/`.

    `real`: the evaluation.json of labelled real clips, by which is told how often channels disagree.
    """
    rates = NONE if real is None else _rates(Answered.read(real))
    source = Source.collect(data, out, repository, check)
    calibrations = {channel: source.calibrate(channel) for channel in CHANNELS}
    parameters = fusion_fit.fit(pairs.draw(source.banks, source.fit_rows, calibrations, FIT_CLIPS, 1, rates))
    command = _command(check, " --real FILE" if real else "")
    for channel, calibration in calibrations.items():
        _keep(out / WEIGHTS, source.models, channel, calibration, command)
    entries = {channel: source.models.entry(channel) for channel in CHANNELS}
    disagreement = {name: {kind: round(rate, 4) for kind, rate in asdict(rates[name]).items()} for name in CHANNELS}
    about = {"command": command, "fitted_with": entries, "disagreement": disagreement}
    parameters.write(_made(out / WEIGHTS / FOLDER) / FUSION_FILE, about)
    _measure(out / WEIGHTS, source, parameters, calibrations, command, rates)


def calibrate_channel(
    data: Path,
    out: Path,
    channel: str,
    check: VoiceCheck = VOICE_CHECK,
    repository: Path = MODEL_REPOSITORY,
    installed: Path = OWN_WEIGHTS,
) -> None:
    """Calibrate one channel, after its model was swapped, and measure every subset anew with the other numbers as is.

    `installed` holds those numbers. TriptychError when there is no such channel, or no regression yet.
    """
    if channel not in CHANNELS:
        raise TriptychError(f"there is no channel {channel}: --calibrate takes one of {', '.join(CHANNELS)}")
    regression = installed / FOLDER / FUSION_FILE
    if not regression.is_file():
        raise TriptychError(f"there is no {regression}: run `triptych train fusion` once without --calibrate")
    source = Source.collect(data, out, repository, check)
    files = {name: installed / source.models.entry(name) / CALIBRATION_FILE for name in CHANNELS}
    calibrations = {name: Calibration.read(path) if path.is_file() else Calibration() for name, path in files.items()}
    calibrations[channel] = source.calibrate(channel)
    command = _command(check, f" --calibrate {channel}")
    _keep(out / WEIGHTS, source.models, channel, calibrations[channel], command)
    _measure(out / WEIGHTS, source, Parameters.read(regression), calibrations, command)


def train_on_clips(folder: Path, out: Path, repository: Path = MODEL_REPOSITORY) -> None:
    """Fit on clips that have all channels (see `training.fusion.clips`), as the served ensemble sees them.

    The channels' calibrations stay as they are exported.
    """
    rows = fusion_clips.read(folder)
    with EmbeddedServer(repository) as server, Client(server.grpc_url) as client:
        fit, test = fusion_clips.split(fusion_clips.served_evidence(folder, rows, client))
    parameters = fusion_fit.fit(fit)
    command = "triptych train fusion --clips DIR --out DIR"
    parameters.write(_made(out / WEIGHTS / FOLDER) / FUSION_FILE, {"command": command})
    counts = {"fit_clips": len(fit.labels), "test_clips": len(test.labels)}
    rows = report.measure(parameters, test)
    report.write(out / WEIGHTS / FOLDER, "fusion/on_clips.md", parameters, test, rows, command=command, **counts)


def _keep(weights: Path, models: Models, channel: str, calibration: Calibration, command: str) -> None:
    entry = models.entry(channel)
    about = {"channel": channel, "command": command}
    calibration.write(weights / entry / CALIBRATION_FILE, entry, models.weights(channel), about)


def _rates(real: Answered) -> Rates:
    """Return how often channels disagree in real clips, as they were answered."""
    return of_evidence(real.evidence, real.labels)


def _measure(
    weights: Path,
    source: Source,
    parameters: Parameters,
    calibrations: Mapping[str, Calibration],
    command: str,
    rates: Rates = NONE,
) -> None:
    """Write the card of these numbers, measured on test clips whose channels disagree as often as those fitted on."""
    test = pairs.draw(source.banks, source.test_rows, calibrations, TEST_CLIPS, 2, rates)
    agreed = pairs.draw(source.banks, source.test_rows, calibrations, TEST_CLIPS, 2)
    clean, noisy = (report.measure(parameters, test, condition) for condition in CONDITIONS)
    values = {
        "rates": [(name, f"{rate.still:.2f}", f"{rate.other:.2f}") for name, rate in rates.items()],
        "agreed": [row.cells() for row in report.measure(parameters, agreed)] if rates is not NONE else [],
        "command": command,
        "noise": items.NOISE.values(),
        "noisy_subsets": [row.cells() for row in noisy],
        "calibrations": [_calibration(source, channel, calibrations[channel]) for channel in CHANNELS],
    }
    report.write(_made(weights / FOLDER), "fusion/by_label.md", parameters, test, clean, **values)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _calibration(source: Source, channel: str, calibration: Calibration) -> ChannelCalibration:
    """Return what calibration does to a channel, measured on its test items with each emotion weighing the same."""
    bank, rows = source.banks[channel], source.test_rows[channel]
    labels = np.repeat(np.arange(len(EMOTIONS)), fusion_fit.PER_EMOTION)
    logits = bank.logits()[pairs.items(bank, rows, labels, np.random.default_rng(0))]
    before, after = (
        expected_calibration_error(labels, softmax(z, axis=1)) for z in (logits, calibration.apply(logits))
    )
    return ChannelCalibration(channel, source.models.entry(channel), before, after)


def _command(check: VoiceCheck, extra: str = "") -> str:
    run = " --voice-run DIR" if check.run else ""
    assumed = " --assume-unheard" if check.assume_unheard else ""
    return f"triptych train fusion --data DIR --out DIR{run}{assumed}{extra}"
