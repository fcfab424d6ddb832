"""Tells the steps of our own code what the model behind them needs: its features, and the length of its windows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from triptych.serving import settings
from triptych.sound.mel import FBANK_SAMPLES, SOUND_SAMPLES

SETTINGS: dict[str, dict[str, str | int]] = {
    "voice-log-mel": {"features": "log-mel"},
    "voice-waveform": {"features": "waveform"},
    "yamnet-log-mel": {"features": "yamnet-log-mel"},
    "kaldi-fbank": {"features": "kaldi-fbank"},
    "yamnet-windows": {"sound_window_samples": SOUND_SAMPLES},
    "ast-windows": {"sound_window_samples": FBANK_SAMPLES},
}
"""The settings of each catalogue entry of such a step."""


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write settings.json of the one entry in `sources`; there are no files to read."""
    (entry,) = sources
    text = json.dumps(SETTINGS[entry], indent=2) + "\n"
    (target / settings.FILE).write_text(text, encoding="utf-8")
