"""Recordings of speech cut as the ensemble cuts clips: at what the exported detector hears as speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from triptych.errors import TriptychError
from triptych.media.audio import Windows
from triptych.sound import spoken
from triptych.sound.detector import SpeechDetector

NOTHING_TAGGED = np.zeros((0, 2), np.float32)
"""Recordings of speech are no laughter: the detector decides without the audio tags."""


class Spoken:
    """The detector of a model repository; TriptychError when none was exported there."""

    def __init__(self, repository: Path) -> None:
        folder = repository / "speech_detector" / "1"
        if not (folder / "model.onnx").is_file():
            raise TriptychError(f"there is no speech detector in {folder}: run `triptych export` first")
        self._detector = SpeechDetector(folder)

    def cut(self, pcm: np.ndarray) -> tuple[np.ndarray, Windows]:
        """Return the speech in sound f32 [samples], seconds [v, 2], and the windows that a voice model hears of it.

        A recording in which none is detected is heard whole.
        """
        found = self._detector.detect(pcm, NOTHING_TAGGED, NOTHING_TAGGED)
        speech = found if len(found) else np.array([[0, len(pcm)]])
        return spoken.in_seconds(speech), spoken.voice_windows(pcm, speech)
