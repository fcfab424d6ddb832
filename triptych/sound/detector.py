"""The graph of the step `speech_detector`, run on the sound of a clip."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from triptych.media.tracks import sounds_spoken_s
from triptych.sound import speech
from triptych.sound.speech import FRAME_SAMPLES
from triptych_client.contract import SAMPLE_RATE_HZ


class SpeechDetector:
    """A detector of speech, loaded from a folder: PCM float32 [512 n] -> SPEECH float32 [n], a probability a frame."""

    def __init__(self, folder: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # one frame waits for the one before it
        options.enable_cpu_mem_arena = False
        self.session = ort.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])

    def detect(self, pcm: np.ndarray, windows: np.ndarray, speech_tags: np.ndarray) -> np.ndarray:
        """Return where speech is in sound FP32 [samples]: INT [v, 2] in samples.

        `windows` [p, 2] are those of the tagger, in seconds, `speech_tags` [p, 2] what it says of each.
        """
        if not len(pcm):
            return np.zeros((0, 2), np.int64)
        probabilities = self.probabilities(pcm)
        tags = speech.tags_of_frames(len(probabilities), windows, speech_tags)
        return speech.spans(probabilities, tags, len(pcm))

    def speech_s(self, pcm: np.ndarray) -> float:
        """Return for how many seconds sound FP32 [samples] is speech, by the detector alone."""
        spoken = self.probabilities(pcm) >= speech.SPEECH_PROBABILITY
        return float(spoken.sum()) * FRAME_SAMPLES / SAMPLE_RATE_HZ

    def probabilities(self, pcm: np.ndarray) -> np.ndarray:
        """Return the probability of speech in each frame [n] of sound FP32 [samples] that is not empty."""
        (found,) = self.session.run(["SPEECH"], {"PCM": whole_frames(pcm)})
        return np.asarray(found)


def whole_frames(pcm: np.ndarray) -> np.ndarray:
    """Return sound FP32 [samples] as the graph is given it: at its level, its last frame filled with silence."""
    return np.pad(speech.at_level(pcm), (0, -len(pcm) % FRAME_SAMPLES))


def beside(folder: Path) -> Callable[[np.ndarray], float]:
    """Return what tells for how many seconds a sound is speech: the detector in a folder, loaded when first asked.

    Where there is none, since each model was fetched to a place of its own, it is the signs that need no model.
    """
    if not (folder / "model.onnx").is_file():
        return sounds_spoken_s
    loaded = cache(lambda: SpeechDetector(folder))
    return lambda pcm: loaded().speech_s(pcm)
